"""`episode`: an alert as one point, at its episode's start; every change writes the same point again. Pure."""

from __future__ import annotations

from cloud.alerts.alert import Alert
from cloud.stores.protocol import NS_PER_MS
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.protocol.lines import Point
from edge.protocol.series import FieldValue

MEASUREMENT = "episode"


def episode_point(alert: Alert, node: Node | None, label: tuple[str, str], unit: str) -> Point:
    """Return the point of an alert. `label`: the rule's English and Chinese names; `unit`: of its value."""
    episode = alert.episode
    kind = KINDS.get(node.kind) if node is not None else None
    tags = {
        "rule": episode.rule, "kind": node.kind if node is not None else "", "node": episode.node,
        "district": node.district if node is not None else "", "system": kind.system if kind else "",
    }  # fmt: skip
    where_en, where_zh = (node.label_en, node.label_zh) if node is not None else (episode.node, episode.node)
    fields: dict[str, FieldValue] = {
        "level": int(episode.highest),
        "firing": int(episode.is_open),
        "end_ms": episode.end_ms or 0,
        "acknowledged": int(alert.acknowledged_by is not None),
        "title_en": f"{label[0]}: {where_en}",
        "title_zh": f"{where_zh}：{label[1]}",
        "unit": unit,
    }
    value = episode.value if episode.is_open or episode.peak is None else episode.peak
    if value is not None:
        fields["value"] = float(value)
    found = tuple((key, tags[key]) for key in sorted(tags) if tags[key])
    return Point(MEASUREMENT, found, tuple(fields.items()), episode.start_ms * NS_PER_MS)
