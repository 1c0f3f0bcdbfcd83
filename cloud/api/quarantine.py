"""The quarantine: what could not be taken, why, and its bytes."""

import base64

from aiohttp import web

from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import integer
from cloud.api.shapes import NODE_PARAM


async def quarantine(call: Call) -> web.Response:
    """Answer with how many entries there are, and the newest."""
    limit = call.params["limit"] if call.params["limit"] is not None else 100
    total, entries = await call.services.registry.quarantine(limit=limit, node=call.params["node"])
    rows = [
        {
            "gateway": entry.gateway,
            "id": entry.entry,
            "time_ms": entry.time_ms,
            "node": entry.node,
            "reason": entry.reason,
            "detail": entry.detail,
            "topic": entry.topic,
            "payload_base64": base64.b64encode(entry.payload).decode(),
            "readings": entry.readings,
        }
        for entry in entries
    ]
    return json_answer({"total": total, "entries": rows})


ROUTES = (
    Route(
        method="GET", path="/api/v1/quarantine", handler=quarantine,
        summary="Quarantined payloads, newest first",
        params=(
            Param(name="limit", about="The most entries to return, 100 if left out.", schema=integer(0, 1_000)),
            NODE_PARAM,
        ),
        errors=(400,),
    ),
)  # fmt: skip
