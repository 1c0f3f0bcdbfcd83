"""A gate before a store: lets requests through, or answers in its place, waits, or cuts the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


async def until(condition: Callable[[], object]) -> None:
    """Let others work until a condition holds; who calls it sets the limit of time."""
    tick = asyncio.Event()
    while not condition():
        with suppress(TimeoutError):
            async with asyncio.timeout(0.005):
                await tick.wait()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What the gate does instead of passing a request on.

    `cut`: the connection breaks within the body of the answer, after the store did its work if `stored`.
    """

    status: int = 0
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    stored: bool = False
    slow: bool = False


class Gate:
    """Stands before `upstream`. `fault` is what happens now; `troubled`: a write was not answered 204."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.fault: Fault | None = None
        self.most_lines = 0
        self.too_large = Fault(status=413)
        self.troubled = asyncio.Event()
        self.bodies: list[bytes] = []
        self.asked_s: list[float] = []
        self.answers: list[tuple[int, str]] = []
        self.url = ""
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self.app.router.add_route("*", "/{path:.*}", self.handle)
        self._mended = asyncio.Event()

    def mend(self) -> None:
        """Let requests through again."""
        self.fault = None
        self._mended.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body, fault = await request.read(), self.fault
        if request.method == "POST":
            self.bodies.append(body)
            self.asked_s.append(asyncio.get_running_loop().time())
        if self.most_lines and body.count(b"\n") >= self.most_lines:
            fault = self.too_large
        if fault is None:
            return await self._pass(request, body)
        self.troubled.set()
        if fault.slow:  # longer than the sink waits
            await self._mended.wait()
            return web.Response(status=503)
        if fault.cut:
            if fault.stored:
                await self._pass(request, body)
            return await self._cut(request)
        return web.Response(status=fault.status, text=fault.body, headers=fault.headers)

    async def _pass(self, request: web.Request, body: bytes) -> web.Response:
        headers = {
            name: request.headers[name]
            for name in ("Authorization", "Content-Encoding")
            if name in request.headers
        }
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, self.upstream + request.path, params=request.query, data=body, headers=headers
            ) as reply,
        ):
            raw = await reply.read()
            self.answers.append((reply.status, raw.decode(errors="replace")))
            if reply.status != 204:
                self.troubled.set()
            return web.Response(status=reply.status, body=raw)

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(status=400, headers={"Content-Length": "500"})
        await reply.prepare(request)
        await reply.write(b'{"error":"partial wri')
        assert request.transport is not None
        request.transport.abort()
        return reply
