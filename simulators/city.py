"""The district: its rivers, streets and parks, and every node that stands in it, from one file and one seed."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.node import Node, NodeId, node_id
from simulators.physics.chance import unit

YANGPU = Path(__file__).with_name("yangpu.toml")
_M_PER_DEGREE = 111_320.0
_LAMP_KERB_M = 9.0

Point = tuple[float, float]
"""(lon, lat), degrees, WGS 84."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A river, street, park or boundary as the map draws it; `traits` are what the physics need of it."""

    layer: str
    key: str
    zh: str
    en: str
    points: tuple[Point, ...]
    width_m: float | None = None
    traits: Mapping[str, float] = field(default_factory=dict)

    @property
    def length_m(self) -> float:
        """The length along the line."""
        return sum(distance_m(a, b) for a, b in zip(self.points, self.points[1:], strict=False))

    def at(self, share: float, offset_m: float = 0.0) -> Point:
        """Return the point at a share (0 to 1) of the length, set off to the left by `offset_m`."""
        left_m = max(0.0, min(1.0, share)) * self.length_m
        for a, b in zip(self.points, self.points[1:], strict=False):
            step_m = distance_m(a, b)
            if left_m <= step_m:
                part = left_m / step_m if step_m else 0.0
                east, north = (b[0] - a[0]) * _east_m(a), (b[1] - a[1]) * _M_PER_DEGREE
                norm = math.hypot(east, north) or 1.0
                lon = a[0] + (b[0] - a[0]) * part - north / norm * offset_m / _east_m(a)
                lat = a[1] + (b[1] - a[1]) * part + east / norm * offset_m / _M_PER_DEGREE
                return lon, lat
            left_m -= step_m
        return self.points[-1]

    def feature(self) -> dict[str, Any]:
        """Return the line as a GeoJSON feature."""
        closed = self.layer in ("park", "boundary")
        points = [list(point) for point in self.points]
        properties: dict[str, Any] = {
            "layer": self.layer,
            "key": self.key,
            "name": {"en": self.en, "zh": self.zh},
        }
        if self.width_m is not None:
            properties["width_m"] = self.width_m
        return {
            "type": "Feature",
            "properties": properties,
            "geometry": {
                "type": "Polygon" if closed else "LineString",
                "coordinates": [points] if closed else points,
            },
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """A district: the same file and seed give the same district, to the last lamp."""

    seed: int
    name: Mapping[str, str]
    district: str
    center: tuple[float, float]
    zoom: int
    utc_offset_h: float
    lines: tuple[Line, ...]
    nodes: tuple[Node, ...]
    """What the simulation speaks for."""
    centre: Node
    """The place of the gateway; the gateway speaks for itself."""
    traits: Mapping[NodeId, Mapping[str, Any]]

    def map(self) -> dict[str, Any]:
        """Return the map as the HTTP API has it."""
        return {
            "name": dict(self.name),
            "center": list(self.center),
            "zoom": self.zoom,
            "features": {"type": "FeatureCollection", "features": [line.feature() for line in self.lines]},
        }

    def of_kind(self, kind: str) -> tuple[Node, ...]:
        """Return the nodes of a kind."""
        return tuple(node for node in self.nodes if node.kind == kind)


def load_city(
    seed: int = 1, *, path: Path = YANGPU, gateway: str = "gw-yangpu", lamps: int | None = None
) -> City:
    """Build the district; `lamps` overrides how many street lamps it has. Raises ConfigError."""
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"city file {path.name}: {error}", remedy="compare it with simulators/yangpu.toml"
        ) from None
    lines = tuple(_line(row) for row in plan["line"])
    along = {
        kind: row | {"count": lamps} if kind == "streetlight" and lamps is not None else row
        for kind, row in plan["along"].items()
    }
    rows = [*_stations(plan, lines), *_along(along, lines, seed)]
    centre = plan["centre"]
    return City(
        seed=seed,
        name=plan["name"],
        district=plan["district"],
        center=(plan["center"][0], plan["center"][1]),
        zoom=plan["zoom"],
        utc_offset_h=plan["utc_offset_h"],
        lines=lines,
        nodes=tuple(_node(row, plan["district"], gateway) for row in rows),
        centre=_node(
            {**centre, "id": gateway, "kind": "gateway", "site": "centre", "point": tuple(centre["at"])},
            plan["district"],
            gateway,
        ),
        traits={row["id"]: row for row in rows},
    )


def distance_m(a: Point, b: Point) -> float:
    """Return the distance of two near points, metres."""
    return math.hypot((b[0] - a[0]) * _east_m(a), (b[1] - a[1]) * _M_PER_DEGREE)


def _east_m(point: Point) -> float:
    return _M_PER_DEGREE * math.cos(math.radians(point[1]))


def _line(row: Mapping[str, Any]) -> Line:
    return Line(
        layer=row["layer"],
        key=row["key"],
        zh=row["zh"],
        en=row["en"],
        points=tuple((lon, lat) for lon, lat in row["points"]),
        width_m=row.get("width_m"),
        traits=row.get("water", {}),
    )


def _stations(plan: Mapping[str, Any], lines: tuple[Line, ...]) -> Iterator[dict[str, Any]]:
    by_key = {line.key: line for line in lines}
    for kind, rows in plan["stations"].items():
        if kind not in KINDS:
            raise ConfigError(f"city file: unknown kind {kind!r}", remedy=f"one of {', '.join(KINDS)}")
        for row in rows:
            line = by_key[row["on"]] if "on" in row else None
            point = line.at(row["share"]) if line else (row["at"][0], row["at"][1])
            yield {
                **(line.traits if line else {}),
                **row,
                "kind": kind,
                "site": line.key if line else row["id"],
                "point": point,
            }


def _along(plan: Mapping[str, Any], lines: tuple[Line, ...], seed: int) -> Iterator[dict[str, Any]]:
    streets = [line for line in lines if line.layer == "street"]
    total_m = sum(street.length_m for street in streets)
    for kind, rule in plan.items():
        count = rule["count"]
        counted = dict.fromkeys((street.key for street in streets), 0)
        for index in range(count):
            # every kind begins elsewhere, so that meters do not stand in the lamps
            shift = 0.5 if kind == "streetlight" else unit(seed, "along", kind)
            street, share = _spot(streets, (index + shift) / count * total_m)
            counted[street.key] += 1
            number = counted[street.key]
            side = 1 if index % 2 else -1
            jitter = unit(seed, kind, index)
            yield {
                "id": f"{rule['prefix']}-{index + 1:0{max(3, len(str(count)))}}",
                "kind": kind,
                "site": street.key,
                "point": street.at(share, side * (_LAMP_KERB_M if kind == "streetlight" else 15 + 25 * jitter)),
                "zh": rule["zh"].format(street=street.zh, n=number),
                "en": rule["en"].format(street=street.en, n=number),
            }


def _spot(streets: list[Line], way_m: float) -> tuple[Line, float]:
    for street in streets:
        if way_m < street.length_m:
            return street, way_m / street.length_m
        way_m -= street.length_m
    return streets[-1], 1.0


STAGED = ("water_level", "sluice_gate")


def _node(row: Mapping[str, Any], district: str, gateway: str) -> Node:
    lon, lat = row["point"]
    return Node(
        id=node_id(row["id"]),
        kind=row["kind"],
        label_en=row["en"],
        label_zh=row["zh"],
        site=row["site"],
        district=district,
        lat=round(lat, 6),
        lon=round(lon, 6),
        gateway=gateway,
        stages=row.get("stages", {}) if row["kind"] in STAGED else {},
    )
