"""A node under its rules: readings in, changed episodes out.

The caller gives each reading once, in the order of arrival. Nothing here looks at a clock: readings bring their
event time, `heard` and `tick` the time of the one who listens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge.model.alert import Episode
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.rules.peers import Alone, Peers
from edge.rules.plan import Lines, plan_of
from edge.rules.rule import Rule

SAVE_MS = 300_000  # windows are worth writing down this often
NOTHING: tuple[Episode, ...] = ()


class Watch:
    """The state of one node under the rules that cover it.

    calm: a (low, high) for each quantity, or None. While `busy` is false, every flag passes and every value
    lies strictly between, `take` need not be called; who skips it sets `newest_ms` to the time of the reading,
    so that late ones are known. None means: call it always.
    changed: whether something happened since the last `dump` that must outlive a restart.

    The lines, a state a rule, are made when something first stirs them: a calm node costs little memory.
    """

    __slots__ = (
        "_clock_qc", "_due_ms", "_heard_ms", "_made", "_peers", "_plan", "_save_ms", "busy", "changed",
        "newest_ms", "node",
    )  # fmt: skip

    def __init__(
        self,
        node: Node,
        quantities: Sequence[str],
        rules: Iterable[Rule],
        peers: Peers | None = None,
        *,
        period_s: float | None = None,
    ) -> None:
        if period_s is None:
            period_s = KINDS[node.kind].period_s if node.kind in KINDS else 60.0
        self._plan = plan_of(tuple(rules), node, quantities, period_s)
        self._peers = peers or Alone()
        self._made: Lines | None = None if self._plan.calm is not None else self._plan.lines(node, self._peers)
        self.node = node
        self.newest_ms = 0
        self.busy = False
        self.changed = False
        self._heard_ms: int | None = None
        self._clock_qc = 0
        self._due_ms = 0
        self._save_ms = 0

    @property
    def lines(self) -> Lines:
        """The rules bound to the node."""
        if self._made is None:
            self._made = self._plan.lines(self.node, self._peers)
        return self._made

    @property
    def calm(self) -> tuple[tuple[float, float], ...] | None:
        """See above."""
        return self._plan.calm

    @property
    def quantities(self) -> tuple[str, ...]:
        """What its readings are made of."""
        return self._plan.quantities

    @property
    def empty(self) -> bool:
        """Whether no rule applies to the node."""
        return self._plan.empty

    def take(
        self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], *, late: bool = False
    ) -> Sequence[Episode]:
        """Judge a reading; return the episodes that it changed.

        late: it arrived long after it was made. What it shows is history, and becomes live with the next
        reading that is not late.
        """
        if t_ms <= self.newest_ms:
            return self._take_past(t_ms, values, flags)
        self.newest_ms = t_ms
        found: list[Episode] = []
        if self.busy or self._stirs(values, flags):
            self._take_closely(t_ms, values, flags, not late, found)
        if self._plan.calm is None:
            for line in self.lines.always:
                changed = line.take(t_ms, values, flags, not late)
                if changed or line.track.moved:
                    found += changed
                    self.changed, self._due_ms = True, 0
            if t_ms >= self._save_ms:
                self.changed, self._save_ms = True, t_ms + SAVE_MS
        return found or NOTHING

    def passes(
        self,
        times_ms: Sequence[int],
        values: Sequence[Sequence[float | None]],
        flags: Sequence[Sequence[int]],
    ) -> bool:
        """Pass over a run of readings at once if none of them stirs anything; tell whether that was so.

        They are in order, and none is late. If not, each is to be taken. It says the same as taking each.
        """
        if self._plan.calm is None or self.busy or times_ms[0] <= self.newest_ms:
            return False
        if flags.count(flags[0]) != len(flags) or max(flags[0]) > 2:
            return False
        if self._plan.bounds:
            columns = list(zip(*values, strict=True))
            try:
                for index, low, high in self._plan.bounds:
                    column = columns[index]
                    if not (low < min(column) and max(column) < high):
                        return False
            except TypeError:  # a value is missing
                return False
        self.newest_ms = times_ms[-1]
        return True

    def _stirs(self, values: Sequence[float | None], flags: Sequence[int]) -> bool:
        """Tell whether a reading could move anything at rest."""
        for index, low, high in self._plan.bounds:
            value = values[index]
            if value is not None and not low < value < high:
                return True
        for index in self._plan.doubted:  # noqa: SIM110 (the hot path: a generator costs twice this loop)
            if flags[index] > 2:
                return True
        return False

    def _take_closely(
        self,
        t_ms: int,
        values: Sequence[float | None],
        flags: Sequence[int],
        live: bool,
        found: list[Episode],
    ) -> None:
        busy, lines = False, self.lines
        for line in lines.quiet:
            changed = line.take(t_ms, values, flags, live)
            track = line.track
            if changed or track.moved:
                found += changed
                self.changed, self._due_ms = True, 0
            if not track.idle:
                busy = True
        for line in lines.doubts:
            if flags[line.index] <= 2 and line.track.idle and line.doubt_ms is None:
                continue
            found += line.doubt(t_ms, flags[line.index], live)
            self.changed = self.changed or line.track.moved
            if line.doubt_ms is not None:
                busy = True
        if busy is not self.busy:
            self.busy, self.changed = busy, True

    def _take_past(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int]) -> Sequence[Episode]:
        if self._made is None and not self._stirs(values, flags):
            return NOTHING
        found: list[Episode] = []
        for line in self.lines.values:
            if line.source is None:
                found += line.take_past(t_ms, values, flags)
                if line.past is not None and line.past.touched:
                    self.changed, self._due_ms = True, 0
        return found

    def heard(self, now_ms: int, clock_qc: int = 0) -> None:
        """Note that a message of the node arrived, and how far its clock can be trusted (0, 2, 3)."""
        self._heard_ms = now_ms
        if clock_qc != self._clock_qc:
            self._clock_qc, self._due_ms = clock_qc, 0

    def tick(self, now_ms: int, listening_since_ms: int) -> Sequence[Episode]:
        """Let time pass: silence, a clock in trouble, values that stay away, backlogs that are over.

        listening_since_ms: since when the caller has heard its nodes; nobody is silent before.
        """
        if now_ms < self._due_ms or self._rests(now_ms, listening_since_ms):
            return NOTHING
        found: list[Episode] = []
        open_signal, lines = False, self.lines
        for line in lines.silences:
            found += line.silence(now_ms, listening_since_ms, self._heard_ms)
            open_signal = open_signal or not line.track.idle
        for line in lines.clocks:
            if self._heard_ms is not None:
                found += line.signal(now_ms, float(self._clock_qc))
            open_signal = open_signal or not line.track.idle
        for line in lines.values:
            found += line.tick(now_ms, listening_since_ms)
        self.changed = self.changed or bool(found)
        waits = open_signal or any(line.waits for line in lines.values)
        self._next_due(now_ms, listening_since_ms, waits)
        return found

    def _rests(self, now_ms: int, listening_since_ms: int) -> bool:
        """Tell whether nothing was ever stirred, and neither silence nor clock stir anything now."""
        if self._made is not None or (self._heard_ms is not None and self._clock_qc >= self._plan.clock_qc):
            return False
        silent_ms = self._plan.silent_ms
        if silent_ms is not None and now_ms - max(self._heard_ms or 0, listening_since_ms) >= silent_ms:
            return False
        self._next_due(now_ms, listening_since_ms, waits=False)
        return True

    def _next_due(self, now_ms: int, listening_since_ms: int, waits: bool) -> None:
        """Say until when a tick could find nothing, whatever is heard meanwhile."""
        silent_ms = self._plan.silent_ms
        if waits or silent_ms is None:
            self._due_ms = now_ms if waits else now_ms + 60_000
        else:
            self._due_ms = max(self._heard_ms or 0, listening_since_ms) + silent_ms

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON can hold it: next to nothing while all is calm."""
        self.changed = False
        state: dict[str, Any] = {"t": self.newest_ms} if self.newest_ms else {}
        if self._made is not None:
            kept = {line.rule: of for line in self._made.all if (of := line.dump()) is not None}
            if kept:
                state["rules"] = kept
            if self._heard_ms is not None and any(not line.track.idle for line in self._made.silences):
                state["heard"] = self._heard_ms
        if self._clock_qc:
            state["clock"] = self._clock_qc
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a dump; rules that are gone are forgotten, new ones begin."""
        self.newest_ms = state.get("t", 0)
        self._heard_ms = state.get("heard")
        self._clock_qc = state.get("clock", 0)
        self._due_ms = 0
        if state.get("rules"):
            for line in self.lines.all:
                kept = state["rules"].get(line.rule)
                if kept is not None:
                    line.load(kept)
        if self._made is not None:
            self.busy = any(not line.track.idle for line in self._made.values) or any(
                line.doubt_ms is not None for line in self._made.doubts
            )

    def open_episodes(self) -> list[Episode]:
        """Return what is open now."""
        lines = [] if self._made is None else self._made.all
        return [line.track.episode for line in lines if line.track.episode is not None]
