"""What late data shows of the past: episodes that complete history, beside those already known.

Late readings (older than the newest of their node) run through a track of their own. Nothing it finds is live,
and nothing overlaps what is known: a late reading inside a known episode changes at most its peak.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.model.alert import Episode
from edge.rules.track import Track

REMEMBERED = 8  # the newest episodes whose spans are kept; what is older than these cannot be told any more


class Past:
    """The late readings of one rule at one node."""

    __slots__ = ("spans", "terms", "touched", "track")

    def __init__(self, live: Track) -> None:
        self.terms = live.terms
        self.track = Track(live.terms, live.quantity, live.node)
        self.spans: list[tuple[int, int]] = []
        self.touched = False

    def remember(self, episode: Episode) -> None:
        """Keep the span of an episode that ended."""
        if episode.end_ms is not None:
            self.spans = sorted([*self.spans, (episode.start_ms, episode.end_ms)])[-REMEMBERED:]

    def take(self, t_ms: int, value: float, live: Track) -> list[Episode]:
        """Judge a late value that counts; return episodes that are over."""
        known = live.since_ms
        if known is not None and t_ms >= known:
            return self._peak(t_ms, value, live)
        if len(self.spans) == REMEMBERED and t_ms < self.spans[0][0]:
            return []
        if any(start <= t_ms <= end for start, end in self.spans):
            return []
        found = []
        track = self.track
        if not track.idle:
            apart = t_ms - track.last_ms > self.terms.gap_ms > 0
            crossed = any(track.last_ms < start <= t_ms for start, _ in self.spans)
            if t_ms <= track.last_ms or apart or crossed:
                found += self.close(known)
        self.touched = True
        changed = track.step(t_ms, value, live=False)
        if changed is not None and not changed.is_open:
            found += self._told(changed, known)
        return found

    def _peak(self, t_ms: int, value: float, live: Track) -> list[Episode]:
        episode = live.episode
        if episode is None or (value - live.peak) * self.terms.bad <= 0 or live.anchors is None:
            return []
        live.peak, live.peak_ms = value, t_ms
        live.episode = replace(episode, peak=value, peak_ms=t_ms, revision=episode.revision + 1)
        return [live.episode]

    def close(self, known_ms: int | None) -> list[Episode]:
        """End what is open at its last evidence: no more late readings follow it."""
        self.touched = False
        ended = self.track.end(self.track.last_ms, None)
        return [] if ended is None else self._told(ended, known_ms)

    def _told(self, episode: Episode, known_ms: int | None) -> list[Episode]:
        """Return the episode, cut where the next known one begins; its first revision is its only one."""
        assert episode.end_ms is not None
        limits = [start for start, _ in self.spans if start >= episode.start_ms]
        if known_ms is not None and known_ms >= episode.start_ms:
            limits.append(known_ms)
        end_ms = min([episode.end_ms, *limits])
        told = replace(episode, end_ms=end_ms, updated_ms=end_ms, revision=1)
        if any(start < end_ms and told.start_ms < end for start, end in self.spans) or told.start_ms in (
            start for start, _ in self.spans
        ):
            return []
        self.remember(told)
        return [told]

    def dump(self) -> dict[str, Any] | None:
        """Return what must outlive a restart; None where there is nothing."""
        state = self.track.dump()
        if state is None and not self.spans:
            return None
        return {"spans": self.spans, "track": state, "touched": self.touched}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a dump."""
        self.spans = [(start, end) for start, end in state["spans"]]
        self.touched = state["touched"]
        if state["track"] is not None:
            self.track.load(state["track"])
