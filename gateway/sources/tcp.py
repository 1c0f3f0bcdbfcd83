"""Devices that call us over TCP, and those that we call and that then talk: loggers, hydrological stations."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
from functools import partial

from edge.adapters.adapter import Heard, Talk
from edge.adapters.frame import FrameError
from edge.model.errors import CityError, ConfigError
from gateway.sources.config import SourceConfig
from gateway.sources.desk import Desk, Hope

log = logging.getLogger(__name__)

READ_BYTES = 65_536
MOST_CONNECTIONS = 10_000
MOST_FAULTS = 100  # frames in a row that are none: whoever sends them is no device
SILENT_S = 7_200.0  # a connection on which nothing came for so long is none any more
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


class Connection:
    """One connection: bytes to its talk, reports to the desk, answers back once they are on disk."""

    def __init__(self, talk: Talk, desk: Desk, writer: asyncio.StreamWriter) -> None:
        self.talk = talk
        self.devices: set[str] = set()
        self._faults = 0
        self._desk = desk
        self._writer = writer

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Take what comes until it ends."""
        while True:
            await self._desk.inbox.room()
            async with asyncio.timeout(SILENT_S):
                data = await reader.read(READ_BYTES)
            if not data:
                return
            for heard in self.talk.feed(data):
                self._hear(heard)
                if heard.hang_up:
                    return
                if self._faults > MOST_FAULTS:
                    raise FrameError("rubbish", f"{self._faults} frames in a row were none")
            await self._writer.drain()

    def write(self, data: bytes) -> None:
        """Send, unless the connection is over: what was not answered comes again."""
        if data and not self._writer.is_closing():
            self._writer.write(data)

    def _hear(self, heard: Heard) -> None:
        self._faults = self._faults + 1 if heard.fault is not None else 0
        if heard.fault is not None:
            self._desk.refuse(heard.frame, heard.device, heard.fault)
            self.write(heard.answer)
            return
        if heard.device:
            self.devices.add(heard.device)
        self._desk.take(heard.reports, partial(self.write, heard.answer))


class Stream:
    """A source of devices that talk: as a server that they call, or as a client that calls one address.

    `port` is where the server listens; `trouble` is empty when all is well.
    """

    def __init__(self, source: SourceConfig) -> None:
        self._source = source
        self._desk: Desk | None = None
        self._connections: set[Connection] = set()
        self.listening = asyncio.Event()
        self.port = 0
        self.trouble = "not yet connected"

    def sit(self, desk: Desk) -> None:
        """Take the desk to which reports go."""
        self._desk = desk

    def ask(self, device: str, series: str, first_ms: int, end_ms: int) -> Hope:
        """Ask a device for what it has of [first_ms, end_ms), if it is connected; else it may be next time."""
        for connection in self._connections:
            if device in connection.devices:
                request = connection.talk.ask(device, series, first_ms, end_ms)
                connection.write(request)
                break
        return Hope.ASKED

    @property
    def connected(self) -> int:
        """How many connections stand."""
        return len(self._connections)

    async def run(self) -> None:
        """Serve until cancelled."""
        host, port = address(self._source.address, f"source {self._source.name}")
        if self._source.transport == "tcp-client":
            await self._call(host, port)
            return
        try:
            server = await asyncio.start_server(self._serve, host, port)
        except OSError as error:
            raise ConfigError(
                f"source {self._source.name} cannot listen on {host}:{port}: {error.strerror or error}",
                remedy="is the port taken? see [[source]] address",
            ) from None
        self.port, self.trouble = server.sockets[0].getsockname()[1], ""
        self.listening.set()
        log.info("%s: %s is awaited on %s:%d", self._source.name, self._source.protocol, host, self.port)
        try:
            async with server:
                await server.serve_forever()
        finally:
            for connection in list(self._connections):
                connection._writer.close()

    async def _call(self, host: str, port: int) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port)
            except OSError as error:
                self.trouble = f"cannot reach {host}:{port}: {error.strerror or error}"
                log.warning("%s: %s; next try in %.0f s", self._source.name, self.trouble, wait_s)
            else:
                self.trouble, wait_s = "", FIRST_WAIT_S
                await self._serve(reader, writer)
                self.trouble = f"{host}:{port} hung up"
            await asyncio.sleep(wait_s * random.uniform(0.7, 1.3))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._desk is not None and self._source.adapter.talk is not None
        peer = writer.get_extra_info("peername")
        if len(self._connections) >= MOST_CONNECTIONS:
            log.warning("%s: %s is turned away: %d are connected", self._source.name, peer, MOST_CONNECTIONS)
            writer.close()
            return
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        options = {device.id: device.options for device in self._source.devices}
        talk = self._source.adapter.talk(options, self._desk.inbox.now_ms)
        connection = Connection(talk, self._desk, writer)
        self._connections.add(connection)
        try:
            await connection.serve(reader)
        except TimeoutError:
            log.info("%s: %s said nothing for %.0f s", self._source.name, peer, SILENT_S)
        except OSError as error:
            log.info("%s: %s broke off: %s", self._source.name, peer, error)
        except CityError as error:
            log.warning("%s: %s: %s", self._source.name, peer, error)
        finally:
            self._connections.discard(connection)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def address(text: str, place: str) -> tuple[str, int]:
    """Return host and port of "host:port", ":port" meaning all addresses. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or "/" in host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
        raise ConfigError(f"{place}: {text!r} is no host:port", remedy='for example "0.0.0.0:9002"')
    return host.strip("[]"), int(port)
