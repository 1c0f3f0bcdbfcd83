"""How the packs of one node under one schema become lines: compiled once a birth, then used a reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from edge.model.errors import WireError
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import EARLIEST_MS, Clock, Flag
from edge.model.quantities import QUANTITIES
from edge.protocol.series import SeriesWriter, reading_time_ns, series_head
from edge.protocol.wire import Birth, Column, Pack, row_fault
from edge.quality import Revision
from edge.rules import Watch
from gateway.clean import compile_clean
from gateway.stages.states import QualityStates

AHEAD_MS = 86_400_000
TRUSTED_AHEAD_MS = 300_000  # what is further ahead is judged alone: it must not make all that follows late
LIVE_PERIODS = 3  # a reading that took longer from the sensor to here is history
LIVE_AT_LEAST_MS = 10_000


@dataclass(frozen=True, slots=True)
class Bad:
    """A reading that cannot be stored, and why."""

    seq: int
    reason: str
    detail: str


class Seen(NamedTuple):
    """A reading as it stands in its line: for rules. late: sensed before one that was taken already."""

    t_ms: int
    values: Sequence[float | None]
    flags: Sequence[Flag]
    late: bool


@dataclass(slots=True)
class _Entry:
    """What the line of a reading is made of."""

    t_ms: int
    values: list[float | None]
    flags: list[Flag]
    time_ns: int
    clock: Clock
    more: list[str]
    late: bool = False


class Intake:
    """Turns packs of one (node, schema) into lines. What its schema decides is shared by all nodes of it."""

    __slots__ = ("_checks", "_columns", "_head", "_late", "_steady", "_touched", "_writer", "live_ms", "watch")

    def __init__(self, node: Node, birth: Birth, states: QualityStates | None = None) -> None:
        self.live_ms = max(LIVE_AT_LEAST_MS, LIVE_PERIODS * birth.period_s * 1000)
        self._columns = birth.columns
        tags = {"district": node.district, "node": node.id, "site": node.site}
        self._head = series_head(node.kind, {key: value for key, value in tags.items() if value})
        states = QualityStates() if states is None else states
        self._checks = states.of(node.id, [column.quantity for column in birth.columns], birth.period_s)
        self._touched = states.touched
        self._steady, self._late = compile_clean(birth.columns, self._checks.profile)
        self._writer = _writer(birth.columns)
        self.watch: Watch | None = None

    def read(
        self, pack: Pack, first: int, end: int, now_ms: int, seen: list[Any] | None = None
    ) -> tuple[list[str], list[Bad]]:
        """Return the lines of the readings numbered [first, end), and those that are none.

        What is known of the node moves on. `seen` gets one Seen a line.
        """
        lines: list[str] = []
        bad: list[Bad] = []
        checks, rows, seq0, head, t0_ms = self._checks, pack.rows, pack.seq0, self._head, pack.t0_ms
        self._touched.add(checks)
        if pack.boot > checks.boot and end > first:
            self._started(pack, first, now_ms)
        at, stop = first - seq0, end - seq0
        before: _Entry | None = None
        passed = -1  # the last row that went the hot way
        synced = pack.clock is Clock.SYNCED
        while at < stop:
            if synced:
                begin = at
                if checks.calm:
                    until_ms = now_ms + TRUSTED_AHEAD_MS
                    if checks.calm_until_ms < until_ms:
                        until_ms = checks.calm_until_ms
                    at = self._steady(rows, at, stop, head, t0_ms, until_ms, checks, lines, seen)
                    if at == stop:
                        break
                at = self._late(rows, at, stop, head, t0_ms, now_ms, checks, lines, seen)
                if at > begin:
                    before, passed = None, at - 1
                    continue
            found = self._look_closer(pack, seq0 + at, rows[at], now_ms)
            at += 1
            if isinstance(found, Bad):
                bad.append(found)
                continue
            entry, revised = found
            if revised:
                before = before or self._entry_of(pack, passed)
                self._revise(before if lines else None, entry, revised, lines, seen)
            lines.append(self._line(entry))
            if seen is not None:
                seen.append(Seen(entry.t_ms, entry.values, entry.flags, entry.late))
            before = entry
        return lines, bad

    def _started(self, pack: Pack, first: int, now_ms: int) -> None:
        """A new start of the node; where it was away before it, its sensors are cold."""
        checks, row = self._checks, pack.rows[first - pack.seq0]
        if row_fault(row, len(self._columns)):
            return
        t_ms = pack.t0_ms + row[0]
        if t_ms > now_ms + TRUSTED_AHEAD_MS:
            return
        if checks.boot and t_ms - checks.t_ms > checks.profile.gap_ms:
            checks.started(t_ms)
        checks.boot = pack.boot

    def _look_closer(self, pack: Pack, seq: int, row: Any, now_ms: int) -> tuple[_Entry, list[Revision]] | Bad:
        """Return what the line of any reading is made of, or what is wrong with it."""
        fault = row_fault(row, len(self._columns))
        if fault:
            return Bad(seq, "bad_type", fault)
        t_ms = pack.t0_ms + row[0]
        if not EARLIEST_MS <= t_ms <= now_ms + AHEAD_MS:
            return Bad(seq, "bad_time", _time_fault(t_ms, now_ms))
        raw, doubted = self._values(row)
        alone = pack.clock is Clock.UNKNOWN or t_ms > now_ms + TRUSTED_AHEAD_MS
        late = t_ms <= self._checks.t_ms
        verdict = self._checks.take(t_ms, raw, alone=alone)
        more = [
            f"{column.quantity}_raw={said!r}"
            for column, said, value in zip(self._columns, raw, verdict.values, strict=True)
            if said != value
        ]
        for place, value, flag in doubted:
            if flag is Flag.FAIL:
                verdict.values[place], verdict.flags[place] = value, flag
            else:
                verdict.flags[place] = max(flag, verdict.flags[place])
        time_ns = reading_time_ns(t_ms, pack.boot, seq, pack.clock)
        entry = _Entry(t_ms, verdict.values, verdict.flags, time_ns, pack.clock, more, late)
        return entry, verdict.revised or []

    def _revise(
        self,
        before: _Entry | None,
        entry: _Entry,
        revised: list[Revision],
        lines: list[str],
        seen: list[Any] | None,
    ) -> None:
        """Enter what a reading says of the one before it: there, if it is at hand, else in its own line."""
        for each in revised:
            if before is not None and before.t_ms == each.t_ms:
                before.flags[each.index] = each.flag
                lines[-1] = self._line(before)
                if seen is not None:
                    seen[-1] = Seen(before.t_ms, before.values, before.flags, False)
            else:
                entry.more.append(f"{self._columns[each.index].quantity}_prior_qc={each.flag:d}i")

    def _entry_of(self, pack: Pack, at: int) -> _Entry | None:
        """Return the entry of a reading that passed on the hot path; None for the one before a pack."""
        if at < 0 or row_fault(pack.rows[at], len(self._columns)):
            return None
        row = pack.rows[at]
        t_ms = pack.t0_ms + row[0]
        time_ns = reading_time_ns(t_ms, pack.boot, pack.seq0 + at, pack.clock)
        return _Entry(t_ms, self._values(row)[0], [Flag.PASS] * len(self._columns), time_ns, pack.clock, [])

    def _values(self, row: Any) -> tuple[list[float | None], list[tuple[int, float, Flag]]]:
        """Return the values that the checks may see, and those that the device doubts: place, value, flag.

        What it calls wrong is no neighbour for others: the checks see nothing there.
        """
        values: list[float | None] = []
        doubted: list[tuple[int, float, Flag]] = []
        for place, (cell, column) in enumerate(zip(row[1:], self._columns, strict=True)):
            if type(cell) is list:
                value, flag = cell[0] / 10**column.decimals, Flag(cell[1])
                doubted.append((place, value, flag))
                values.append(value if flag is Flag.SUSPECT else None)
            else:
                values.append(None if cell is None else cell / 10**column.decimals)
        return values, doubted

    def _line(self, entry: _Entry) -> str:
        return self._writer.line(self._head, entry.values, entry.flags, entry.time_ns, entry.clock, entry.more)


@lru_cache(maxsize=4096)
def _writer(columns: tuple[Column, ...]) -> SeriesWriter:
    """Return the writer for readings of any shape with these columns."""
    return SeriesWriter([column.quantity for column in columns])


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
