"""A line of simulated devices on a serial port or behind TCP: bytes in, their answers out, late ones late."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Protocol

_READ_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device says, so long after it was asked."""

    data: bytes
    after_s: float = 0.0


class Devices(Protocol):
    """All devices of one line."""

    def feed(self, data: bytes) -> list[Answer]:
        """Take what the master sent, cut anywhere; return what is answered to the frames that are whole."""


def collided(answers: list[Answer]) -> list[Answer]:
    """Return what is heard when these answer at once: nobody, one of them, or a muddle of all."""
    if len(answers) < 2:
        return answers
    muddle = reduce(lambda one, other: bytes(a & b for a, b in zip(one, other, strict=False)),
                    (answer.data for answer in answers))  # fmt: skip
    return [Answer(muddle, max(answer.after_s for answer in answers))]


class _Speaker:
    """Sends answers at their times, while the next question may come in already."""

    def __init__(self, devices: Devices, write: Callable[[bytes], object]) -> None:
        self._devices = devices
        self._write = write
        self._waiting: set[asyncio.TimerHandle] = set()

    def hear(self, data: bytes) -> None:
        """Take bytes of the master."""
        for answer in self._devices.feed(data):
            if answer.after_s:
                loop = asyncio.get_running_loop()
                self._waiting.add(loop.call_later(answer.after_s, self._write, answer.data))
            else:
                self._write(answer.data)

    def close(self) -> None:
        """Forget what is not yet said."""
        for handle in self._waiting:
            handle.cancel()


@contextlib.asynccontextmanager
async def behind_tcp(devices: Devices, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve the devices as a serial server does, while the block lasts; yield the port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaker = _Speaker(devices, writer.write)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_READ_BYTES):
                speaker.hear(data)
        speaker.close()
        writer.close()

    server = await asyncio.start_server(talk, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def on_port(devices: Devices, port: Path, baud: int = 9600) -> AsyncIterator[None]:
    """Serve the devices on a serial port or a pseudo terminal, while the block lasts."""
    handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()
    try:
        tty.setraw(handle)
        settings = termios.tcgetattr(handle)
        settings[4] = settings[5] = getattr(termios, f"B{baud}")
        termios.tcsetattr(handle, termios.TCSANOW, settings)
        speaker = _Speaker(devices, lambda data: os.write(handle, data))
        loop.add_reader(handle, lambda: speaker.hear(os.read(handle, _READ_BYTES)))
        yield
        speaker.close()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
