"""Live updates for the wall, as server-sent events."""

import asyncio

from aiohttp import web

from cloud.api.routing import Call, Route
from cloud.api.shapes import NODE_PARAM
from cloud.errors import StoreUnavailable
from cloud.live import HEARTBEAT_S, RETRY_MS

MAX_PAGES = 500
STUCK_AFTER_S = 30.0


async def live(call: Call) -> web.StreamResponse:
    """Send events until the page closes, cannot keep up, or the cloud stops."""
    hub = call.services.live
    if hub.subscribers >= MAX_PAGES:
        raise StoreUnavailable(f"{MAX_PAGES} pages are open", remedy="close some, or try again later")
    subscriber = hub.subscribe(call.params["node"])
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    )
    try:
        await response.prepare(call.request)
        event: bytes | None = f"retry: {RETRY_MS}\n: City Neuron\n\n".encode()
        while event is not None:
            async with asyncio.timeout(STUCK_AFTER_S):
                await response.write(event)
            try:
                event = await asyncio.wait_for(subscriber.next(), HEARTBEAT_S)
            except TimeoutError:
                event = b": heartbeat\n\n"
    except TimeoutError:  # the page reads nothing at all
        if call.request.transport is not None:
            call.request.transport.abort()
    except ConnectionResetError:
        pass  # the page was closed
    finally:
        hub.unsubscribe(subscriber)
    return response


ROUTES = (
    Route(
        method="GET", path="/api/v1/live", handler=live,
        summary="Readings, nodes and the network as they change; or what is news of one node",
        params=(NODE_PARAM,), media="text/event-stream", errors=(400,),
    ),
)  # fmt: skip
