"""A TCP line that can go bad: cut, late, slow, reset, half open (it takes all and delivers nothing)."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum

CHUNK_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends a reset


class State(StrEnum):
    """How the line is."""

    SOUND = "sound"
    CUT = "cut"  # connections are broken, new ones refused at once
    HALF_OPEN = "half_open"  # connections stand, bytes vanish


@dataclass(slots=True)
class Line:
    """What a proxy does with bytes at this moment; change it while it runs."""

    state: State = State.SOUND
    late_s: float = 0.0
    bytes_per_s: float = 0.0  # 0: as fast as it goes


class Proxy:
    """Listens on a loopback port and carries every connection to `port`, as `line` allows."""

    def __init__(self, port: int) -> None:
        self.line = Line()
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Break all and listen no more."""
        if self._server:
            self._server.close()
        self.break_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def break_all(self) -> None:
        """Reset every connection that stands."""
        for writer in list(self._open):
            _reset(writer)

    def cut(self) -> None:
        """Break every connection and let no other come to stand."""
        self.line.state = State.CUT
        self.break_all()

    def half_open(self) -> None:
        """From now on connections stand and are accepted, but nothing gets through, in either direction."""
        self.line.state = State.HALF_OPEN

    def heal(self) -> None:
        """Be a sound line again. What was swallowed is gone, so connections that lost bytes are broken."""
        if self.line.state is State.HALF_OPEN:
            self.break_all()
        self.line = Line()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.line.state is State.CUT:
            _reset(writer)
            return
        self._open.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self.line.state is State.HALF_OPEN:
                while await reader.read(CHUNK_BYTES):
                    pass
                return
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._to)
            self._open.add(far)
            up = asyncio.create_task(self._pump(reader, far))
            down = asyncio.create_task(self._pump(far_reader, writer))
            _, rest = await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            for one in rest:
                one.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        except OSError:
            pass  # the far side is not there: the near side sees a broken line
        finally:
            for end in (writer, far):
                if end is not None:
                    self._open.discard(end)
                    _reset(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.line.late_s:
                await asyncio.sleep(self.line.late_s)
            while data:
                if self.line.state is not State.SOUND:
                    break  # swallowed
                rate = self.line.bytes_per_s
                piece = data[: max(1, int(rate / 10))] if rate else data
                data = data[len(piece) :]
                writer.write(piece)
                await writer.drain()
                if rate:
                    await asyncio.sleep(len(piece) / rate)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
