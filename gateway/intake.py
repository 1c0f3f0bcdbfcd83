"""How the packs of one node under one schema become lines: compiled once a birth, then used a reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.model.errors import WireError
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quantities import QUANTITIES
from edge.protocol.series import SeriesWriter, reading_time_ns
from edge.protocol.wire import Birth, Pack, row_fault
from gateway.stages.gross_range import gross_range

EARLIEST_MS = (
    1_262_304_000_000  # 2010-01-01: no node is older, and clocks without a battery wake in 1970 or 2000
)
AHEAD_MS = 86_400_000
LIVE_PERIODS = 3  # a reading that took longer from the sensor to here is history
LIVE_AT_LEAST_MS = 10_000


@dataclass(frozen=True, slots=True)
class Taken:
    """One reading of a pack: its line and event time, or why there is none."""

    seq: int
    line: str = ""
    t_ms: int = 0
    reason: str = ""
    detail: str = ""


class Intake:
    """Turns packs of one (node, schema) into lines."""

    def __init__(self, node: Node, birth: Birth) -> None:
        quantities = [column.quantity for column in birth.columns]
        self.node = node
        self.columns = birth.columns
        self.live_ms = max(LIVE_AT_LEAST_MS, LIVE_PERIODS * birth.period_s * 1000)
        self._scales = [10**column.decimals for column in birth.columns]
        self._check = gross_range(quantities)
        self._writer = SeriesWriter(
            node.kind, {"district": node.district, "node": node.id, "site": node.site}, quantities
        )

    def read(self, pack: Pack, first: int, end: int, now_ms: int) -> Iterator[Taken]:
        """Yield the readings numbered [first, end) of a pack. This is the hot path."""
        scales, check, line, width = self._scales, self._check, self._writer.line, len(self._scales)
        latest_ms = now_ms + AHEAD_MS
        for seq in range(first, end):
            row = pack.rows[seq - pack.seq0]
            fault = row_fault(row, width)
            if fault:
                yield Taken(seq, reason="bad_type", detail=fault)
                continue
            t_ms = pack.t0_ms + row[0]
            if not EARLIEST_MS <= t_ms <= latest_ms:
                yield Taken(seq, reason="bad_time", detail=_time_fault(t_ms, now_ms))
                continue
            values = [
                None if value is None else value / scale for value, scale in zip(row[1:], scales, strict=True)
            ]
            time_ns = reading_time_ns(t_ms, seq, pack.clock)
            yield Taken(seq, line(values, check(values), time_ns, pack.clock), t_ms)


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
