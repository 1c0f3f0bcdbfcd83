"""A week of sixty-four nodes with labelled faults, to try boards and rules on; one seed gives one week."""

from simulators.week.plan import DISTRICTS, END_MS, FAULTS, PERIOD_MS, SEED, START_MS, Fault
from simulators.week.week import Week, make_week

__all__ = ["DISTRICTS", "END_MS", "FAULTS", "PERIOD_MS", "SEED", "START_MS", "Fault", "Week", "make_week"]
