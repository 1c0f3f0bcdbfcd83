"""The board in the engineer's hand: found, asked who it is, flashed and filled."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from edge.field.chips import FAMILIES, PICO_W, Family, FlashOptions
from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.image import Layout
from edge.field.micropython import Image
from edge.field.ports import Port, choose_port
from edge.field.stages import Course, Stage, State
from edge.field.toolbox import Toolbox

LOOK_S = 1.5
BACK_WITHIN_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Handling:
    """How a board is to be handled.

    by: `flash` writes one image, `copy` goes over MicroPython's prompt, `auto` copies where MicroPython runs
    already: what the node has not yet delivered stays on it. erase: everything goes. console: the port of the
    node after its restart, where it is another. taken: serial numbers of boards that are done.
    """

    port: str | None = None
    console: str | None = None
    by: str = "auto"
    erase: bool = False
    image: Path | None = None
    digest: str | None = None
    drive: Path | None = None
    taken: frozenset[str] = frozenset()
    options: FlashOptions = field(default_factory=FlashOptions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A board that was found: where, which chip, its number; whether MicroPython runs on it, and which node."""

    port: Port
    family: Family
    serial: str
    python: bool = False
    node: str = ""

    @property
    def firmware_board(self) -> str:
        """The name of its board in the firmware, which births tell as hardware."""
        return self.family.name


class BoardWork:
    """The stages port, chip, flash and files of one course."""

    def __init__(self, tools: Toolbox, handling: Handling, course: Course) -> None:
        self._tools = tools
        self._handling = handling
        self._course = course
        self._image: Image | None = None

    async def find(self) -> Board:
        """Find the board and ask who it is; a bare Pico W gets its MicroPython on the way."""
        with self._course.at(Stage.PORT) as step:
            port = self._find_port()
            if port is not None:
                await asyncio.to_thread(self._tools.check_port, port.device)
            step.detail = "Pico W, waiting for its program" if port is None else _named(port)
        with self._course.at(Stage.CHIP) as step:
            if port is None:
                step.detail = "RP2040, bare"
                return await self._wake_pico()
            board = await self._ask(port)
            if board.serial in self._handling.taken:
                raise diagnose(Symptom.SAME_BOARD, serial=board.serial)
            step.detail = f"{board.family.label}, {board.serial}" + (f", is {board.node}" if board.node else "")
            return board

    async def flash(self, board: Board, layout: Layout | None = None) -> None:
        """Write MicroPython, and the files if they are laid out, unless it runs there already."""
        with self._course.at(Stage.FLASH) as step:
            if board.python and not self._handling.erase and layout is None:
                step.state, step.detail = State.KEPT, "MicroPython runs already"
                return
            if board.family is PICO_W:
                self._image = self._find_image(PICO_W)
                await self._copy_uf2(self._image)
            else:
                image = self._image = self._find_image(board.family)
                with tempfile.TemporaryDirectory() as folder:
                    parts = [(board.family.offset, image.file)]
                    if layout is not None:
                        parts.append(self._packed(image, layout, Path(folder)))
                    tool = self._tools.chip_tool(board.port.device, self._handling.options)
                    await tool.write(
                        parts, self._course.say, erase=self._handling.erase, restart=layout is not None
                    )
            step.detail = f"{self._image.file.name}, verified"

    async def fill(self, board: Board, layout: Layout) -> None:
        """Bring the node's files onto the board, and restart it."""
        with self._course.at(Stage.FILES) as step:
            if self.copies(board):
                files = self._tools.files(layout)
                tool = self._tools.file_tool(board.port.device)
                await tool.copy(files, self._course.say, node=str((layout.settings or {}).get("node", "")))
                await tool.reset()
                step.detail = f"{len(files)} files, copied"
                return
            image = self._image or self._find_image(board.family)
            with tempfile.TemporaryDirectory() as folder:
                part = self._packed(image, layout, Path(folder))
                tool_chip = self._tools.chip_tool(board.port.device, self._handling.options)
                await tool_chip.write([part], self._course.say, restart=True)
            step.detail = "one image, verified"

    def copies(self, board: Board) -> bool:
        """Tell whether the files go over MicroPython's prompt."""
        if board.family is PICO_W:
            return True
        return self._handling.by == "copy" or (
            self._handling.by == "auto" and board.python and not self._handling.erase
        )

    def _find_port(self) -> Port | None:
        try:
            return choose_port(self._handling.port, self._tools.ports())
        except FieldError as error:
            if error.symptom is Symptom.NO_BOARD and (self._handling.drive or self._pico_waits()):
                return None
            raise

    def _pico_waits(self) -> bool:
        try:
            self._tools.pico_drive(self._handling.drive)
        except FieldError:
            return False
        return True

    async def _ask(self, port: Port) -> Board:
        node, python = "", port.is_pico or self._handling.by == "copy"
        if self._handling.by != "flash":
            self._course.say("does it run MicroPython?")
            node, python = await asyncio.to_thread(self._look, port.device)
            python = python or port.is_pico or self._handling.by == "copy"
        if python:
            tool = self._tools.file_tool(port.device)
            family = _family(await tool.platform())
            serial = await tool.serial()
            if self._handling.erase and family is not PICO_W:
                chip = await self._tools.chip_tool(port.device, self._handling.options).identify()
                family = FAMILIES[chip.family]
            return Board(port=port, family=family, serial=serial, python=True, node=node)
        self._course.say("asking its boot ROM")
        chip = await self._tools.chip_tool(port.device, self._handling.options).identify()
        return Board(port=port, family=FAMILIES[chip.family], serial=chip.serial)

    def _look(self, device: str) -> tuple[str, bool]:
        """Return which node answers at the console, and whether MicroPython does."""
        console = self._tools.console(device)
        try:
            status = console.status(LOOK_S)
            if status is not None:
                return status.node, True
            return "", console.prompt(LOOK_S)
        finally:
            console.close()

    async def _wake_pico(self) -> Board:
        before = {port.device for port in self._tools.ports()}
        image = self._image = self._find_image(PICO_W)
        await self._copy_uf2(image)
        until_s = self._tools.clock() + BACK_WITHIN_S
        while self._tools.clock() < until_s:
            found = next((p for p in self._tools.ports() if p.is_pico and p.device not in before), None)
            if found is not None:
                serial = await self._tools.file_tool(found.device).serial()
                return Board(port=found, family=PICO_W, serial=serial, python=True)
            await self._tools.sleep(0.25)
        raise diagnose(Symptom.NO_BOARD, seen=" after MicroPython was copied to the Pico W")

    async def _copy_uf2(self, image: Image) -> None:
        drive = self._tools.pico_drive(self._handling.drive)
        await asyncio.to_thread(self._tools.copy_uf2, image.file, drive, self._course.say)

    def _find_image(self, family: Family) -> Image:
        return self._tools.shelf.find(family, self._handling.image, self._handling.digest)

    def _packed(self, image: Image, layout: Layout, folder: Path) -> tuple[int, Path]:
        """Return offset and file of the node's file system; what is empty at its end is not written."""
        assert image.files is not None
        raw = self._tools.image(layout, image.files.size).rstrip(b"\xff")
        target = folder / "files.bin"
        target.write_bytes(raw + b"\xff" * (-len(raw) % 4096))
        return image.files.offset, target


def _family(platform: str) -> Family:
    """Return the family of what a board calls itself: sys.platform, and the machine of os.uname()."""
    if platform.startswith("rp2"):
        return PICO_W
    for name in ("esp32c3", "esp32s3", "esp32"):
        if platform.startswith("esp32") and name in platform.lower():
            return FAMILIES[name]
    raise diagnose(Symptom.UNKNOWN_CHIP, found=platform)


def _named(port: Port) -> str:
    return f"{port.device}, {port.chip}" if port.chip else port.device
