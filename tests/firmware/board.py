"""A virtual board with a program of the test's own on it, and small models of sensors for its buses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.field.image import Layout, build_image
from edge.model.errors import CityError
from simulators.virtual.node import VirtualNode

FLASH_BYTES = 512 * 1024
WITHIN_S = 30.0


class NobodyThere(CityError):
    """No device has this address."""


@dataclass(slots=True)
class Echo:
    """A serial device that answers with what it was sent, turned round, and says `news` unasked."""

    news: list[bytes] = field(default_factory=list)

    def uart(self, written: bytes) -> bytes:
        """Answer, or tell the news."""
        return written[::-1] or (self.news.pop(0) if self.news else b"")


@dataclass(slots=True)
class Registers:
    """An I2C device with 256 registers at one address."""

    address: int
    content: bytearray = field(default_factory=lambda: bytearray(range(256)))

    def i2c(self, address: int, written: bytes, wanted: int) -> bytes:
        """Write registers, or read them from the one that was named."""
        if address != self.address:
            raise NobodyThere(f"0x{address:02x}")
        if written:
            self.content[written[0] : written[0] + len(written) - 1] = written[1:]
            return bytes(self.content[written[0] : written[0] + wanted])
        return b""


def place(
    folder: Path, program: str, micropython: str, files: Mapping[str, bytes] | None = None, **options: Any
) -> VirtualNode:
    """Return a board, not yet started, whose main.py is `program`."""
    image = folder / "node.img"
    laid = {"boot.py": b"", "main.py": program.encode(), **(files or {})}
    image.write_bytes(build_image(Layout(board="esp32", files=laid), FLASH_BYTES))
    return VirtualNode(image, micropython, **options)
