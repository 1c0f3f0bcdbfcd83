"""A time server on loopback for virtual nodes: RFC 4330, the host's clock. Without one they date nothing."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from edge.model.errors import ConfigError

HOST = "127.0.0.1"
_UNIX_S = 2_208_988_800  # from 1900, where NTP counts from, to 1970
_HEAD = bytes((4 << 3 | 4, 2, 6, 0xEC)) + bytes(8) + b"HOST"  # version 4, server, stratum 2
_QUESTION_BYTES = 48


class _Timekeeper(asyncio.DatagramProtocol):
    """Answers each question with the time, and with the question's own stamp."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) >= _QUESTION_BYTES:
            seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
            fraction = (nanoseconds << 32) // 1_000_000_000
            now = struct.pack(">II", (seconds + _UNIX_S) & 0xFFFFFFFF, fraction)
            self._transport.sendto(_HEAD + now + data[40:48] + now + now, addr)


@asynccontextmanager
async def timekeeper(port: int = 0) -> AsyncIterator[str]:
    """Answer on a port of loopback (0: a free one) while the block lasts; yield HOST:PORT.

    Raises ConfigError when somebody else has the port.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(_Timekeeper, local_addr=(HOST, port))
    except OSError as error:
        raise ConfigError(
            f"no time can be given to the node on port {port}: {error}",
            remedy="does it run already? else give another --id",
        ) from None
    try:
        yield f"{HOST}:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()
