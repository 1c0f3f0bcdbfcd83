"""Rows under way to a broker: in parcels of one node each, and what became of every reading of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.model.errors import CityError
from gateway.north.reading import Origin, Reading, read_line
from gateway.onward import ROW_BYTES, Row, Settlement
from gateway.tally import GivenUp

MOST_READINGS = 100
"""In one parcel: some 50 KB as SenML JSON, which every broker takes."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Readings of one node, to be said together, and where they stand: (row, line)."""

    origin: Origin
    readings: tuple[Reading, ...]
    places: tuple[tuple[int, int], ...]

    def singles(self) -> Iterator[Parcel]:
        """Yield its readings one by one."""
        for reading, place in zip(self.readings, self.places, strict=True):
            yield Parcel(self.origin, (reading,), (place,))


class Batch:
    """Rows, read once. What arrived before `since_ms` is marked as having waited."""

    def __init__(self, rows: Sequence[Row], since_ms: int) -> None:
        self.rows = rows
        self._done: list[set[int]] = [set() for _ in rows]
        self._delivered = 0
        self._given_up: Counter[str] = Counter()
        self.parcels = self._parcels(since_ms)

    def deliver(self, parcel: Parcel) -> None:
        """The broker has all of a parcel."""
        self._settle(parcel)
        self._delivered += len(parcel.places)

    def give_up(self, parcel: Parcel, reason: GivenUp) -> None:
        """A parcel cannot be handed on."""
        self._settle(parcel)
        self._given_up[reason] += len(parcel.places)

    def settlement(self) -> Settlement:
        """Return what became of the rows by now."""
        gone: list[int] = []
        left: list[tuple[int, list[str]]] = []
        freed_bytes = 0
        for row, done in zip(self.rows, self._done, strict=True):
            if row.lines is None or len(done) == len(row.lines):
                gone.append(row.id)
                freed_bytes += row.size
            elif done:
                lines = [line for at, line in enumerate(row.lines) if at not in done]
                left.append((row.id, lines))
                freed_bytes += row.size - ROW_BYTES - len("\n".join(lines).encode())
        return Settlement(gone, left, self._delivered, self._given_up, freed_bytes)

    def _settle(self, parcel: Parcel) -> None:
        for row, line in parcel.places:
            self._done[row].add(line)

    def _parcels(self, since_ms: int) -> list[Parcel]:
        found: dict[Origin, list[tuple[Reading, tuple[int, int]]]] = {}
        for number, row in enumerate(self.rows):
            if row.lines is None:
                self._given_up[GivenUp.DAMAGED] += row.readings
                continue
            for at, line in enumerate(row.lines):
                try:
                    origin, reading = read_line(line, waited=row.since_ms < since_ms)
                except (CityError, ValueError):  # nobody of ours wrote it
                    self._done[number].add(at)
                    self._given_up[GivenUp.NOT_ENCODED] += 1
                else:
                    found.setdefault(origin, []).append((reading, (number, at)))
        return [
            Parcel(origin, *zip(*some[start : start + MOST_READINGS], strict=True))
            for origin, some in found.items()
            for start in range(0, len(some), MOST_READINGS)
        ]
