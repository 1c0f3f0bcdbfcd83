"""Run the checks over a recording: exactly what `cityneuron qc` does, value by value."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from edge.config import load_toml
from edge.model.quality import Flag
from edge.quality.history import COLUMNS, History
from edge.quality.limits import NO_OVERRIDES, Overrides, load_limits
from score.sets import SETS

LIMITS = Path(__file__).parent / "limits"
DOUBTED = (Flag.SUSPECT, Flag.FAIL)


class Judged(NamedTuple):
    """A value, what is known of the truth, and what the checks said."""

    time: str
    node: str
    quantity: str
    text: str
    truth: str
    flag: Flag
    tests: frozenset[str]

    @property
    def doubted(self) -> bool:
        """Whether it is suspect or failed."""
        return self.flag in DOUBTED


def limits(name: str) -> Overrides:
    """Return the limits for a recording: those of the catalogue where it has no file of its own."""
    path = LIMITS / f"{name}.toml"
    return load_limits(load_toml(path), str(path)) if path.exists() else NO_OVERRIDES


@lru_cache(maxsize=1)
def judged(name: str, data: Path) -> list[Judged]:
    """Return every value of a recording with its verdict."""
    values = list(SETS[name](data))
    history = History(limits(name), COLUMNS)
    told = history.judge((number, value[:4]) for number, value in enumerate(values, 2))
    return [
        Judged(*value, flag, frozenset(tests.split("+") if tests else ()))
        for value, (_, flag, tests) in zip(values, told, strict=True)
    ]
