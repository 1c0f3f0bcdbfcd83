"""Blocks: which registers of a device are read together. Never across a gap: a device may refuse all for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.adapters.modbus.profile import Profile, Row
from edge.adapters.modbus.request import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Registers that one request reads, once in `every` rounds."""

    function: int
    start: int
    count: int
    rows: tuple[Row, ...]
    every: int = 1
    width_bytes: int = 2

    def request(self, unit: int) -> Request:
        """Return the request that reads it."""
        return Request(
            unit=unit,
            function=self.function,
            start=self.start,
            count=self.count,
            width_bytes=self.width_bytes,
        )


def blocks(profile: Profile, rows: Sequence[Row]) -> tuple[Block, ...]:
    """Return the fewest reads that get the rows: neighbours of one function and group together."""
    if profile.registers_are_values:
        return tuple(_alone(profile, row) for row in rows)
    ordered = sorted(rows, key=lambda row: (_function(profile, row), row.group, row.span.start))
    found: list[list[Row]] = []
    for row in ordered:
        if found and _joins(profile, found[-1], row):
            found[-1].append(row)
        else:
            found.append([row])
    return tuple(_block(profile, together) for together in found)


def singles(profile: Profile, block: Block) -> tuple[Block, ...]:
    """Return a block for each row: what is left to try when the device refuses them together."""
    return tuple(_block(profile, [row]) for row in block.rows)


def _joins(profile: Profile, together: list[Row], row: Row) -> bool:
    last = together[-1]
    same = (_function(profile, row), row.group) == (_function(profile, last), last.group)
    end = _end(together)
    grown = max(end, row.span.stop) - together[0].span.start
    return same and row.span.start <= end and grown <= profile.max_registers


def _end(rows: Iterable[Row]) -> int:
    return max(row.span.stop for row in rows)


def _block(profile: Profile, rows: list[Row]) -> Block:
    start = rows[0].span.start
    return Block(
        function=_function(profile, rows[0]),
        start=start,
        count=_end(rows) - start,
        rows=tuple(rows),
        every=profile.groups.get(rows[0].group, 1),
    )


def _alone(profile: Profile, row: Row) -> Block:
    return Block(
        function=_function(profile, row),
        start=row.register,
        count=1,
        rows=(row,),
        every=profile.groups.get(row.group, 1),
        width_bytes=2 * row.words,
    )


def _function(profile: Profile, row: Row) -> int:
    return row.function or profile.function
