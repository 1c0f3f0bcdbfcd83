"""One rule at one node: the state machine that turns values into an episode, in event time alone.

Each level is off, pending (since when), on, or leaving (since when):

    off --x >= enter--> pending --`for` passed--> on --x < leave--> leaving --`keep_firing` passed--> off
                        pending --x < enter--> off                  leaving --x >= leave--> on

Only readings move it: a gap, a value of bad quality and the passing of time prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edge.model.alert import Episode, Level
from edge.model.node import Node
from edge.rules.rule import Rule

REFRESH_MS = 600_000  # an open episode tells its newest value this often at most
RATE_MS = 600_000  # the rate is taken over this long at least, where there are values
COUNTED = ("silence_s", "doubt_s")
INF = float("inf")


class Terms:
    """A rule as it stands for nodes with these stages: every threshold a number, high values the bad ones."""

    __slots__ = (
        "bad", "counted", "enters", "first", "for_ms", "gap_ms", "keep_ms", "leaves", "levels", "rule", "sign",
    )  # fmt: skip

    def __init__(self, rule: Rule, stages: Mapping[str, float], period_s: float) -> None:
        self.rule = rule.name
        self.sign = -1.0 if rule.below else 1.0
        found = []
        for step in rule.steps:
            enter, leave = step.enter.at(stages, period_s), step.leave.at(stages, period_s)
            if enter is not None and leave is not None:
                found.append((step.level, self.sign * enter, self.sign * leave))
        self.levels: list[Level] = [level for level, _, _ in found]
        self.enters = [enter for _, enter, _ in found]
        self.leaves = [min(enter, leave) for _, enter, leave in found]
        self.first = min(self.enters, default=0.0)
        self.for_ms, self.keep_ms = rule.for_ms, rule.keep_ms
        self.gap_ms = round(1000 * (rule.gap.at(stages, period_s) or 0))
        self.counted = rule.quantity in COUNTED
        forecast = rule.derive is not None and rule.derive.form == "forecast"
        self.bad = 1.0 if forecast else self.sign  # in which direction what people are told is worse


_KNOWN: dict[tuple[int, tuple[tuple[str, float], ...], float], tuple[Rule, Terms]] = {}
MOST_KNOWN = 10_000


def terms_of(rule: Rule, node: Node, period_s: float) -> Terms:
    """Return a rule's terms for a node: one object for all nodes with its stages and period."""
    key = (id(rule), tuple(node.stages.items()), period_s)
    known = _KNOWN.get(key)
    if known is None:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        known = _KNOWN[key] = (rule, Terms(rule, node.stages, period_s))  # the rule keeps its id for itself
    return known[1]


class Track:
    """The state of one rule at one node."""

    __slots__ = (
        "anchors",
        "began",
        "episode",
        "free_ms",
        "high",
        "idle",
        "last_ms",
        "left",
        "low",
        "moved",
        "node",
        "on",
        "peak",
        "peak_ms",
        "quantity",
        "terms",
        "told_none",
        "until_ms",
    )  # fmt: skip

    def __init__(self, terms: Terms, quantity: str, node: Node) -> None:
        self.terms, self.quantity, self.node = terms, quantity, node
        self.episode: Episode | None = None
        self.free_ms = 0  # the last episode ended here
        self.moved = False  # since somebody looked: something that must outlive a restart
        self._rest()

    def _rest(self) -> None:
        self.idle = True
        self.began: list[int | None] = []  # one a level, but at rest
        self.left: list[int | None] = []
        self.on: list[bool] = []
        self.last_ms = 0
        self.peak = 0.0
        self.peak_ms = 0
        self.anchors: tuple[int, float, int, float] | None = None
        self.told_none = False
        self.low, self.high, self.until_ms = 0.0, 0.0, 0  # within and until then a value moves nothing

    def _rouse(self) -> None:
        count = len(self.terms.levels)
        self.idle = False
        self.began, self.left, self.on = [None] * count, [None] * count, [False] * count

    def step(
        self,
        t_ms: int,
        value: float,
        live: bool = True,
        shown: float | None = None,
        note: Mapping[str, float] | None = None,
    ) -> Episode | None:
        """Judge a value that counts; return the episode if this changed it.

        shown: what people are told instead of the value (of a forecast: the stage, not the minutes).
        """
        x = value * self.terms.sign
        if self.idle:
            if x < self.terms.first:
                return None
            self._rouse()
        elif self.low <= x < self.high and t_ms < self.until_ms and live:
            self.last_ms = t_ms
            told = value if shown is None else shown
            if (told - self.peak) * self.terms.bad > 0:
                self.peak, self.peak_ms = told, t_ms
            return None
        self.moved = True
        ended = self._no_data_is_over(t_ms, x)
        if self.idle:
            return ended
        self._levels(t_ms, x)
        told = value if shown is None else shown
        self._extremes(t_ms, told)
        self.last_ms = t_ms
        changed = self._tell(t_ms, told, live, note)
        if not self.idle:
            self._settle(t_ms)
        return ended or changed

    def _settle(self, t_ms: int) -> None:
        """Work out within which values, and until when, nothing can happen: the next ones cost little."""
        terms, episode, anchors = self.terms, self.episode, self.anchors
        low, high = -INF, INF
        until_ms = t_ms + REFRESH_MS if anchors is None else anchors[2] + RATE_MS
        if episode is not None:
            until_ms = min(until_ms, episode.updated_ms + REFRESH_MS)
            if not episode.live or episode.level != terms.levels[self._top()]:
                until_ms = 0  # the next live value says more
        for k, enter in enumerate(terms.enters):
            since = self.began[k]
            if self.on[k]:
                low = max(low, terms.leaves[k])
                until_ms = 0 if self.left[k] is not None else until_ms
            elif since is not None:
                low, until_ms = max(low, enter), min(until_ms, since + terms.for_ms, t_ms + terms.gap_ms // 2)
            else:
                high = min(high, enter)
        self.low, self.high, self.until_ms = low, high, until_ms

    def _no_data_is_over(self, t_ms: int, x: float) -> Episode | None:
        if not self.told_none:
            return None
        self.told_none = False
        return self.end(t_ms, None) if x < self.terms.leaves[0] else None

    def _levels(self, t_ms: int, x: float) -> None:
        terms, began, left, on = self.terms, self.began, self.left, self.on
        broken = t_ms - self.last_ms > terms.gap_ms > 0
        for k, enter in enumerate(terms.enters):
            if on[k]:
                if x >= terms.leaves[k]:
                    left[k] = None
                    continue
                since = left[k]
                if since is None:
                    since = left[k] = t_ms
                if t_ms - since >= terms.keep_ms:
                    on[k], began[k] = False, None
            elif x >= enter:
                since = began[k]
                if since is None or broken:
                    since = began[k] = t_ms - round(1000 * (x - enter)) if terms.counted else t_ms
                if t_ms - since >= terms.for_ms:
                    on[k], left[k] = True, None
            else:
                began[k] = None

    def _top(self) -> int:
        """Return which level is the highest that is on, -1 for none."""
        for k in range(len(self.on) - 1, -1, -1):
            if self.on[k]:
                return k
        return -1

    def _extremes(self, t_ms: int, told: float) -> None:
        if self.anchors is None:
            self.anchors = (t_ms, told, t_ms, told)
            self.peak, self.peak_ms = told, t_ms
            return
        if (told - self.peak) * self.terms.bad > 0:
            self.peak, self.peak_ms = told, t_ms
        _, _, later_ms, later = self.anchors
        if t_ms - later_ms >= RATE_MS:
            self.anchors = (later_ms, later, t_ms, told)

    def rate_per_h(self, t_ms: int, told: float) -> float | None:
        """Return how fast the value changed over the last ten minutes or more."""
        if self.anchors is None or t_ms <= self.anchors[0]:
            return None
        return (told - self.anchors[1]) / (t_ms - self.anchors[0]) * 3_600_000

    def _tell(self, t_ms: int, told: float, live: bool, note: Mapping[str, float] | None) -> Episode | None:
        top, episode = self._top(), self.episode
        if top < 0:
            if episode is not None:
                since = max((at for at in self.left if at is not None), default=t_ms)
                return self.end(min(t_ms, since + self.terms.keep_ms), told)
            if not any(at is not None for at in self.began):
                self._rest()
            return None
        level = self.terms.levels[top]
        if episode is None:
            return self._open(t_ms, told, live, note, top)
        if level > episode.level and not live and episode.live:
            level = episode.level  # what comes late wakes nobody; the next live value raises it
        waking = live and not episode.live
        fresh = self.terms.counted or t_ms - episode.updated_ms < REFRESH_MS
        if level == episode.level and not waking and fresh:
            return None
        threshold = self.terms.sign * self.terms.enters[self.terms.levels.index(level)]
        self.episode = Episode(  # hot while an event lasts: `replace` takes twice as long
            rule=episode.rule, node=episode.node, start_ms=episode.start_ms, quantity=episode.quantity,
            level=level, highest=max(level, episode.highest), value=told, peak=self.peak, peak_ms=self.peak_ms,
            updated_ms=t_ms, threshold=threshold, rate_per_h=self.rate_per_h(t_ms, told),
            live=live or episode.live, revision=episode.revision + 1, gateway=episode.gateway,
            told=episode.told, note=note or episode.note,
        )  # fmt: skip
        return self.episode

    def _open(
        self, t_ms: int, told: float | None, live: bool, note: Mapping[str, float] | None, top: int
    ) -> Episode:
        start = min(at for at, on in zip(self.began, self.on, strict=True) if on and at is not None)
        level = self.terms.levels[top]
        self.episode = Episode(
            rule=self.terms.rule, node=str(self.node.id), start_ms=max(start, self.free_ms),
            quantity=self.quantity, level=level, highest=level, value=told,
            peak=None if told is None else self.peak,
            peak_ms=self.peak_ms or t_ms, updated_ms=t_ms, threshold=self.terms.sign * self.terms.enters[top],
            rate_per_h=None if told is None else self.rate_per_h(t_ms, told), live=live,
            gateway=self.node.gateway or "", note=note,
        )  # fmt: skip
        return self.episode

    def end(self, end_ms: int, told: float | None) -> Episode | None:
        """End the open episode, and forget what was pending."""
        episode, self.episode = self.episode, None
        self.moved = True
        found = None
        if episode is not None:
            end_ms = max(end_ms, episode.start_ms)
            found = replace(
                episode, end_ms=end_ms, updated_ms=max(end_ms, episode.updated_ms),
                value=episode.value if told is None else told,
                peak=self.peak if self.anchors else episode.peak,
                peak_ms=self.peak_ms if self.anchors else episode.peak_ms, revision=episode.revision + 1,
            )  # fmt: skip
            self.free_ms = end_ms
        self._rest()
        return found

    def no_value_since(self, now_ms: int, last_ms: int) -> Episode | None:
        """Open an episode because no value came; the next value decides whether it goes on."""
        if self.episode is not None or not self.terms.levels:
            return None
        self._rouse()
        self.told_none, self.moved = True, True
        self.began[0], self.on[0], self.last_ms = last_ms + self.terms.gap_ms, True, last_ms
        return self._open(now_ms, None, True, None, 0)

    @property
    def since_ms(self) -> int | None:
        """When what is open or pending began."""
        if self.episode is not None:
            return self.episode.start_ms
        return min((at for at in self.began if at is not None), default=None)

    def dump(self) -> dict[str, Any] | None:
        """Return what must outlive a restart; None at rest."""
        self.moved = False
        if self.idle:
            return None
        return {
            "began": self.began, "left": self.left, "on": self.on, "last": self.last_ms, "peak": self.peak,
            "peak_ms": self.peak_ms, "anchors": self.anchors, "none": self.told_none,
            "episode": None if self.episode is None else self.episode.to_dict(),
        }  # fmt: skip

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a dump; one of a rule with other levels is not carried on, but its episode is."""
        self._rest()
        self._rouse()
        self.last_ms, self.peak, self.peak_ms = state["last"], state["peak"], state["peak_ms"]
        self.told_none = state["none"]
        self.anchors = None if state["anchors"] is None else tuple(state["anchors"])
        self.episode = None if state["episode"] is None else Episode.from_dict(state["episode"])
        if len(state["began"]) == len(self.terms.levels):
            self.began, self.left, self.on = list(state["began"]), list(state["left"]), list(state["on"])
        elif self.episode is not None:
            self.on[0], self.began[0] = True, self.episode.start_ms
