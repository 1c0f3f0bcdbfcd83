"""Who a node is and where it stands."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import NewType

from edge.model.errors import ConfigError, IdentityError

NodeId = NewType("NodeId", str)

_NODE_ID = re.compile(r"[a-z][a-z0-9-]{2,31}\Z")
_STAGE = re.compile(r"[a-z][a-z0-9_]{1,31}\Z")


def is_node_id(text: str) -> bool:
    """Tell whether `text` may name a node."""
    return _NODE_ID.match(text) is not None


def node_id(text: str) -> NodeId:
    """Return `text` as a node id (3 to 32 of a-z, 0-9 and '-', a letter first), or raise IdentityError."""
    if not _NODE_ID.match(text):
        raise IdentityError(
            f"not a node id: {text[:64]!r}", remedy="use 3 to 32 of a-z, 0-9 and '-', beginning with a letter"
        )
    return NodeId(text)


NO_STAGES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A registered node: its kind, its names for people, its place (WGS 84, degrees) and its gateway.

    stages: heights in metres that rules refer to: `near_m`, `warning_m` (警戒水位), `guaranteed_m` (保证水位),
    `record_m` (the highest on record), or names of its owner's choice. Said only where there are any.
    """

    id: NodeId
    kind: str
    label_en: str
    label_zh: str
    site: str
    district: str
    lat: float | None = None
    lon: float | None = None
    gateway: str | None = None
    stages: Mapping[str, float] = field(default_factory=lambda: NO_STAGES, hash=False)

    def to_dict(self) -> dict[str, object]:
        """Return the node as the HTTP API and node files write it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "label": {"en": self.label_en, "zh": self.label_zh},
            "site": self.site,
            "district": self.district,
            "lat": self.lat,
            "lon": self.lon,
            "gateway": self.gateway,
            **({"stages": dict(self.stages)} if self.stages else {}),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, object]) -> Node:
        """Read what `to_dict` writes; raise ConfigError naming the field that is wrong."""
        ident = NodeId(sys.intern(node_id(_text(row, "id", "(node)"))))
        label = row.get("label") or {}
        if not isinstance(label, Mapping):
            raise ConfigError(f"node {ident}: label is not a table", remedy='write {"en": ..., "zh": ...}')
        english = str(label.get("en") or ident)
        chinese = str(label.get("zh") or english)
        return cls(
            id=ident,
            kind=sys.intern(_text(row, "kind", ident)),  # a city has many nodes, and few words for them
            label_en=ident if english == ident else english,
            label_zh=english if chinese == english else chinese,
            site=sys.intern(_text(row, "site", ident, default=ident)),
            district=sys.intern(_text(row, "district", ident, default="city")),
            lat=_degrees(row, "lat", ident, 90.0),
            lon=_degrees(row, "lon", ident, 180.0),
            gateway=sys.intern(_text(row, "gateway", ident, default="")) or None,
            stages=_stages(row, ident),
        )


def _text(row: Mapping[str, object], key: str, who: str, default: str | None = None) -> str:
    value = row.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or len(value) > 128 or any(ord(c) < 32 for c in value):
        raise ConfigError(f"node {who}: {key} is missing or no plain text", remedy=f"set {key} to a short text")
    return value


def _degrees(row: Mapping[str, object], key: str, who: str, limit: float) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -limit <= value <= limit:
        raise ConfigError(f"node {who}: {key} is not within ±{limit:g}", remedy="give degrees, WGS 84")
    return float(value)


def _stages(row: Mapping[str, object], who: str) -> Mapping[str, float]:
    value = row.get("stages") or NO_STAGES
    if not isinstance(value, Mapping):
        raise ConfigError(f"node {who}: stages is not a table", remedy='write {"warning_m": 3.3, ...}')
    for name, height in value.items():
        if not isinstance(name, str) or not _STAGE.match(name):
            raise ConfigError(f"node {who}: {name!r} is no name of a stage", remedy="write it like warning_m")
        if isinstance(height, bool) or not isinstance(height, int | float) or not isfinite(height):
            raise ConfigError(f"node {who}: stages.{name} is no number", remedy="give metres, as 3.3")
    return {name: float(height) for name, height in value.items()} if value else NO_STAGES
