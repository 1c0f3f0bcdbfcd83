"""An environmental platform (环保平台) of HJ 212-2017 for tests, written from the standard alone."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

WITHIN_S = 60.0
PASSWORD = "123456"


def packet(segment: str) -> bytes:
    """Return a data segment as it goes over the wire."""
    data, register = segment.encode(), 0xFFFF
    for byte in data:
        register = register >> 8 ^ byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return b"##%04d%b%04X\r\n" % (len(data), data, register)


def items(segment: str) -> dict[str, str]:
    """Return all that a segment says, by key."""
    pairs = (each.partition("=") for each in re.split(r"[;,]", segment.replace("CP=&&", "").replace("&&", "")))
    return {key: value for key, _, value in pairs if key}


class Platform:
    """Answers data whose password is right while `answers` holds; remembers what it heard, and what it took."""

    def __init__(self, answers: Callable[[int], bool] = lambda _: True) -> None:
        self.heard: list[dict[str, str]] = []
        self.took: list[dict[str, str]] = []
        self.connections = 0
        self.url = ""
        self._answers = answers
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Platform]:
        """Listen; the port stays the same for the next time."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = server.sockets[0].getsockname()[1]
        self.url = f"hj212://127.0.0.1:{self._port}"
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def ask(self, cn: str, cp: str = "", *, mn: str, pw: str = PASSWORD) -> None:
        """Send a request on every connection."""
        segment = f"QN=20260101000000{cn[-3:]};ST=22;CN={cn};PW={pw};MN={mn};Flag=5;CP=&&{cp}&&"
        for writer in self._writers:
            writer.write(packet(segment))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what came fulfils a condition."""
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def reports(self) -> Counter[tuple[str, str]]:
        """Return how often each report was taken: by MN and DataTime."""
        return Counter((each["MN"], each["DataTime"]) for each in self.took)

    def told(self, cn: str) -> list[dict[str, str]]:
        """Return what came under a command."""
        return [each for each in self.heard if each["CN"] == cn]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self._changed.set()
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # the station went
                while True:
                    head = await reader.readexactly(6)
                    assert head[:2] == b"##"
                    body = await reader.readexactly(int(head[2:]) + 6)
                    segment = body[:-6].decode()
                    assert packet(segment) == head + body
                    self._take(items(segment), writer)
        finally:
            self._writers.discard(writer)
            writer.close()
            self._changed.set()

    def _take(self, said: dict[str, str], writer: asyncio.StreamWriter) -> None:
        self.heard.append(said)
        wanted = said["CN"] in ("2011", "2051", "2061", "2031") and said["PW"] == PASSWORD
        if wanted and self._answers(len(self.heard)):
            self.took.append(said)
            mn, qn = said["MN"], said["QN"]
            writer.write(packet(f"QN={qn};ST=91;CN=9014;PW={PASSWORD};MN={mn};Flag=4;CP=&&&&"))
        self._changed.set()
