"""Why nobody is told of an alert now: history, a person's wish, work on the site, or another alert says it."""

from __future__ import annotations

from collections.abc import Iterable

from cloud.alerts.alert import Alert
from cloud.alerts.facts import Facts
from cloud.alerts.maintenance import Window

LOOK_AGAIN_MS = 30_000
"""What lasts is looked at so often, on the full half minute, so that what is due together is told together."""
NEVER_MS = 2**62


def hushed_until_ms(alert: Alert, windows: Iterable[Window], facts: Facts, now_ms: int) -> int | None:
    """Return until when nobody is to be told of an alert, None if people may be told."""
    if not alert.episode.live or alert.closed_ms is not None or alert.cause is not None:
        return NEVER_MS
    if alert.mutes(now_ms):
        return alert.muted_until_ms
    if now_ms < alert.waits_until_ms:
        return alert.waits_until_ms
    window = maintained(alert, windows, facts, now_ms)
    return window.until_ms if window is not None else None


def maintained(alert: Alert, windows: Iterable[Window], facts: Facts, at_ms: int) -> Window | None:
    """Return the maintenance window that covered an alert at a time, None if there was none."""
    return next(
        (
            window
            for window in windows
            if window.covers(
                node=alert.episode.node,
                gateway=facts.gateway(alert),
                district=facts.district(alert),
                rule=alert.episode.rule,
                now_ms=at_ms,
            )
        ),
        None,
    )
