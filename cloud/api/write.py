"""The intake: line protocol, taken as InfluxDB takes it, so that a gateway cannot tell the difference."""

import asyncio

from aiohttp import web

from cloud.api.middleware import status_of
from cloud.api.routing import Call, Param, Route, json_answer
from cloud.api.schema import text
from cloud.errors import StoreError
from edge.protocol.lines import LineError, Point, parse_lines

PARSE_IN_THREAD_BYTES = 64 * 1024
_PRECISION = Param(
    name="precision",
    about="The unit of the times; ns if left out.",
    schema={"type": "string", "enum": ["ns", "us", "ms", "s"]},
)
_NAME = text(max_length=200)


async def write(call: Call) -> web.Response:
    """Store a batch: all of it, and on disk, or nothing."""
    async with call.services.writes:
        return await _write(call)


async def _write(call: Call) -> web.Response:
    body = await call.request.read()
    precision = call.params["precision"] or "ns"
    try:
        if len(body) > PARSE_IN_THREAD_BYTES:
            points = await asyncio.to_thread(parse_lines, body, precision=precision)
        else:
            points = parse_lines(body, precision=precision)
        points = _timed(points, call.services.now_ms())
        await call.services.store.write(points)
        if call.services.roller is not None:
            await call.services.roller.note(points)
    except LineError as error:
        return _refused(400, "invalid", error.message)
    except StoreError as error:
        status = status_of(error)
        code = {422: "unprocessable entity", 507: "insufficient storage"}.get(status, "unavailable")
        return _refused(status, code, str(error))
    call.services.live.readings(call.services.board.offer_points(points))
    await call.services.city_rules.take_points(points)
    return web.Response(status=204)


def _timed(points: list[Point], now_ms: int) -> list[Point]:
    """Give points that came without a time that of their arrival, as InfluxDB does."""
    return [
        point if point.time_ns is not None else point._replace(time_ns=now_ms * 1_000_000) for point in points
    ]


def _refused(status: int, code: str, message: str) -> web.Response:
    headers = {"Retry-After": "2"} if status == 503 else None
    return json_answer({"code": code, "message": message, "error": message}, status=status, headers=headers)


_WRITE_ERRORS = (400, 413, 422, 503, 507)
ROUTES = (
    Route(
        method="POST", path="/api/v2/write", handler=write, summary="Write line protocol (InfluxDB 2 and 3)",
        params=(
            Param(name="org", about="Taken and not used.", schema=_NAME),
            Param(name="orgID", about="Taken and not used.", schema=_NAME),
            Param(name="bucket", about="Taken and not used: there is one store.", schema=_NAME),
            _PRECISION,
        ),
        text_body="line protocol, gzip allowed", secured=True, status=204, errors=_WRITE_ERRORS,
    ),
    Route(
        method="POST", path="/write", handler=write, summary="Write line protocol (InfluxDB 1)",
        params=(
            Param(name="db", about="Taken and not used: there is one store.", schema=_NAME),
            Param(name="rp", about="Taken and not used.", schema=_NAME),
            Param(name="consistency", about="Taken and not used.", schema=_NAME),
            _PRECISION,
        ),
        text_body="line protocol, gzip allowed", secured=True, status=204, errors=_WRITE_ERRORS,
    ),
)  # fmt: skip
