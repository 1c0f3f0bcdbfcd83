"""An alert: an episode and its life in the cloud: who was told, who took it on, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from edge.model.alert import Episode, EpisodeKey, Level

CITY = "city"
"""Who the cloud itself is in the audit."""


OVER = "over"
"""What a gateway puts in the place of a level when it told people that an episode is over."""
LEVEL_WORDS = frozenset(level.word for level in Level)


class State(StrEnum):
    """Where an alert stands for the people who work on it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Mark(NamedTuple):
    """That a channel was told, up to which level, and when by the cloud's clock."""

    level: Level
    time_ms: int


class Step(NamedTuple):
    """A step in the life of an alert, as the audit keeps it."""

    alert: int
    time_ms: int
    who: str
    step: str
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """An episode and its life. All times but the episode's own are of the cloud's clock.

    taken_ms: first heard of here; risen_ms: heard that it reached its highest level; over_ms: heard of its
    end. told: by channel, the highest level told there. escalated: by number of the escalation, the level it
    was made at. muted_level: what is above it breaks the mute. cause: the alert it is folded under.
    waits_until_ms: nobody is told before (the grace of a node whose gateway came back). follows: the alert of
    the same rule and node that it goes on with, soon after that one ended. over_told: the channels that know
    of its end. settled: nothing more will come.
    """

    id: int
    episode: Episode
    taken_ms: int
    risen_ms: int
    over_ms: int | None = None
    told: Mapping[str, Mark] = field(default_factory=dict)
    escalated: Mapping[str, int] = field(default_factory=dict)
    acknowledged_by: str | None = None
    acknowledged_ms: int | None = None
    assigned: str | None = None
    muted_until_ms: int | None = None
    muted_level: int = 0
    closed_by: str | None = None
    closed_ms: int | None = None
    cause: int | None = None
    waits_until_ms: int = 0
    follows: int | None = None
    over_told: tuple[str, ...] = ()
    settled: bool = False

    @property
    def key(self) -> EpisodeKey:
        """The identity of its episode."""
        return self.episode.key

    @property
    def subject(self) -> tuple[str, str]:
        """Rule and node: two alerts of one subject at one time are one event."""
        return self.episode.rule, self.episode.node

    @property
    def lasts(self) -> bool:
        """Whether its episode is open, whatever people made of it."""
        return self.episode.is_open

    @property
    def is_open(self) -> bool:
        """Whether it stands in the inbox: it lasts, and nobody closed it."""
        return self.lasts and self.closed_ms is None

    @property
    def told_by_gateway(self) -> int:
        """The highest level that a gateway told by its own channel, 0 for none."""
        words = (sent.level for sent in self.episode.told)
        return max((Level.of(word) for word in words if word in LEVEL_WORDS), default=0)

    @property
    def end_told_by_gateway(self) -> bool:
        """Whether a gateway told by its own channel that it is over."""
        return any(sent.level == OVER for sent in self.episode.told)

    def told_level(self, channel: str) -> int:
        """The highest level that a channel's readers know of, 0 for none; what a gateway told, all know."""
        mark = self.told.get(channel)
        return max(mark.level if mark else 0, self.told_by_gateway)

    def mutes(self, now_ms: int) -> bool:
        """Whether a person wants to hear nothing more of it at this level."""
        until_ms = self.muted_until_ms
        return until_ms is not None and now_ms < until_ms and self.episode.highest <= self.muted_level

    def state(self, now_ms: int) -> State:
        """Return where it stands."""
        if self.closed_ms is not None:
            return State.CLOSED
        if not self.lasts:
            return State.RESOLVED
        if self.mutes(now_ms):
            return State.MUTED
        return State.OPEN if self.acknowledged_by is None else State.ACKNOWLEDGED
