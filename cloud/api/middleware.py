"""What every answer has in common: errors with a remedy, and headers that keep browsers in bounds."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from cloud.api.routing import Malformed, Unauthorized, json_answer
from cloud.ca import NoAuthority
from cloud.errors import Conflict, InvalidRequest, NotFound, StoreFull, StoreRejected, StoreUnavailable
from cloud.provision.provisioner import ListNotWritten
from cloud.registry import RegistryError
from edge.model.errors import CityError

_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_STATUS: tuple[tuple[type[CityError], int], ...] = (
    (InvalidRequest, 400),
    (Malformed, 400),
    (Unauthorized, 401),
    (NotFound, 404),
    (Conflict, 409),
    (StoreRejected, 422),
    (StoreFull, 507),
    (StoreUnavailable, 503),
    (RegistryError, 503),
    (NoAuthority, 503),
    (ListNotWritten, 503),
)
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def status_of(error: CityError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)


def error_answer(
    status: int, message: str, remedy: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    """Return an error as the API tells it."""
    return json_answer({"error": {"message": message, "remedy": remedy}}, status=status, headers=headers)


@web.middleware
async def tell_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turn errors into answers with a status, a message and a remedy."""
    try:
        return await handler(request)
    except CityError as error:
        status = status_of(error)
        if status >= 500:
            _log.warning("%s %s: %s", request.method, request.path, error)
        extra = {401: {"WWW-Authenticate": "Token"}, 503: {"Retry-After": "2"}}.get(status)
        return error_answer(status, error.message, error.remedy, extra)
    except web.RequestPayloadError as error:
        return error_answer(400, f"the body cannot be read: {error}", "send it whole, and gzip as gzip")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return error_answer(
            error.status, f"{request.method} {request.path}: {error.reason}", "see /openapi.json", allowed
        )


async def secure_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to every answer."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
