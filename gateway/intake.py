"""How the packs of one node under one schema become lines: compiled once a birth, then used a reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from edge.model.errors import WireError
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.protocol.series import SeriesWriter, reading_time_ns, series_head
from edge.protocol.wire import Birth, Column, Pack, row_fault
from gateway.clean import compile_clean
from gateway.stages.gross_range import Stage, gross_range

EARLIEST_MS = 1_262_304_000_000  # 2010-01-01: clocks without a battery wake in 1970 or 2000
AHEAD_MS = 86_400_000
LIVE_PERIODS = 3  # a reading that took longer from the sensor to here is history
LIVE_AT_LEAST_MS = 10_000


@dataclass(frozen=True, slots=True)
class Bad:
    """A reading that cannot be stored, and why."""

    seq: int
    reason: str
    detail: str


class Intake:
    """Turns packs of one (node, schema) into lines. What its schema decides is shared by all nodes of it."""

    __slots__ = ("_clean", "_columns", "_head", "live_ms")

    def __init__(self, node: Node, birth: Birth) -> None:
        self.live_ms = max(LIVE_AT_LEAST_MS, LIVE_PERIODS * birth.period_s * 1000)
        self._columns = birth.columns
        tags = {"district": node.district, "node": node.id, "site": node.site}
        self._head = series_head(node.kind, {key: value for key, value in tags.items() if value})
        self._clean = compile_clean(birth.columns)

    def read(self, pack: Pack, first: int, end: int, now_ms: int) -> tuple[list[str], list[Bad]]:
        """Return the lines of the readings numbered [first, end), and those that are none."""
        lines: list[str] = []
        bad: list[Bad] = []
        clean, head, t0_ms, latest_ms = self._clean, self._head, pack.t0_ms, now_ms + AHEAD_MS
        synced = pack.clock is Clock.SYNCED
        for seq in range(first, end):  # the hot path
            row = pack.rows[seq - pack.seq0]
            try:
                line = clean(row, head, t0_ms, EARLIEST_MS, latest_ms) if synced else None
            except (TypeError, ValueError):
                line = None
            if line is None:
                found = self._look_closer(pack, seq, row, now_ms)
                if isinstance(found, Bad):
                    bad.append(found)
                    continue
                line = found
            lines.append(line)
        return lines, bad

    def _look_closer(self, pack: Pack, seq: int, row: Any, now_ms: int) -> str | Bad:
        """Return the line of any reading, or what is wrong with it."""
        fault = row_fault(row, len(self._columns))
        if fault:
            return Bad(seq, "bad_type", fault)
        t_ms = pack.t0_ms + row[0]
        if not EARLIEST_MS <= t_ms <= now_ms + AHEAD_MS:
            return Bad(seq, "bad_time", _time_fault(t_ms, now_ms))
        values = [
            None if value is None else value / 10**column.decimals
            for value, column in zip(row[1:], self._columns, strict=True)
        ]
        check, writer = _thorough(self._columns)
        time_ns = reading_time_ns(t_ms, pack.boot, seq, pack.clock)
        return writer.line(self._head, values, check(values), time_ns, pack.clock)


@lru_cache(maxsize=4096)
def _thorough(columns: tuple[Column, ...]) -> tuple[Stage, SeriesWriter]:
    """Return the check and the writer for readings of any shape with these columns."""
    quantities = [column.quantity for column in columns]
    return gross_range(quantities), SeriesWriter(quantities)


def check_birth(birth: Birth, node: str) -> None:
    """Raise WireError where a well-formed birth cannot be believed: not its own, unknown kind, quantity."""
    if birth.node != node:
        raise WireError("not_own", f"the birth of {birth.node!r} came on the topic of {node}")
    if birth.kind not in KINDS:
        raise WireError("unknown_kind", f"kind {birth.kind!r} is not in the catalogue")
    for column in birth.columns:
        if column.quantity not in QUANTITIES:
            raise WireError("unknown_quantity", f"quantity {column.quantity!r} is not in the catalogue")


def _time_fault(t_ms: int, now_ms: int) -> str:
    if t_ms < EARLIEST_MS:
        return f"{t_ms} ms is before 2010: the node's clock was never set"
    return f"{t_ms} ms is {(t_ms - now_ms) / 86_400_000:.1f} days ahead of the gateway's clock"
