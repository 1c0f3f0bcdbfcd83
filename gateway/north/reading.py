"""Lines of the journal read back as readings: what is handed on is what the store gets, flags too. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from edge.model.quality import Clock, Flag
from edge.protocol.lines import Point, parse_lines

_HEAD = re.compile(r"(?:\\.|[^ \\])+")
_CLOCKS = {3: Clock.ESTIMATED, 2: Clock.UNKNOWN}


class Origin(NamedTuple):
    """Whose readings: the node, its kind, and where it stands."""

    kind: str
    node: str
    district: str
    site: str


class Sample(NamedTuple):
    """One quantity of a reading. A failed value is here with its flag, as the sensor gave it."""

    quantity: str
    value: float | None
    flag: Flag


class Reading(NamedTuple):
    """One reading, under the time of the store.

    `more` are the fields that say how it came about: `<q>_raw`, what the sensor said before calibration, and
    `<q>_prior_qc`, what this reading says of the one before it. `waited`: it arrived before the connection by
    which it leaves.
    """

    time_ns: int
    clock: Clock
    samples: tuple[Sample, ...]
    more: tuple[tuple[str, float], ...] = ()
    waited: bool = False


def read_line(line: str, *, waited: bool = False) -> tuple[Origin, Reading]:
    """Return whose reading a line is, and the reading. Raises SeriesError for what no writer of ours wrote."""
    (point,) = parse_lines(line)
    return _origin(point), _reading(point, waited)


def _origin(point: Point) -> Origin:
    tags = dict(point.tags)
    return Origin(point.measurement, tags.get("node", ""), tags.get("district", ""), tags.get("site", ""))


def _reading(point: Point, waited: bool) -> Reading:
    flags: dict[str, Flag] = {}
    values: dict[str, float | None] = {}
    more: list[tuple[str, float]] = []
    clock = Clock.SYNCED
    for name, value in point.fields:
        number = float(value) if not isinstance(value, str) else 0.0
        if name == "clock_qc":
            clock = _CLOCKS.get(int(number), Clock.UNKNOWN)
        elif name.endswith(("_prior_qc", "_raw")):
            more.append((name, number))
        elif name.endswith("_qc"):
            quantity = name[: -len("_qc")]
            flags[quantity] = Flag(int(number))
            values.setdefault(quantity, None)
        else:
            values[name.removesuffix("_rejected")] = number
    samples = tuple(Sample(name, value, flags.get(name, Flag.PASS)) for name, value in values.items())
    return Reading(point.time_ns or 0, clock, samples, tuple(more), waited)


def qualms(reading: Reading) -> Iterator[tuple[str, int]]:
    """Yield what is to be said of a reading's quality, named as in the store: `<q>_qc`, and `clock_qc`."""
    for quantity, _, flag in reading.samples:
        if flag is not Flag.PASS:
            yield f"{quantity}_qc", int(flag)
    for mark, clock in _CLOCKS.items():
        if reading.clock is clock:
            yield "clock_qc", mark


class Choice:
    """Which readings somebody wants: by kind, district and node, each a list of patterns (`ys-*`)."""

    def __init__(self, kinds: Sequence[str], districts: Sequence[str], nodes: Sequence[str]) -> None:
        self._everything = kinds == districts == nodes == ("*",)
        patterns = (kinds, districts, nodes)

        @lru_cache(maxsize=65_536)
        def wants(head: str) -> bool:
            (point,) = parse_lines(f"{head} x=0")
            origin = _origin(point)
            found = (origin.kind, origin.district, origin.node)
            return all(
                any(fnmatchcase(text, each) for each in some)
                for text, some in zip(found, patterns, strict=True)
            )

        self._wants: Callable[[str], bool] = wants

    def of(self, lines: list[str]) -> list[str]:
        """Return the lines that are wanted."""
        if self._everything:
            return lines
        return [line for line in lines if (head := _HEAD.match(line)) and self._wants(head[0])]
