"""Time servers for tests: a real chronyd, and a small one that can be told to lie."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import cast

import servers

UNIX_S = 2_208_988_800
_ASK_AGAIN_S = 0.2

Answer = Callable[[bytes], list[bytes]]
"""What a server sends for a question: nothing, one packet, or several."""


class Chrony(servers.Server):
    """A chronyd that keeps its hands off the machine's clock and serves it, as a server of stratum 1."""

    def command(self) -> list[str]:
        config = self.folder / "chrony.conf"
        config.write_text(
            f"port {self.port}\nbindaddress {self.host}\nallow {self.host}\nlocal stratum 1\ncmdport 0\n"
            f"user root\npidfile {self.folder}/chronyd.pid\ndriftfile {self.folder}/drift\n",
            encoding="utf-8",
        )
        return [servers.program("chronyd"), "-x", "-d", "-f", str(config)]

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(_ASK_AGAIN_S)
            client.connect((self.host, self.port))
            try:
                client.send(b"\x23" + bytes(39) + b"question")
                answer = client.recv(96)
            except OSError:
                return False
        return len(answer) >= 48 and answer[0] >> 6 != 3


def answer(
    question: bytes,
    epoch_s: float | None = None,
    *,
    leap: int = 0,
    mode: int = 4,
    stratum: int = 2,
    code: bytes = b"GPS\0",
    nonce: bytes | None = None,
) -> bytes:
    """Return the packet of a server whose clock shows `epoch_s`; the host's by default."""
    seconds = (time.time() if epoch_s is None else epoch_s) + UNIX_S
    stamp = struct.pack(">II", int(seconds) & 0xFFFFFFFF, int(seconds % 1 * 2**32))
    head = bytes((leap << 6 | 4 << 3 | mode, stratum, 6, 0xEC)) + bytes(8) + code
    return head + stamp + (question[40:48] if nonce is None else nonce) + stamp + stamp


class SntpServer(asyncio.DatagramProtocol):
    """Answers on a free loopback port as `answers` says; counts the questions."""

    def __init__(self, answers: Answer = lambda question: [answer(question)]) -> None:
        self.answers = answers
        self.asked = 0
        self.address = ""
        self._changed = asyncio.Condition()
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Open the port; `address` is host:port then."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(servers.HOST, 0))
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def close(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.close()

    async def until_asked(self, times: int = 1, timeout_s: float = 10) -> None:
        """Return when so many questions came."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: self.asked >= times)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question."""
        transport = cast(asyncio.DatagramTransport, self._transport)
        for packet in self.answers(data):
            transport.sendto(packet, addr)
        self.asked += 1
        self._notify = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
