"""Is the cloud well, and which one is it?"""

from importlib.metadata import version

from aiohttp import web

from cloud.api.routing import Call, Route, json_answer


async def health(call: Call) -> web.Response:
    """Answer with the cloud's own health; 200 as long as it can answer."""
    services = call.services
    store_ok = await services.store.check()
    return json_answer(
        {
            "status": "ok" if store_ok else "degraded",
            "name": {"en": services.name_en, "zh": services.name_zh},
            "version": version("cityneuron"),
            "time_ms": services.now_ms(),
            "timezone": services.timezone.key,
            "store": {"kind": services.store.kind, "ok": store_ok},
            "registered": await services.registry.registered(),
        }
    )


ROUTES = (Route(method="GET", path="/api/v1/health", handler=health, summary="The cloud's own health"),)
