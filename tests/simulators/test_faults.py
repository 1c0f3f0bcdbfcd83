"""What shall go wrong: the same seed makes the same plan, and no sort is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from edge.model.errors import ConfigError
from simulators.faults import Load, Scenario, Sort, plan, scenario_from

SCENARIO = Scenario(
    name="test",
    faults=50,
    sorts={
        "power_cut": Sort(weight=5.0),
        "wan_cut": Sort(shortest_s=3.0, longest_s=4.0),
        "flood": Sort(shortest_s=0.0, longest_s=0.0),
    },
)


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert plan(SCENARIO, 7) == plan(SCENARIO, 7) != plan(SCENARIO, 8)


def test_every_sort_comes_before_chance_decides() -> None:
    assert {fault.sort for fault in plan(SCENARIO, 1, 3)} == set(SCENARIO.sorts)
    counted = Counter(fault.sort for fault in plan(SCENARIO, 1, 3_000))
    assert sum(counted.values()) == 3_000 and counted["power_cut"] > 3 * counted["wan_cut"] > 0


def test_a_fault_lasts_as_its_sort_says() -> None:
    for fault in plan(SCENARIO, 1):
        sort = SCENARIO.sorts[fault.sort]
        assert sort.shortest_s <= fault.lasts_s <= sort.longest_s
        assert 0 <= fault.strength < 1 and fault.target >= 0 and fault.after_s > 0


def test_the_plan_says_how_many_readings_there_will_be() -> None:
    faults = plan(SCENARIO, 1)
    rate = SCENARIO.load.readings_per_s
    assert all(abs(fault.readings - fault.after_s * rate) <= 1 for fault in faults)
    assert all(fault.readings >= 1 for fault in plan(replace(SCENARIO, every_s=0.0), 1))


def test_only_some_sorts_can_be_asked_for() -> None:
    assert {fault.sort for fault in plan(SCENARIO.only(["flood"]), 1)} == {"flood"}
    with pytest.raises(ConfigError, match="no sort hail"):
        SCENARIO.only(["hail"])


def test_a_scenario_is_read_with_its_defaults() -> None:
    found = scenario_from({"name": "x", "faults": 3, "sorts": {"flood": {"longest_s": 9}}}, "x.toml")
    assert (found.faults, found.load, found.sorts) == (3, Load(), {"flood": Sort(longest_s=9.0)})
    assert not found.backlog


@pytest.mark.parametrize(
    "tables",
    [
        {"name": "x", "faults": 3},
        {"name": "x", "sorts": {"flood": {}}},
        {"name": "x", "faults": 0, "sorts": {"flood": {}}},
        {"name": "x", "faults": 3, "sorts": {"flood": {}}, "colour": "red"},
        {"name": "x", "faults": 3, "sorts": {"flood": {"weight": 0}}},
        {"name": "x", "faults": 3, "sorts": {"flood": {"shortest_s": 3.0, "longest_s": 2.0}}},
        {"name": "x", "faults": 3, "sorts": {"flood": {}}, "load": {"readings": 3}},
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(tables: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        scenario_from(tables, "x.toml")
