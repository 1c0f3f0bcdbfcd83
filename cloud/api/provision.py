"""Provisioning: devices become nodes, are replaced, get a place and notes."""

from typing import Any

from aiohttp import web

from cloud.api.nodes import registered
from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import Schema, array, integer, nullable, number, obj, text
from cloud.api.shapes import GATEWAY_ID, LABEL, NODE_ID, NODE_OUT, STEP, TIME_MS, WHO
from cloud.errors import InvalidRequest
from cloud.provision.device import Granted
from cloud.provision.provisioner import Asked
from edge.model.kinds import KINDS
from edge.model.node import Node

_NODE_PATH = Param(name="id", about="The node's id.", schema=NODE_ID, where="path", required=True)
_SERIAL = text(min_length=4, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9:._-]{3,63}$")
_CSR: Schema = {"type": "string", "maxLength": 8_192, "minLength": 1, "pattern": r"^[\x20-\x7e\r\n]*$"}
_PLACE: dict[str, Schema] = {
    "label": LABEL,
    "site": text(max_length=128),
    "district": text(max_length=128),
    "lat": nullable(number(-90, 90)),
    "lon": nullable(number(-180, 180)),
}
_DEVICE = obj({"serial": _SERIAL, "csr": _CSR, "who": WHO})
_ASKED = obj(
    {"serial": _SERIAL, "kind": {"type": "string", "enum": list(KINDS)}, "csr": _CSR, "who": WHO},
    {"id": NODE_ID, "gateway": nullable(GATEWAY_ID), **_PLACE},
)
_PROVISIONED = obj(
    {
        "node": NODE_OUT,
        "certificate": {"type": "string"},
        "ca": {"type": "string"},
        "broker": obj({"host": text(), "port": integer(1, 65_535), "tls": {"type": "boolean"}}),
        "ntp_hosts": array(text()),
    }
)
_TEXT_OR_NULL = nullable({"type": "string"})
_TIME_OR_NULL = nullable(TIME_MS)
_NOTE_OUT = obj({"time_ms": TIME_MS, "who": {"type": "string"}, "text": {"type": "string"}})
_DEVICE_OUT = obj(
    {
        "serial": _TEXT_OR_NULL,
        "firmware": _TEXT_OR_NULL,
        "hardware": _TEXT_OR_NULL,
        "trial": {"type": "boolean"},
        "boot": nullable({"type": "integer"}),
        "born_ms": _TIME_OR_NULL,
        "certificate": nullable(obj({"fingerprint": {"type": "string"}, "not_after_ms": TIME_MS})),
        "provisioned_ms": _TIME_OR_NULL,
        "gateway": _TEXT_OR_NULL,
        "notes": array(_NOTE_OUT),
    },
    {"born_serial": {"type": "string"}, "rollout": {"type": "object"}},
)


async def provision(call: Call) -> web.Response:
    """Make a device a node: the same device again gets the same node."""
    said = call.body
    asked = Asked(
        serial=said["serial"],
        kind=said["kind"],
        csr=said["csr"],
        who=said["who"],
        node=said.get("id"),
        gateway=said.get("gateway"),
        **_place(said),
    )
    return await _answer(call, *await call.services.provisioner.provision(asked))


async def replace(call: Call) -> web.Response:
    """Put another device in a node's place."""
    said = call.body
    found = await call.services.provisioner.replace(call.params["id"], said["serial"], said["csr"], said["who"])
    return await _answer(call, *found)


async def _answer(call: Call, node: Node, granted: Granted) -> web.Response:
    services, config = call.services, call.services.provision
    await services.look_at_trials()  # a new device in a node's place ends what the old one tried
    _tell(call, node)
    return json_answer(
        {
            "node": services.told(node),
            "certificate": granted.certificate,
            "ca": granted.ca,
            "broker": {
                "host": config.broker_host or call.request.url.host or "",
                "port": config.broker_port,
                "tls": config.broker_tls,
            },
            "ntp_hosts": list(config.ntp_hosts),
        }
    )


def _tell(call: Call, node: Node) -> None:
    """Let the alerts and the open pages know of a node that is new or stands elsewhere."""
    call.services.alerts.know([node])
    call.services.live.nodes([call.services.told(node)])


def _place(said: dict[str, Any]) -> dict[str, Any]:
    if (said.get("lat") is None) != (said.get("lon") is None):
        raise InvalidRequest("lat without lon, or lon without lat", remedy="give both, in degrees (WGS 84)")
    return {name: said[name] for name in _PLACE if name in said}


async def correct(call: Call) -> web.Response:
    """Correct a node's place or names."""
    node = await call.services.provisioner.correct(
        call.params["id"], _place(call.body), call.body.get("who", "")
    )
    _tell(call, node)
    return json_answer(call.services.told(node))


async def device(call: Call) -> web.Response:
    """Answer with the device behind a node."""
    ident = call.params["id"]
    rollout = await call.services.rollouts.of_node(ident)
    return json_answer(await call.services.provisioner.device(ident, rollout))


async def steps(call: Call) -> web.Response:
    """Answer with what was done to a node, by whom and when."""
    return json_answer({"steps": await call.services.provisioner.audit(call.params["id"])})


async def note(call: Call) -> web.Response:
    """Keep a note about a node."""
    ident = (await registered(call, call.params["id"])).id
    await call.services.provisioner.note(ident, call.body["who"], call.body["text"])
    return await device(call)


_ERRORS = (400, 404, 409, 413, 503)
ROUTES = (
    Route(
        method="POST", path="/api/v1/provision", handler=provision, body=_ASKED, secured=True, errors=_ERRORS,
        summary="Make a device a node; again after any failure, with the same result", answer=_PROVISIONED,
    ),
    Route(
        method="POST", path="/api/v1/nodes/{id}/replace", handler=replace, params=(_NODE_PATH,), body=_DEVICE,
        summary="Put another device in a node's place; the old one is barred", secured=True, errors=_ERRORS,
        answer=_PROVISIONED,
    ),
    Route(
        method="PATCH", path="/api/v1/nodes/{id}", handler=correct, params=(_NODE_PATH,),
        summary="Correct a node's place or names", body=obj({}, {**_PLACE, "who": WHO}), secured=True,
        errors=(400, 404, 413), answer=NODE_OUT,
    ),
    Route(
        method="GET", path="/api/v1/nodes/{id}/device", handler=device, params=(_NODE_PATH,),
        summary="The device behind a node: firmware, certificate, notes", errors=(400, 404), answer=_DEVICE_OUT,
    ),
    Route(
        method="GET", path="/api/v1/nodes/{id}/steps", handler=steps, params=(_NODE_PATH,),
        summary="What was done to a node, by whom and when", errors=(400, 404),
        answer=obj({"steps": array(STEP)}),
    ),
    Route(
        method="POST", path="/api/v1/nodes/{id}/notes", handler=note, params=(_NODE_PATH,),
        body=obj({"who": WHO, "text": text(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")}),
        summary="Take a note about a node", secured=True, errors=(400, 404, 413), answer=_DEVICE_OUT,
    ),
)  # fmt: skip
