"""A rule bound to a node: which value it looks at, whether that counts, and whether the rule is in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge.model.alert import Episode
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Flag
from edge.rules.derive import FORMS
from edge.rules.past import Past
from edge.rules.peers import Peers
from edge.rules.rule import SIGNALS, NoData, Rule
from edge.rules.source import Bound, Source
from edge.rules.track import Track, terms_of

NONE: Sequence[Episode] = ()


class Line:
    """One rule at one node, with all that can be decided once decided."""

    __slots__ = (
        "base_ms", "doubt_ms", "edge_ms", "given", "in_force", "index", "no_data", "past", "plain", "quantity",
        "rule", "schedule", "source", "track", "worst",
    )  # fmt: skip

    def __init__(self, rule: Rule, track: Track, index: int, source: Source | None) -> None:
        self.rule, self.quantity, self.index, self.source, self.track = (
            rule.name, rule.quantity, index, source, track,
        )  # fmt: skip
        self.worst = int(Flag.SUSPECT if rule.worst == "suspect" else Flag.NOT_EVALUATED)
        self.no_data, self.schedule = rule.no_data, rule.schedule
        self.edge_ms, self.in_force = 0, rule.schedule is None
        self.given: tuple[int, float, float] | None = None
        self.past: Past | None = None
        self.doubt_ms: int | None = None
        # nothing but thresholds: most rules are like this, and judged by the shortest way
        self.plain = (
            source is None and rule.schedule is None and rule.given is None and rule.no_data is NoData.KEEP
        )
        self.base_ms = 0  # the newest value that counted, for rules that ask for values that stay away

    @classmethod
    def make(
        cls, rule: Rule, node: Node, quantities: Sequence[str], peers: Peers, period_s: float
    ) -> Line | None:
        """Bind a rule; None where it cannot apply: no such stage, no such quantity."""
        terms = terms_of(rule, node, period_s)
        if not terms.levels:
            return None
        watched = (rule.of or _headline(node)) if rule.quantity == "doubt_s" else rule.quantity
        index = quantities.index(watched) if watched in quantities else -1
        source = None
        if rule.quantity in SIGNALS:
            if index < 0 and rule.quantity == "doubt_s":
                return None
        elif rule.derive is not None:
            source = FORMS[rule.derive.form].make(Bound(rule, node, quantities, peers, period_s))
            if source is None:
                return None
        elif index < 0:
            return None
        line = cls(rule, Track(terms, rule.quantity, node), index, source)
        if rule.given is not None:
            if rule.given.quantity not in quantities:
                return None
            line.given = (quantities.index(rule.given.quantity), rule.given.low, rule.given.high)
        return line

    def take(
        self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], live: bool
    ) -> Sequence[Episode]:
        """Judge a reading that is newer than all before."""
        if self.plain:
            value = values[self.index]
            if value is None or flags[self.index] > self.worst or value != value:
                return ()
            changed = self.track.step(t_ms, value, live)
            return () if changed is None else self._ended((changed,))
        source, found = self.source, NONE
        if self.schedule is not None and t_ms >= self.edge_ms:
            found = self._next_span(t_ms)
        if source is None:
            value = values[self.index]
            counts = value is not None and flags[self.index] <= self.worst
        else:
            value = source.take(t_ms, values, flags, self.worst)
            counts = value is not None
        if not counts or not self.in_force or value is None or value != value:  # the last: not a number
            return self._ended(found) if found else ()
        if self.given is not None and not self._is_given(values, flags):
            return self._ended(found) if found else ()
        if self.no_data is not NoData.KEEP:
            if self.no_data is NoData.END:
                found = [*found, *self._give_up(t_ms)]
            self.base_ms = t_ms
        if source is None:
            changed = self.track.step(t_ms, value, live)
        else:
            changed = self.track.step(t_ms, value, live, source.shown, source.note)
        if changed is not None:
            found = [*found, changed]
        return self._ended(found) if found else ()

    def _is_given(self, values: Sequence[float | None], flags: Sequence[int]) -> bool:
        assert self.given is not None
        index, low, high = self.given
        value = values[index]
        return value is not None and flags[index] <= self.worst and low <= value <= high

    def _next_span(self, t_ms: int) -> list[Episode]:
        """Go on to where a time lies on the schedule; what was open ended with its span."""
        assert self.schedule is not None
        ended = None
        if self.in_force and self.edge_ms and not self.track.idle:
            ended = self.track.end(self.edge_ms, None)
        self.in_force, self.edge_ms = self.schedule.span(t_ms)
        return [] if ended is None else [ended]

    def _ended(self, found: Sequence[Episode]) -> Sequence[Episode]:
        for episode in found:
            if episode.end_ms is not None and self.source is None:
                if self.past is None:
                    self.past = Past(self.track)
                self.past.remember(episode)
        return found

    def take_past(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int]) -> Sequence[Episode]:
        """Judge a reading that is older than the newest."""
        value = values[self.index]
        if value is None or flags[self.index] > self.worst or value != value:
            return ()
        if self.given is not None and not self._is_given(values, flags):
            return ()
        if self.schedule is not None and not self.schedule.span(t_ms)[0]:
            return () if self.past is None else self.past.close(self.track.since_ms)
        if self.past is None:
            if value * self.track.terms.sign < self.track.terms.first:
                return ()
            self.past = Past(self.track)
        return self.past.take(t_ms, value, self.track)

    def signal(self, now_ms: int, value: float) -> Sequence[Episode]:
        """Judge a signal, by the time of the one who listens."""
        found = self._next_span(now_ms) if self.schedule is not None and now_ms >= self.edge_ms else []
        changed = self.track.step(now_ms, value) if self.in_force else None
        return found if changed is None else [*found, changed]

    def silence(self, now_ms: int, listening_since_ms: int, heard_ms: int | None) -> Sequence[Episode]:
        """Judge how long nothing was heard; an open episode ends only when something is."""
        track = self.track
        if track.idle:
            base = max(heard_ms or 0, listening_since_ms)
            if now_ms - base < 1000 * track.terms.first:
                return ()
            return self.signal(now_ms, (now_ms - base) / 1000)
        found: list[Episode] = []
        if heard_ms is None:
            heard_ms = track.since_ms or now_ms
            return self.signal(now_ms, max(track.terms.first, (now_ms - heard_ms) / 1000))
        if heard_ms > track.last_ms:
            found += self.signal(heard_ms, 0.0)
        return [*found, *self.signal(now_ms, (now_ms - heard_ms) / 1000)]

    def doubt(self, t_ms: int, flag: int, live: bool) -> Sequence[Episode]:
        """Judge how long the watched quantity has not passed."""
        if flag <= Flag.NOT_EVALUATED:
            self.doubt_ms = None
        elif self.doubt_ms is None:
            self.doubt_ms = t_ms
        value = 0.0 if self.doubt_ms is None else (t_ms - self.doubt_ms) / 1000
        found = self._next_span(t_ms) if self.schedule is not None and t_ms >= self.edge_ms else []
        changed = self.track.step(t_ms, value, live) if self.in_force else None
        return found if changed is None else [*found, changed]

    def tick(self, now_ms: int, listening_since_ms: int) -> Sequence[Episode]:
        """Let time pass: values that stay away, schedules that end, backlogs that are over."""
        found: list[Episode] = []
        track = self.track
        if not track.idle and self.schedule is not None and track.last_ms < self.edge_ms <= now_ms:
            ended = track.end(self.edge_ms, None)
            found += [] if ended is None else [ended]
        if self.base_ms and now_ms - max(self.base_ms, listening_since_ms) > track.terms.gap_ms:
            found += self._give_up(now_ms)
            if self.no_data is NoData.ALARM:
                opened = track.no_value_since(now_ms, self.base_ms)
                found += [] if opened is None else [opened]
        if self.past is not None and not self.past.track.idle:
            if not self.past.touched:
                found += self.past.close(track.since_ms)
            self.past.touched = False
        self._ended([one for one in found if one.live])
        return found

    def _give_up(self, t_ms: int) -> Sequence[Episode]:
        gap_ms = self.track.terms.gap_ms
        if self.no_data is not NoData.END or not self.base_ms or t_ms - self.base_ms <= gap_ms:
            return ()
        ended = self.track.end(self.base_ms + gap_ms, None)
        return () if ended is None else (ended,)

    @property
    def waits(self) -> bool:
        """Whether the passing of time may bring something here."""
        return (
            self.no_data is not NoData.KEEP
            or (self.schedule is not None and not self.track.idle)
            or (self.past is not None and not self.past.track.idle)
        )

    def dump(self) -> dict[str, Any] | None:
        """Return what must outlive a restart, or None."""
        state: dict[str, Any] = {
            "track": self.track.dump(),
            "past": None if self.past is None else self.past.dump(),
            "source": None if self.source is None else self.source.dump(),
            "doubt": self.doubt_ms,
            "base": self.base_ms or None,
        }
        kept = {name: value for name, value in state.items() if value is not None}
        return kept or None

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a dump."""
        if "track" in state:
            self.track.load(state["track"])
            if self.schedule is not None:
                self.in_force, self.edge_ms = self.schedule.span(self.track.last_ms)
        if "past" in state:
            self.past = Past(self.track)
            self.past.load(state["past"])
        if "source" in state and self.source is not None:
            self.source.load(state["source"])
        self.doubt_ms, self.base_ms = state.get("doubt"), state.get("base", 0)


def _headline(node: Node) -> str:
    return KINDS[node.kind].headline if node.kind in KINDS else ""
