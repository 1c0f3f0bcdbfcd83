"""Sparkplug B 3.0, which industrial sites speak: a host that listens, and payloads for those who publish."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edge.adapters.adapter import Adapter, Case, Clock, Decode, Hear, Ids
from edge.adapters.report import Word
from edge.adapters.sparkplug.host import HISTORICAL, Host
from edge.adapters.sparkplug.payload import BITS, Metric, decode, number
from edge.adapters.sparkplug.topic import parse
from edge.model.quantities import QUANTITIES


def hear(options: Mapping[str, Any], clock: Clock) -> Hear:
    """Return a host: devices are `group/edge node` and `group/edge node/device`."""
    return Host(clock)


def _shown(metric: Metric) -> dict[str, Any]:
    value = number(metric, metric.datatype) if metric.datatype in BITS else metric.value
    if isinstance(value, bytes):
        value = value.hex().upper()
    elif isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    shown = {
        "name": metric.name or None,
        "alias": metric.alias,
        "timestamp": metric.time_ms,
        "datatype": metric.datatype,
        "quality": metric.quality,
        "historical": metric.historical or None,
        "null": metric.null or None,
    }
    return {key: found for key, found in shown.items() if found is not None} | {"value": value}


def _decode(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if case.topic:
        topic = parse(case.topic)
        found = {"type": topic.type.value, "group": topic.group, "edge": topic.edge, "device": topic.device}
    payload = decode(case.raw)
    return found | {
        "timestamp": payload.time_ms,
        "seq": payload.seq,
        "metrics": [_shown(metric) for metric in payload.metrics],
    }


def decoder() -> Decode:
    """Return the decoder of `cityneuron decode sparkplug`; aliases stay as they are."""
    return _decode


ADAPTER = Adapter(
    decoder=decoder,
    words={name: Word(name) for name in QUANTITIES},
    hear=hear,
    ids=Ids(r"[^/]+/[^/]+(/[^/]+)?", "group/edge node, or group/edge node/device"),
    series=frozenset((HISTORICAL,)),
)
