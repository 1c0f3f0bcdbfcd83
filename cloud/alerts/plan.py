"""The plan: of these alerts, who has to be told what, now; and when each has to be looked at again. Pure.

Who was told what is part of the alert. So the plan asks only what is lacking, and it does not matter how often
it is made, in which order news came, or whether the cloud was restarted in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cloud.alerts.alert import Alert, Mark
from cloud.alerts.book import Draft
from cloud.alerts.ends import tell_ends
from cloud.alerts.escalate import escalate
from cloud.alerts.facts import Facts, Group, Recent
from cloud.alerts.fold import fold
from cloud.alerts.hush import LOOK_AGAIN_MS, hushed_until_ms
from cloud.alerts.notice import Reason
from edge.model.alert import Level

RISES_OF_THEIR_OWN = 3
"""So many alerts of a group may rise within its window with a message each; more are gathered."""


def plan(draft: Draft, idents: Iterable[int], facts: Facts) -> dict[int, int]:
    """Put into the draft what has to be told; return when (epoch ms) each alert has to be looked at again."""
    looks: dict[int, int] = {}
    at_hand = fold(draft, idents, facts)
    waiting = _tell_news(draft, at_hand, facts, looks)
    escalate(draft, at_hand, facts, looks)
    tell_ends(draft, at_hand, facts, looks, waiting)
    for ident in at_hand:
        alert = draft.get(ident)
        if alert is not None and not alert.settled:
            again_ms = (draft.now_ms // LOOK_AGAIN_MS + 1) * LOOK_AGAIN_MS
            looks[ident] = min(looks.get(ident, again_ms), again_ms)
    return looks


def _tell_news(draft: Draft, idents: Iterable[int], facts: Facts, looks: dict[int, int]) -> set[int]:
    """Tell of what rose above what a channel knows; return what waits to be told."""
    groups: dict[Group, list[Alert]] = {}
    for ident in idents:
        for group in _lacking(draft, ident, facts, looks):
            groups.setdefault(group, []).append(draft.alert(ident))
    waiting: set[int] = set()
    for group, alerts in groups.items():
        later = _tell_group(draft, group, alerts, facts, looks)
        waiting |= later
        draft.wait(group, later)
    return waiting


def _lacking(draft: Draft, ident: int, facts: Facts, looks: dict[int, int]) -> list[Group]:
    """Return the groups that do not know of an alert, or not how bad it got, and are to be told."""
    alert = draft.get(ident)
    if alert is None or alert.settled or not _is_news(alert, draft, facts, looks):
        return []
    return [
        Group(channel, alert.episode.rule, facts.district(alert))
        for channel, held in facts.wanted(alert, draft.now_ms)
        if alert.told_level(channel) < alert.episode.highest
        and not _told_of_twin(draft, ident, channel)
        and not held
    ]


def _with_company(
    draft: Draft, group: Group, alerts: Sequence[Alert], facts: Facts, looks: dict[int, int]
) -> list[Alert]:
    """Return these alerts of a group that is told now, and those that waited for it to be told."""
    known = {alert.id for alert in alerts}
    company = [
        draft.alert(ident)
        for ident in draft.waiting_for(group)
        if ident not in known and group in _lacking(draft, ident, facts, looks)
    ]
    return [*alerts, *company]


def _is_news(alert: Alert, draft: Draft, facts: Facts, looks: dict[int, int]) -> bool:
    until_ms = hushed_until_ms(alert, draft.book.windows.values(), facts, draft.now_ms)
    if until_ms is not None:
        looks[alert.id] = until_ms
        return False
    if alert.lasts:
        return True
    end_ms = alert.episode.end_ms or 0
    return not facts.is_slow(alert) and end_ms > draft.now_ms - facts.config.tell_within_h * 3_600_000


def _told_of_twin(draft: Draft, ident: int, channel: str) -> bool:
    """Whether the channel knows of another alert of this rule and node that lasts: it is the same event."""
    alert = draft.alert(ident)
    for twin in draft.of(alert.subject):
        if twin.id != ident and twin.lasts and twin.told_level(channel) >= alert.episode.highest:
            mark = twin.told.get(channel, Mark(alert.episode.highest, draft.now_ms))
            draft.put(replace(alert, told={**alert.told, channel: mark}))
            return True
    return False


def _tell_group(
    draft: Draft, group: Group, alerts: Sequence[Alert], facts: Facts, looks: dict[int, int]
) -> set[int]:
    """Tell a group what is due; return the alerts that wait."""
    now_ms, window_ms = draft.now_ms, round(facts.config.group_window_s * 1_000)
    recent = draft.recent(group)
    if recent is not None and now_ms >= recent.time_ms + window_ms:
        recent = None
    ready_ms = 0
    if facts.is_slow(alerts[0]):
        ready_ms = min(alert.risen_ms for alert in alerts) + round(facts.config.group_wait_s * 1_000)
    else:
        alerts, recent = _tell_rises(draft, group, alerts, recent)
    level = max((alert.episode.highest for alert in alerts), default=Level.BLUE)
    if recent is not None and level <= recent.level:
        ready_ms = max(ready_ms, recent.time_ms + window_ms)
    if not alerts:
        return set()
    if now_ms >= ready_ms:
        alerts = _with_company(draft, group, alerts, facts, looks)
        level = max(alert.episode.highest for alert in alerts)
        _tell(draft, group, alerts, Reason.UPDATE if recent is not None else Reason.OPENED)
        draft.groups[group] = Recent(now_ms, level, 0 if recent is None else recent.rises)
        return set()
    for alert in alerts:
        looks[alert.id] = min(looks.get(alert.id, ready_ms), ready_ms)
    return {alert.id for alert in alerts}


def _tell_rises(
    draft: Draft, group: Group, alerts: Sequence[Alert], recent: Recent | None
) -> tuple[list[Alert], Recent | None]:
    """Tell of alerts that rose above what was told of them, a message each; return the others."""
    rose = [alert for alert in alerts if alert.lasts and alert.told_level(group.channel)]
    rises = len(rose) + (recent.rises if recent is not None else 0)
    if not rose or rises > RISES_OF_THEIR_OWN:
        return list(alerts), recent
    for alert in sorted(rose, key=lambda alert: -alert.episode.highest):
        _tell(draft, group, [alert], Reason.ROSE)
    level = max(alert.episode.highest for alert in rose)
    if recent is None:
        recent = Recent(draft.now_ms, level, rises)
    else:
        recent = Recent(recent.time_ms, max(level, recent.level), rises)
    draft.groups[group] = recent
    return [alert for alert in alerts if alert not in rose], recent


def _tell(draft: Draft, group: Group, alerts: Sequence[Alert], reason: Reason) -> None:
    """Write a notice of these alerts, one for each rule and node, and note in all of them that it was told."""
    shown: dict[tuple[str, str], Alert] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.lasts, alert.episode.highest)):
        shown[alert.subject] = alert  # of twins the one that lasts, and the worst, stands for both
    listed = sorted(shown.values(), key=lambda alert: (-alert.episode.highest, not alert.lasts, alert.id))
    was = listed[0].told_level(group.channel) if len(listed) == 1 else 0
    if len(listed) == 1 and not listed[0].lasts:
        reason = Reason.RESOLVED
    elif was:
        reason = Reason.ROSE
    draft.tell(group.channel, reason, listed[0].episode.highest, [alert.id for alert in listed], was=was)
    for alert in alerts:
        mark = Mark(alert.episode.highest, draft.now_ms)
        known = draft.get(alert.id) or alert
        over = known.over_told if alert.lasts else (*known.over_told, group.channel)
        draft.put(replace(known, told={**known.told, group.channel: mark}, over_told=over))
