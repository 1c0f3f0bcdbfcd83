"""A notice: that a channel has to be told something of some alerts. Which words, the channel's messages say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.model.alert import Level


class Reason(StrEnum):
    """Why somebody is told."""

    OPENED = "opened"
    ROSE = "rose"
    UPDATE = "update"
    """More of what was told a moment ago: same rule, same district."""
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What has to be sent on one channel: about these alerts (the first is the worst), at this level.

    was: the level that its readers knew of before, 0 for none; of an escalation its number, from 1. digest: the
    number of the notice whose digest tells it, when the channel's limit left it no message of its own.
    """

    id: int
    channel: str
    reason: Reason
    level: Level
    was: int = 0
    made_ms: int
    alerts: tuple[int, ...]
    digest: int | None = None
