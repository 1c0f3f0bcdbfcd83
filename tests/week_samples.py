"""What the oracle of the week reckons with: samples, the intervals they fall into, how they become a value."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from dashboards.signals import DAYS, HOURS, RAW, Ask, Signal
from edge.model.quantities import QUANTITIES, Form, Mean

SOURCES = {RAW: "city", HOURS: "city_hours", DAYS: "city_days"}
"""The database behind each data source."""
HOUR_MS, DAY_MS, CITY_MS = 3_600_000, 86_400_000, 8 * 3_600_000
Key = tuple[str, ...]
Value = Any
"""A number, a text, a tuple (least, greatest) within which the answer must lie, or None: no answer."""
Answer = dict[Key, dict[int, dict[str, Value]]]
"""By the tags asked for, by time (0 where the time says nothing), by column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What a board shows: its time range, both ends included, its interval, and what variables stand for."""

    start_ms: int
    end_ms: int
    interval_ms: int
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By variable; a variable that is not named stands for all."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one field, with the tags of its series."""

    t_ms: int
    tags: Mapping[str, str]
    value: Value


def window(signal: Signal, shown: Shown, t_ms: int) -> int:
    """Return the start of the interval in which a time lies: 0 where all of the range is one."""
    if not signal.over:
        return 0
    if signal.over == "1d":  # days of the city, not of Greenwich
        return (t_ms + CITY_MS) // DAY_MS * DAY_MS - CITY_MS
    step_ms = shown.interval_ms if signal.over == "interval" else ms_of(signal.over)
    shift_ms = CITY_MS if signal.form is Ask.ROLLED else 0  # roll-ups are of the city's days
    return (t_ms + shift_ms) // step_ms * step_ms - shift_ms


def ms_of(text: str) -> int:
    """Return a duration such as 5m in ms; 0 for none."""
    units_ms = {"m": 60_000, "h": HOUR_MS, "d": DAY_MS}
    return int(text[:-1]) * units_ms[text[-1]] if text else 0


def key_of(signal: Signal, sample: Sample) -> Key:
    """Return the tags that a question is answered by."""
    return tuple(sample.tags.get(tag, "") for tag in signal.by)


Groups = dict[tuple[Key, int], list[Sample]]


def groups(signal: Signal, shown: Shown, samples: Iterable[Sample]) -> Groups:
    """Return the samples by tags and interval, each group in order of time."""
    found: Groups = defaultdict(list)
    for sample in samples:
        found[key_of(signal, sample), window(signal, shown, sample.t_ms)].append(sample)
    return found


def by_node(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Return the samples node by node."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.tags["node"]].append(sample)
    return found


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return math.fsum(values) / len(values)


def leq(values: Sequence[float]) -> float:
    """Return the level of the mean energy: what decibels have for a mean."""
    return 10 * math.log10(mean([10 ** (value / 10) for value in values]))


def numbers(samples: Iterable[Sample]) -> list[float]:
    """Return the values alone."""
    return [float(sample.value) for sample in samples]


Parts = dict[int, dict[str, float]]


def parts_of(own: Sequence[Sample], quantity: str, source: str) -> Parts:
    """Return the roll-ups of one node's quantity: by start of the hour (or day), the fields."""
    width = Signal(form=Ask.TREND, kind="", over="1d" if source == DAYS else "1h")
    everything = Shown(start_ms=0, end_ms=2**62, interval_ms=HOUR_MS)
    found: Parts = {}
    before: list[Sample] = []
    for (_, at_ms), samples in groups(width, everything, own).items():
        found[at_ms] = _part(quantity, numbers(samples), numbers(before[-1:]))
        before = samples
    return found


def _part(quantity: str, values: list[float], before: list[float]) -> dict[str, float]:
    row = QUANTITIES[quantity]
    count = {"count": float(len(values))}
    if row.form is Form.COUNTER:  # from the last value before the window on, or what lies between is lost
        steps = pairwise([*before, *values])
        return count | {"grown": math.fsum(b - a if b >= a else b for a, b in steps)}
    if row.form is Form.STATE:
        return count | {"share": mean(values), "last": values[-1]}
    found = count | {"min": min(values), "max": max(values)}
    if row.mean is Mean.ENERGY:
        return found | {"leq": leq(values)}
    if row.mean is Mean.SUM:
        return found | {"sum": math.fsum(values)}
    return found | ({"last": values[-1]} if row.mean is Mean.LAST else {"mean": mean(values)})
