"""The HTTP API: one small file a noun, one table of routes."""

from aiohttp import web

from cloud.api import (
    alerts,
    commands,
    firmware,
    health,
    ledger,
    live,
    nodes,
    pages,
    provision,
    quarantine,
    readings,
    write,
)
from cloud.api.middleware import secure_headers, tell_errors
from cloud.api.openapi import openapi_route
from cloud.api.routing import SERVICES, Route
from cloud.services import Services

MAX_BODY_BYTES = 32 * 1024 * 1024

API_ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *nodes.ROUTES,
    *provision.ROUTES,
    *commands.ROUTES,
    *firmware.ROUTES,
    *readings.ROUTES,
    *ledger.ROUTES,
    *quarantine.ROUTES,
    *alerts.ROUTES,
    *live.ROUTES,
    *write.ROUTES,
)


def build_api(services: Services) -> web.Application:
    """Return the web application over these services."""
    app = web.Application(middlewares=[tell_errors], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    app.on_response_prepare.append(secure_headers)
    for route in (*API_ROUTES, openapi_route(API_ROUTES), *pages.ROUTES):
        path = route.path.replace("{path}", "{path:.+}")
        if route.method == "GET":
            app.router.add_get(path, route.__call__, allow_head=route.media != "text/event-stream")
        else:
            app.router.add_route(route.method, path, route.__call__)
    return app
