"""A syslog collector on a real socket: it reads datagrams and octet-counted streams by the letter."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

LINE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
    r'\[(?P<sd>[!-<>-\\^-~]{1,32}(?: [!-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] \ufeff(?P<text>.*)',
    re.DOTALL,
)


class Line(NamedTuple):
    """What a message says, taken apart by the grammar of RFC 5424 section 6."""

    facility: int
    severity: int
    fields: dict[str, str]
    data: dict[str, str]
    text: str
    size: int

    @classmethod
    def parse(cls, raw: bytes) -> Line:
        found = LINE.fullmatch(raw.decode("utf-8"))
        assert found, raw
        pairs = re.findall(r'([^ =]+)="((?:[^"\\\]]|\\.)*)"', found["sd"])
        data = {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}
        facility, severity = divmod(int(found["pri"]), 8)
        return cls(facility, severity, found.groupdict(), data, found["text"], len(raw))


class Collector(asyncio.DatagramProtocol):
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[Line] = asyncio.Queue()
        self.port = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.lines.put_nowait(Line.parse(data))

    async def read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while count := await reader.readuntil(b" "):
                assert re.fullmatch(rb"[1-9]\d{0,4} ", count)
                self.lines.put_nowait(Line.parse(await reader.readexactly(int(count))))
        except asyncio.IncompleteReadError as end:
            assert end.partial == b""
        finally:
            writer.close()


@asynccontextmanager
async def collecting(transport: str, context: ssl.SSLContext | None = None) -> AsyncIterator[Collector]:
    """Run a collector on a free port of loopback."""
    collector, loop = Collector(), asyncio.get_running_loop()
    if transport == "udp":
        datagrams, _ = await loop.create_datagram_endpoint(lambda: collector, local_addr=("127.0.0.1", 0))
        collector.port = datagrams.get_extra_info("sockname")[1]
        try:
            yield collector
        finally:
            datagrams.close()
        return
    server = await asyncio.start_server(collector.read, "127.0.0.1", 0, ssl=context)
    collector.port = server.sockets[0].getsockname()[1]
    try:
        yield collector
    finally:
        server.close()
