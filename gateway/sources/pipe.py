"""What a line's bytes go through: a serial port, or TCP to a serial server."""

from __future__ import annotations

import asyncio
import contextlib
import termios
from typing import Protocol

import serial

from gateway.sources.config import SourceConfig
from gateway.sources.tcp import address

READ_BYTES = 4_096
OPEN_WITHIN_S = 10.0


class Pipe(Protocol):
    """Bytes both ways. Raises OSError when it is broken."""

    async def read(self) -> bytes:
        """Wait for bytes and return those that came."""

    async def write(self, data: bytes) -> None:
        """Send all."""

    def drop(self) -> bytes:
        """Return what came unasked; it is not read any more."""

    def close(self) -> None:
        """Let the line go."""


async def open_pipe(source: SourceConfig) -> Pipe:
    """Open a source's line. Raises OSError."""
    if source.transport == "serial":
        return SerialPipe(source)
    host, port = address(source.address, f"source {source.name}")
    async with asyncio.timeout(OPEN_WITHIN_S):
        return TcpPipe(*await asyncio.open_connection(host, port))


class TcpPipe:
    """A connection to a serial server, or to a device that speaks its protocol over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Wait for bytes and return those that came; OSError at the end."""
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionResetError("it hung up")
        return data

    async def write(self, data: bytes) -> None:
        """Send all."""
        self._writer.write(data)
        await self._writer.drain()

    def drop(self) -> bytes:
        """Return what came unasked."""
        buffer = self._reader._buffer  # type: ignore[attr-defined]  # no public way to read without waiting
        found = bytes(buffer)
        buffer.clear()
        return found

    def close(self) -> None:
        """Let the connection go."""
        self._writer.close()


class SerialPipe:
    """A serial port, opened for ourselves alone."""

    def __init__(self, source: SourceConfig) -> None:
        try:
            self._port = serial.Serial(
                source.address, source.baud, parity=source.parity, timeout=0, write_timeout=5, exclusive=True
            )
        except termios.error as error:  # which is no OSError
            raise OSError(*error.args) from None
        self._came = bytearray()
        self._ready = asyncio.Event()
        self._error: OSError | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._port.fileno(), self._take)

    async def read(self) -> bytes:
        """Wait for bytes and return those that came; OSError when the port is gone."""
        await self._ready.wait()
        if self._error is not None:
            raise self._error
        return self.drop()

    async def write(self, data: bytes) -> None:
        """Send all; a line of 2,400 baud takes its time."""
        await asyncio.to_thread(self._port.write, data)

    def drop(self) -> bytes:
        """Return what came unasked."""
        found = bytes(self._came)
        self._came.clear()
        if self._error is None:
            self._ready.clear()
        return found

    def close(self) -> None:
        """Let the port go."""
        with contextlib.suppress(OSError, ValueError):
            self._loop.remove_reader(self._port.fileno())
        self._port.close()

    def _take(self) -> None:
        try:
            data = self._port.read(READ_BYTES)
            if not data:
                raise ConnectionResetError("the port is gone")
            self._came.extend(data)
        except OSError as error:  # serial.SerialException is one
            self._error = error
            self._loop.remove_reader(self._port.fileno())
        self._ready.set()
