"""Nodes, kinds and the map: what stands where."""

from aiohttp import web

from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import Schema, array, obj
from cloud.api.shapes import KIND_PARAM, LABEL, NODE, NODE_ID
from cloud.errors import NotFound
from edge.model.kinds import KINDS, SYSTEMS, Kind
from edge.model.node import Node
from edge.model.quantities import QUANTITIES

_MAX_NODES = 20_000
EMPTY_MAP: dict[str, object] = {
    "name": {"en": "City", "zh": "城市"},
    "center": [31.27, 121.52],
    "zoom": 14,
    "features": {"type": "FeatureCollection", "features": []},
}
_POSITION: Schema = {
    "type": "array",
    "items": {"type": "number", "minimum": -20_000, "maximum": 20_000},  # degrees, degrees, perhaps metres
    "minItems": 2,
    "maxItems": 3,
}


def _geometry(name: str, depth: int) -> Schema:
    coordinates = _POSITION
    for _ in range(depth):
        coordinates = {"type": "array", "items": coordinates, "minItems": 1}
    return obj({"type": {"type": "string", "enum": [name]}, "coordinates": coordinates})


_COORDINATE: Schema = {"type": "number", "minimum": -360, "maximum": 360}
_FEATURE = obj(
    {
        "type": {"type": "string", "enum": ["Feature"]},
        "geometry": {
            "anyOf": [
                _geometry("Point", 0),
                _geometry("MultiPoint", 1),
                _geometry("LineString", 1),
                _geometry("MultiLineString", 2),
                _geometry("Polygon", 2),
                _geometry("MultiPolygon", 3),
            ]
        },
        "properties": {
            "type": "object",
            "properties": {
                "layer": {"type": "string", "enum": ["river", "street", "boundary", "park"]},
                "name": LABEL,
            },
            "required": ["layer"],
        },
    },
    {"id": {"type": ["string", "integer"]}},
)
_MAP = obj(
    {
        "name": LABEL,
        "center": {"type": "array", "items": _COORDINATE, "minItems": 2, "maxItems": 2},
        "zoom": {"type": "number", "minimum": 0, "maximum": 24},
        "features": obj(
            {
                "type": {"type": "string", "enum": ["FeatureCollection"]},
                "features": array(_FEATURE, max_items=50_000),
            }
        ),
    }
)


async def list_nodes(call: Call) -> web.Response:
    """Answer with all nodes, or those of a kind."""
    nodes = await call.services.registry.nodes(kind=call.params["kind"])
    return json_answer({"nodes": [call.services.told(node) for node in nodes]})


async def one_node(call: Call) -> web.Response:
    """Answer with one node."""
    return json_answer(call.services.told(await registered(call, call.params["id"])))


async def register_nodes(call: Call) -> web.Response:
    """Register or correct nodes; all of them, or none."""
    changed = await call.services.registry.upsert([Node.from_dict(row) for row in call.body["nodes"]])
    call.services.alerts.know(changed)
    told = [call.services.told(node) for node in changed]
    call.services.live.nodes(told)
    return json_answer({"changed": len(changed), "registered": await call.services.registry.registered()})


async def registered(call: Call, ident: str) -> Node:
    """Return a registered node, or raise NotFound."""
    node = await call.services.registry.node(ident)
    if node is None:
        raise NotFound(f"node {ident!r} is not registered", remedy="register it: POST /api/v1/nodes")
    return node


async def list_kinds(_call: Call) -> web.Response:
    """Answer with the catalogue: systems, kinds, quantities."""
    systems = [
        {"name": system.name, "label": {"en": system.label_en, "zh": system.label_zh}}
        for system in SYSTEMS.values()
    ]
    return json_answer({"systems": systems, "kinds": [_kind(kind) for kind in KINDS.values()]})


def _kind(kind: Kind) -> dict[str, object]:
    return {
        "name": kind.name,
        "system": kind.system,
        "label": {"en": kind.label_en, "zh": kind.label_zh},
        "period_s": kind.period_s,
        "headline": kind.headline,
        "quantities": [_quantity(name) for name in kind.quantities],
        "further": [_quantity(name) for name in kind.further],
    }


def _quantity(name: str) -> dict[str, object]:
    quantity = QUANTITIES[name]
    return {
        "name": quantity.name,
        "label": {"en": quantity.label_en, "zh": quantity.label_zh},
        "unit": quantity.unit,
        "decimals": quantity.decimals,
        "low": quantity.low,
        "high": quantity.high,
        "form": quantity.form.value,
    }


async def get_map(call: Call) -> web.Response:
    """Answer with the map."""
    return json_answer(await call.services.registry.map() or EMPTY_MAP)


async def put_map(call: Call) -> web.Response:
    """Replace the map."""
    await call.services.registry.set_map(call.body)
    return json_answer({"features": len(call.body["features"]["features"])})


ROUTES = (
    Route(
        method="GET", path="/api/v1/kinds", handler=list_kinds, summary="The catalogue of kinds and quantities",
    ),
    Route(method="GET", path="/api/v1/map", handler=get_map, summary="The map of the city", answer=_MAP),
    Route(
        method="PUT", path="/api/v1/map", handler=put_map, summary="Replace the map", body=_MAP, secured=True,
        errors=(400, 413),
    ),
    Route(
        method="GET", path="/api/v1/nodes", handler=list_nodes, summary="Registered nodes and their states",
        params=(KIND_PARAM,), errors=(400,),
    ),
    Route(
        method="POST", path="/api/v1/nodes", handler=register_nodes, summary="Register nodes, or correct them",
        body=obj({"nodes": array(NODE, max_items=_MAX_NODES)}), secured=True, errors=(400, 413),
        answer=obj({"changed": {"type": "integer"}, "registered": {"type": "integer"}}),
    ),
    Route(
        method="GET", path="/api/v1/nodes/{id}", handler=one_node, summary="One node",
        params=(Param(name="id", about="The node's id.", schema=NODE_ID, where="path", required=True),),
        errors=(400, 404),
    ),
)  # fmt: skip
