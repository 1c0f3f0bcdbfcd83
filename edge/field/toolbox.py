"""What the work on a board is done with: thin ports to the world; tests may hand in others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.field.chips import Chip, EspTool, FlashOptions, Progress
from edge.field.console import Console
from edge.field.files import MpRemote
from edge.field.identity import KeyRing
from edge.field.image import Layout, build_image, flash_files
from edge.field.micropython import ImageShelf
from edge.field.pico import copy_uf2, find_drive
from edge.field.ports import Port, check_port, seen_ports
from edge.field.status import NodeStatus


class ChipTool(Protocol):
    """Asks and writes a chip in its boot ROM."""

    async def identify(self) -> Chip:
        """Return which chip is there."""

    async def write(
        self,
        parts: Sequence[tuple[int, Path]],
        progress: Progress,
        *,
        erase: bool = False,
        restart: bool = False,
    ) -> None:
        """Write files at their offsets, and verify."""


class FileTool(Protocol):
    """Asks and fills a board that runs MicroPython."""

    async def serial(self) -> str:
        """Return the chip's own number."""

    async def platform(self) -> str:
        """Return sys.platform and the machine."""

    async def copy(self, files: Mapping[str, bytes], progress: Progress, *, node: str) -> None:
        """Write files at their paths."""

    async def reset(self) -> None:
        """Restart the board."""


class ConsoleTool(Protocol):
    """A node's console."""

    heard: list[str]

    def status(self, timeout_s: float) -> NodeStatus | None:
        """Ask for the node's status."""

    def prompt(self, timeout_s: float) -> bool:
        """Tell whether MicroPython's prompt is there."""

    def close(self) -> None:
        """Let go of the port."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolbox:
    """All of it. `files` lays a flash out, `image` makes it one; `update_keys` is keys.json."""

    keys: KeyRing
    shelf: ImageShelf
    files: Callable[[Layout], dict[str, bytes]] = flash_files
    image: Callable[[Layout, int], bytes] = build_image
    update_keys: bytes = b""
    chip_tool: Callable[[str, FlashOptions], ChipTool] = EspTool
    file_tool: Callable[[str], FileTool] = MpRemote
    console: Callable[[str], ConsoleTool] = Console
    ports: Callable[[], list[Port]] = seen_ports
    check_port: Callable[[str], None] = check_port
    pico_drive: Callable[[Path | None], Path] = find_drive
    copy_uf2: Callable[[Path, Path, Progress], None] = copy_uf2
    clock: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
