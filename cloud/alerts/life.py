"""What happens to an alert: news of its episode, and what people do; each with its step for the audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cloud.alerts.alert import CITY, Alert, Step
from edge.model.alert import Episode

Lived = tuple[Alert, list[Step]]
MINUTE_MS = 60_000


def opened(ident: int, episode: Episode, now_ms: int, *, follows: Alert | None = None) -> Lived:
    """Return the alert of an episode that was not known.

    `follows` is the alert of the same rule and node that it goes on with: who was told of that one, took it
    on or muted it, did so for this one as well.
    """
    alert = Alert(
        id=ident,
        episode=episode,
        taken_ms=now_ms,
        risen_ms=now_ms,
        over_ms=None if episode.is_open else now_ms,
    )
    steps = [Step(ident, episode.start_ms, _source(episode), "opened", episode.highest.word)]
    if follows is not None:
        steps.append(Step(ident, now_ms, CITY, "follows", f"#{follows.id}"))
        alert = replace(
            alert,
            follows=follows.id,
            told=follows.told,
            escalated=follows.escalated,
            assigned=follows.assigned,
            muted_until_ms=follows.muted_until_ms,
            muted_level=follows.muted_level,
        )
        if episode.highest <= follows.episode.highest:
            alert = replace(
                alert, acknowledged_by=follows.acknowledged_by, acknowledged_ms=follows.acknowledged_ms
            )
    steps += _told(ident, episode, None)
    if not episode.is_open:
        steps.append(_resolved(ident, episode))
    return alert, steps


def updated(alert: Alert, episode: Episode, now_ms: int) -> Lived:
    """Return the alert after news of its episode; news that is older than what is known adds what was told.

    A rise above what was acknowledged, muted or closed opens the alert again: it is another danger than the
    one that somebody took on.
    """
    before, after = alert.episode, alert.episode.merged(episode)
    if after.highest < before.highest:  # what was seen was seen, whatever a source that began anew says
        after = replace(after, highest=before.highest)
    if after == before:
        return alert, []
    steps = _told(alert.id, after, before)
    alert = replace(alert, episode=after, settled=False)
    if after.highest > before.highest:
        steps.append(Step(alert.id, after.updated_ms, _source(after), "rose", after.highest.word))
        alert = replace(
            alert, risen_ms=now_ms, acknowledged_by=None, acknowledged_ms=None, closed_by=None, closed_ms=None
        )
    elif after.level != before.level:
        word = "rose" if after.level > before.level else "fell"
        steps.append(Step(alert.id, after.updated_ms, _source(after), word, after.level.word))
    if before.is_open and not after.is_open:
        steps.append(_resolved(alert.id, after))
        alert = replace(alert, over_ms=now_ms)
    elif after.is_open and not before.is_open:
        steps.append(Step(alert.id, after.updated_ms, _source(after), "reopened", after.level.word))
        told = {channel: mark for channel, mark in alert.told.items() if channel not in alert.over_told}
        alert = replace(alert, over_ms=None, told=told, over_told=())  # who thinks it over is told again
    return alert, steps


def acknowledge(alert: Alert, who: str, text: str, now_ms: int) -> Lived:
    """Somebody takes note: the escalation ends."""
    changed = replace(alert, acknowledged_by=who, acknowledged_ms=now_ms)
    return changed, [Step(alert.id, now_ms, who, "acknowledged", text)]


def assign(alert: Alert, who: str, to: str, text: str, now_ms: int) -> Lived:
    """Somebody is to see to it; an empty name takes the assignment back."""
    note = f"{to}: {text}" if text else to
    return replace(alert, assigned=to or None), [Step(alert.id, now_ms, who, "assigned", note)]


def comment(alert: Alert, who: str, text: str, now_ms: int) -> Lived:
    """Somebody has something to say."""
    return alert, [Step(alert.id, now_ms, who, "commented", text)]


def mute(alert: Alert, who: str, minutes: int, text: str, now_ms: int) -> Lived:
    """Nobody is told more of it for so long, unless it rises; 0 minutes end the mute."""
    changed = replace(
        alert,
        muted_until_ms=now_ms + minutes * MINUTE_MS if minutes else None,
        muted_level=alert.episode.highest if minutes else 0,
    )
    return changed, [
        Step(alert.id, now_ms, who, "muted", f"{minutes} min: {text}" if text else f"{minutes} min")
    ]


def close(alert: Alert, who: str, text: str, now_ms: int) -> Lived:
    """Somebody has done with it, whether it lasts or not: no more messages, unless it rises."""
    changed = replace(alert, closed_by=who, closed_ms=now_ms)
    return changed, [Step(alert.id, now_ms, who, "closed", text)]


def _source(episode: Episode) -> str:
    return episode.gateway or CITY


def _resolved(ident: int, episode: Episode) -> Step:
    return Step(ident, episode.end_ms or episode.updated_ms, _source(episode), "resolved")


def _told(ident: int, after: Episode, before: Episode | None) -> list[Step]:
    known: Iterable[object] = before.told if before is not None else ()
    return [
        Step(ident, sent.time_ms, _source(after), "notified", f"{sent.channel}: {sent.level}")
        for sent in after.told
        if sent not in set(known)
    ]
