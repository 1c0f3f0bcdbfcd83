"""An alert as the API, the live stream and the wall show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from cloud.alerts.alert import Alert, State
from edge.model.alert import Level
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quantities import QUANTITIES

SIGNAL_UNITS = {"silence_s": "s", "doubt_s": "s"}
"""Units of what every node has beside its quantities; see edge.rules."""


def shown(
    alert: Alert, *, node: Node | None, label: tuple[str, str], rule_unit: str, folded: int, now_ms: int
) -> dict[str, Any]:
    """Return an alert for people.

    node: None where it is not registered. label: the rule's names; rule_unit: that of what it derives, or "".
    """
    episode = alert.episode
    ident = episode.node
    kind = KINDS.get(node.kind) if node is not None else None
    return {
        "id": alert.id,
        "rule": episode.rule,
        "label": {"en": label[0], "zh": label[1]},
        "node": ident,
        "node_label": {"en": node.label_en, "zh": node.label_zh} if node else {"en": ident, "zh": ident},
        "kind": node.kind if node else None,
        "system": kind.system if kind else None,
        "site": node.site if node else None,
        "district": node.district if node else None,
        "gateway": episode.gateway or (node.gateway if node else None),
        "quantity": episode.quantity,
        "unit": rule_unit or unit(episode.quantity),
        "level": episode.level.word,
        "highest": episode.highest.word,
        "value": episode.value,
        "threshold": episode.threshold,
        "peak": episode.peak,
        "peak_ms": episode.peak_ms,
        "rate_per_h": episode.rate_per_h,
        "start_ms": episode.start_ms,
        "end_ms": episode.end_ms,
        "updated_ms": episode.updated_ms,
        "live": episode.live,
        "state": alert.state(now_ms).value,
        "assigned": alert.assigned,
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_ms": alert.acknowledged_ms,
        "muted_until_ms": alert.muted_until_ms,
        "closed_by": alert.closed_by,
        "closed_ms": alert.closed_ms,
        "told": sorted({*alert.told, *(sent.channel for sent in episode.told)}),
        "cause": alert.cause,
        "follows": alert.follows,
        "folded": folded,
        "note": dict(episode.note or {}),
    }


def unit(quantity: str) -> str:
    """Return the unit of a quantity or signal, "" for a number without one."""
    known = QUANTITIES.get(quantity)
    return known.unit if known is not None else SIGNAL_UNITS.get(quantity, "")


def counts(alerts: Iterable[Alert], now_ms: int) -> dict[str, int]:
    """Return how many alerts stand open by level, and how many of them nobody has acknowledged or muted.

    Those folded under another one, and history, are not counted: nobody has to see to them.
    """
    found: Counter[str] = Counter()
    for alert in alerts:
        if alert.is_open and alert.cause is None and alert.episode.live:
            found[alert.episode.level.word] += 1
            found["unacknowledged"] += alert.state(now_ms) is State.OPEN
    return {name: found[name] for name in (*(level.word for level in reversed(Level)), "unacknowledged")}
