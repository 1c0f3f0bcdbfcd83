"""The ledger and the gateways that keep it: is every reading accounted for, and is the network well?"""

import base64
import hashlib
import json
from typing import Any

from aiohttp import web

from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import array, integer, nullable, obj, text
from cloud.api.shapes import COUNT, COUNTS_SCHEMA, GATEWAY_ID, NODE_ID, TIME_MS
from cloud.provision.device import Born
from cloud.registry import GatewayReport, GatewayStatus, QuarantineEntry
from cloud.registry.models import COUNTS
from cloud.services import Services
from cloud.state import gateway_state

_BASE64 = text(
    max_length=1_500_000, pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
)
_ENTRY = obj(
    {"id": integer(0, 2**53), "time_ms": TIME_MS, "reason": text(), "payload_base64": _BASE64},
    {
        "gateway": GATEWAY_ID,
        "node": nullable(text(max_length=200)),
        "detail": {"type": "string", "maxLength": 2_000},
        "topic": {"type": "string", "maxLength": 2_000},
        "readings": COUNT,
    },
)
_NODE_COUNTS = obj({"node": NODE_ID, **dict.fromkeys(COUNTS, COUNT)})
_BIRTH = obj(
    {
        "node": NODE_ID, "firmware": text(max_length=64), "hardware": text(max_length=64),
        "serial": text(max_length=64), "boot": integer(0, 2**53), "trial": {"type": "boolean"},
        "time_ms": TIME_MS,
    }
)  # fmt: skip
_REPLY = obj(
    {"node": NODE_ID, "id": integer(1, 2**53)},
    {"status": integer(0, 4), "detail": {}, "time_ms": TIME_MS, "sent_ms": TIME_MS},
)
_COMMAND = obj(
    {
        "id": {"type": "integer"}, "node": {"type": "string"}, "name": {"type": "string"},
        "args": {"type": "object"}, "expires_ms": TIME_MS,
    }
)  # fmt: skip
_REPORT = obj(
    {"time_ms": TIME_MS},
    {
        "births": array(_BIRTH, max_items=5_000),
        "replies": array(_REPLY, max_items=5_000),
        "ledger": obj({"total": COUNTS_SCHEMA}, {"nodes": array(_NODE_COUNTS, max_items=50_000)}),
        "quarantine": array(_ENTRY, max_items=1_000),
        "health": {"type": "object"},
    },
)
_GATEWAY = Param(name="id", about="The gateway's id.", schema=GATEWAY_ID, where="path", required=True)


async def ledger(call: Call) -> web.Response:
    """Answer with the counts over all gateways, by node and by gateway, and why some are dropped or missing."""
    found = await call.services.registry.ledger()
    told = [_reasons(status) for status in found.gateways]
    return json_answer(
        {
            "time_ms": call.services.now_ms(),
            "total": found.total,
            "reasons": {
                name: sum(reasons.get(name, 0) for reasons in told)
                for name in sorted({name for reasons in told for name in reasons})
            },
            "nodes": [{"node": node, **counts} for node, counts in found.nodes.items()],
            "gateways": [
                {
                    "gateway": status.gateway,
                    "time_ms": status.time_ms,
                    "total": status.total,
                    "reasons": reasons,
                }
                for status, reasons in zip(found.gateways, told, strict=True)
            ],
        }
    )


def _reasons(status: GatewayStatus) -> dict[str, int]:
    """Return why a gateway's readings are dropped or missing, as it last told."""
    found = status.health.get("reasons")
    return {str(name): int(count) for name, count in found.items()} if isinstance(found, dict) else {}


async def gateways(call: Call) -> web.Response:
    """Answer with the gateways and their health."""
    found = await call.services.registry.gateways()
    return json_answer({"gateways": [_told(call.services, status) for status in found]})


async def take_report(call: Call) -> web.Response:
    """Take a gateway's report, tell the open pages, and answer with what its nodes are to do."""
    services, gateway = call.services, call.params["id"]
    report = _report(gateway, call.body)
    await services.registry.report(report)
    services.alerts.heard(gateway)
    services.live.network(await network(services))
    births, replies = call.body.get("births", ()), call.body.get("replies", ())
    await services.provisioner.births(gateway, [Born.from_dict(row) for row in births])
    unfinished = await services.commands.exchange(gateway, replies)
    if births or replies:
        services.rollouts.wake()
        await services.look_at_trials()
    return json_answer(
        {
            "taken": len(report.quarantine),
            "commands": [command.for_gateway() for command in unfinished],
        }
    )


async def gateway_nodes(call: Call) -> web.Response:
    """Answer with the nodes a gateway serves; 304 if it knows them already."""
    nodes = await call.services.registry.nodes_of(call.params["id"])
    body = json.dumps({"nodes": [node.to_dict() for node in nodes]}, ensure_ascii=False, separators=(",", ":"))
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in [
        known.strip().removeprefix("W/") for known in call.request.headers.get("If-None-Match", "").split(",")
    ]:
        return web.Response(status=304, headers=headers)
    return web.Response(text=body, content_type="application/json", headers=headers)


async def network(services: Services) -> dict[str, object]:
    """Return how the network is, as the wall shows it."""
    found = await services.registry.gateways()
    quarantined, _ = await services.registry.quarantine(limit=0)
    return {
        "ledger": {name: sum(status.total[name] for status in found) for name in COUNTS},
        "quarantined": quarantined,
        "gateways": [_told(services, status) for status in found],
    }


def _told(services: Services, status: GatewayStatus) -> dict[str, object]:
    state = gateway_state(time_ms=status.time_ms, now_ms=services.now_ms())
    return {
        "gateway": status.gateway,
        "time_ms": status.time_ms,
        "state": state.value,
        "health": dict(status.health),
    }


def _report(gateway: str, body: dict[str, Any]) -> GatewayReport:
    ledger_part = body.get("ledger")
    total = {name: int(ledger_part["total"][name]) for name in COUNTS} if ledger_part else None
    return GatewayReport(
        gateway=gateway,
        time_ms=int(body["time_ms"]),
        total=total,
        nodes={
            row["node"]: {name: int(row[name]) for name in COUNTS}
            for row in (ledger_part or {}).get("nodes", ())
        },
        quarantine=tuple(_entry(gateway, entry) for entry in body.get("quarantine", ())),
        health=body.get("health"),
    )


def _entry(gateway: str, entry: dict[str, Any]) -> QuarantineEntry:
    return QuarantineEntry(
        gateway=gateway,
        entry=int(entry["id"]),
        time_ms=int(entry["time_ms"]),
        node=entry.get("node"),
        reason=entry["reason"],
        detail=entry.get("detail", ""),
        topic=entry.get("topic", ""),
        payload=base64.b64decode(entry["payload_base64"]),
        readings=int(entry.get("readings", 0)),
    )


ROUTES = (
    Route(method="GET", path="/api/v1/ledger", handler=ledger, summary="Every reading, by what became of it"),
    Route(method="GET", path="/api/v1/gateways", handler=gateways, summary="Gateways and their health"),
    Route(
        method="PUT", path="/api/v1/gateways/{id}/report", handler=take_report, summary="A gateway's report",
        params=(_GATEWAY,), body=_REPORT, secured=True, errors=(400, 413),
        answer=obj({"taken": {"type": "integer"}, "commands": array(_COMMAND)}),
    ),
    Route(
        method="GET", path="/api/v1/gateways/{id}/nodes", handler=gateway_nodes,
        summary="The nodes a gateway serves", params=(_GATEWAY,), errors=(304, 400),
    ),
)  # fmt: skip
