"""One table of routes: a row checks the request, calls the handler, and is a page of the OpenAPI document."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Any, Literal

from aiohttp import BasicAuth, web

from cloud.api.schema import Schema, check
from cloud.errors import CloudError, InvalidRequest
from cloud.services import Services

TIME_PATTERN = (
    r"^-?[0-9]{1,15}$|^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[-+]([01][0-9]|2[0-3]):?[0-5][0-9])?)?$"
)
SERVICES = web.AppKey("services", Services)


class Unauthorized(CloudError):
    """The request changes something and carries no valid token."""


class Malformed(CloudError):
    """The body is not what it says it is (JSON, gzip)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Param:
    """A parameter in the path or the query; `time` reads epoch milliseconds or ISO-8601."""

    name: str
    about: str
    schema: Schema
    where: Literal["query", "path"] = "query"
    required: bool = False
    time: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request that was checked: its parameters by name, its body if it is JSON, and the cloud's parts."""

    services: Services
    request: web.Request
    params: Mapping[str, Any]
    body: Any = None


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A row of the table. `body` is the schema of a JSON body; `secured` asks for the token.

    `text_body` and `bytes_body` say what other bodies are; their handlers read them themselves.
    """

    method: Literal["GET", "PUT", "POST", "PATCH", "DELETE"]
    path: str
    handler: Handler
    summary: str
    params: tuple[Param, ...] = ()
    body: Schema | None = None
    text_body: str | None = None
    bytes_body: str | None = None
    secured: bool = False
    answer: Schema | None = None
    status: int = 200
    media: str = "application/json"
    errors: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Check the request against this row and answer it."""
        services = request.app[SERVICES]
        if self.secured and not _authorized(request, services.token):
            raise Unauthorized(
                "this changes something and needs the token", remedy="send 'Authorization: Token ...'"
            )
        params = self._params(request, services)
        body = await self._json(request) if self.body is not None else None
        return await self.handler(Call(services=services, request=request, params=params, body=body))

    def _params(self, request: web.Request, services: Services) -> dict[str, Any]:
        known = {param.name for param in self.params if param.where == "query"}
        for name in request.query:
            if name not in known and self.media != "text/html":  # a page may be linked with marks of others
                raise InvalidRequest(
                    f"parameter {name[:40]!r} is not known here",
                    remedy=f"known are: {', '.join(sorted(known)) or 'none'}",
                )
            if len(request.query.getall(name)) > 1:
                raise InvalidRequest(f"parameter {name!r} stands twice", remedy="give it once")
        return {param.name: _value(param, request, services) for param in self.params}

    async def _json(self, request: web.Request) -> Any:
        raw = await request.read()
        try:
            body = json.loads(raw, parse_constant=_no_constant)
            if b"\\u" in raw:
                json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError) as error:
            raise Malformed(f"the body is not JSON: {error}", remedy="send JSON, UTF-8") from error
        assert self.body is not None
        check(body, self.body)
        return body


def json_answer(data: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer; Chinese stays readable."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def _authorized(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() == "basic":
        try:
            given = BasicAuth.decode(f"Basic {given}").password
        except ValueError:
            return False
    elif scheme.lower() not in ("token", "bearer"):
        return False
    return compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _value(param: Param, request: web.Request, services: Services) -> Any:
    given = request.match_info.get(param.name) if param.where == "path" else request.query.get(param.name)
    if given is None:
        if param.required:
            raise InvalidRequest(f"parameter {param.name!r} is missing", remedy=param.about)
        return None
    value: object = given
    if param.schema.get("type") == "integer":
        try:
            value = int(given) if given.isascii() and len(given) < 20 else given
        except ValueError:
            value = given
    check(value, param.schema, f"parameter {param.name!r}")
    return _time_ms(param, given, services) if param.time else value


def _time_ms(param: Param, given: str, services: Services) -> int:
    if given.lstrip("-").isdigit():
        return int(given)
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=services.timezone)
        return int(moment.timestamp() * 1_000)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"parameter {param.name!r} is no time: {error}",
            remedy="use epoch milliseconds or 2026-11-20T19:42:07+08:00",
        ) from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
