"""Taking episodes: each finds its alert, or becomes one, or goes on with one that ended just now. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cloud.alerts import life
from cloud.alerts.alert import Alert
from cloud.alerts.book import Draft
from cloud.alerts.facts import Facts
from cloud.alerts.notice import Reason
from edge.model.alert import Episode


def take(draft: Draft, episodes: Iterable[Episode], facts: Facts) -> list[int]:
    """Put episodes into the draft; return the alerts that are new or changed.

    News of known episodes goes first: the end of one may be what tells the next one from it.
    """
    changed: dict[int, None] = {}
    for episode in sorted(episodes, key=lambda episode: draft.keyed(episode.key) is None):
        known = draft.keyed(episode.key)
        if known is None:
            ident = draft.next_id()
            before = _goes_on_with(draft, episode, facts) if episode.live else None
            draft.put(*life.opened(ident, episode, draft.now_ms, follows=before))
            changed[ident] = None
            continue
        after, steps = life.updated(known, episode, draft.now_ms)
        if after is not known:
            draft.put(after, steps)
            changed[known.id] = None
            if after.told_by_gateway > known.told_by_gateway:
                _drop(draft, after)
    return list(changed)


def _goes_on_with(draft: Draft, episode: Episode, facts: Facts) -> Alert | None:
    """Return the alert of the same rule and node that lasts, or ended a moment before, None if there is none.

    Not one whose end was told: who thinks it over has to hear of the next one.
    """
    near_ms = facts.config.settle_s * 1_000
    for alert in reversed(draft.of((episode.rule, episode.node))):
        end_ms = alert.episode.end_ms
        near = end_ms is None or (
            episode.start_ms - end_ms <= near_ms
            and alert.episode.start_ms - (episode.end_ms or 2**62) <= near_ms
        )
        if alert.episode.live and near and not alert.settled and not alert.over_told:
            return alert
    return None


def _drop(draft: Draft, alert: Alert) -> None:
    """Take back what has not been sent yet and what a gateway told meanwhile."""
    for notice in draft.book.notices.values():
        if (
            notice.alerts == (alert.id,)
            and notice.reason in (Reason.OPENED, Reason.ROSE)
            and notice.level <= alert.told_by_gateway
        ):
            draft.dropped[notice.id] = "a gateway told it"
