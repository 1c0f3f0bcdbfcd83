"""Unmodified esptool and mpremote do what the tools ask of them: on a chip's ROM, and on real MicroPython."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from field_rig import Workplace, esp_image
from firmware.rom import FakeRom

from edge.field.board import BoardWork, Handling
from edge.field.chips import FAMILIES, EspTool, FlashOptions
from edge.field.console import Console
from edge.field.diagnosis import FieldError, Symptom
from edge.field.files import MpRemote
from edge.field.image import FILE_SYSTEMS, Layout, build_image, flash_files, read_image
from edge.field.ports import check_port
from edge.field.stages import Course, Stage, State
from edge.field.toolbox import Toolbox
from simulators.virtual.node import VirtualNode

MAC, SERIAL = "24:dc:c3:a1:b2:c4", "24dcc3a1b2c4"
ROM = FlashOptions(reset=False, stub=False)
WITHIN_S = 90.0
NOISE = bytes(range(256)) * 200
LAID = {"boot.py": b"", "main.py": b"print('begun')\nwhile True: pass\n"}


@pytest.fixture
def rom() -> Iterator[FakeRom]:
    """An ESP32 that waits for its program."""
    with FakeRom(mac=MAC) as chip:
        yield chip


@pytest.fixture
def tools(place: Workplace, tmp_path: Path) -> Toolbox:
    """Real tools, and an image that is larger than its header."""
    (tmp_path / "large.bin").write_bytes(esp_image(0) + NOISE)
    place.tools.shelf.find(FAMILIES["esp32"], tmp_path / "large.bin")
    return replace(
        place.tools, chip_tool=EspTool, file_tool=MpRemote, console=Console, check_port=check_port, ports=list,
        files=flash_files, image=build_image,
    )  # fmt: skip


@pytest.fixture
async def board(tmp_path: Path, micropython: str) -> AsyncIterator[VirtualNode]:
    """A board at its port that runs MicroPython and a program that never ends."""
    image = tmp_path / "board.img"
    image.write_bytes(build_image(Layout(board="esp32", files=LAID), 1 << 20))
    node = VirtualNode(image, micropython, serial=SERIAL, link=tmp_path / "port")
    await node.start()
    await node.until(lambda: "begun" in node.lines, WITHIN_S)
    yield node
    await node.stop()


async def test_a_bare_chip_is_flashed_with_micropython_and_the_nodes_files(
    rom: FakeRom, tools: Toolbox
) -> None:
    told: list[float] = []
    course = Course((Stage.PORT, Stage.CHIP, Stage.FLASH), tools.clock, lambda c: told.extend(_fractions(c)))
    work = BoardWork(tools, Handling(port=rom.port, by="flash", options=ROM), course)
    found = await work.find()
    assert (found.family.label, found.serial) == ("ESP32", SERIAL)
    await work.flash(found, Layout(board="esp32", settings={"node": "cn-1"}, files={"node.key": b"k"}))
    region = FILE_SYSTEMS["esp32"]
    files = read_image(rom.region(region.offset, region.size))
    assert files["settings.json"] == b'{"node":"cn-1"}' and files["node.key"] == b"k" and "boot.py" in files
    assert rom.region(0x1000 + len(esp_image(0)), len(NOISE)) == NOISE
    assert told == sorted(told) and told[-1] == 1.0, "progress runs over all that is written, and never back"


def _fractions(course: Course) -> list[float]:
    step = course.steps[Stage.FLASH]
    return [] if step.fraction is None else [step.fraction]


async def test_a_chip_whose_flash_is_worn_is_not_taken_for_flashed(rom: FakeRom, tools: Toolbox) -> None:
    rom.worn = {0x2000}
    course = Course((Stage.PORT, Stage.CHIP, Stage.FLASH), tools.clock)
    work = BoardWork(tools, Handling(port=rom.port, by="flash", options=ROM), course)
    with pytest.raises(FieldError) as caught:
        await work.flash(await work.find())
    assert caught.value.symptom is Symptom.FLASH_DIFFERS
    assert course.steps[Stage.FLASH].state is State.FAILED


async def test_an_image_for_another_chip_never_reaches_the_flash(tools: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "esp32.bin").write_bytes(esp_image(0))
    with FakeRom(chip="esp32c3", mac=MAC) as rom:
        handling = Handling(port=rom.port, by="flash", options=ROM, image=tmp_path / "esp32.bin")
        work = BoardWork(tools, handling, Course((Stage.PORT, Stage.CHIP, Stage.FLASH), tools.clock))
        with pytest.raises(FieldError) as caught:
            await work.flash(await work.find())
        assert caught.value.symptom is Symptom.WRONG_CHIP
        assert set(rom.flash) == {0xFF}


async def test_a_board_that_runs_micropython_is_asked_and_filled_over_its_prompt(
    board: VirtualNode, tools: Toolbox
) -> None:
    course = Course((Stage.PORT, Stage.CHIP, Stage.FILES), tools.clock)
    work = BoardWork(tools, Handling(port=board.port), course)
    found = await work.find()
    assert (found.python, found.serial, found.family.name) == (True, SERIAL, "esp32")
    layout = Layout(board="esp32", settings={"node": "cn-1"}, files={**LAID, "node.key": b"\x00key"})
    await work.fill(found, layout)
    await board.until(lambda: list(board.lines).count("begun") >= 1 and board.starts > 2, WITHIN_S)
    await board.power_cut(again=False)
    assert read_image(board.image.read_bytes()) == flash_files(layout)


async def test_a_node_that_is_filled_again_keeps_its_readings_and_nothing_else_of_before(
    board: VirtualNode, tools: Toolbox, tmp_path: Path
) -> None:
    await board.power_cut(again=False)
    old = {
        **LAID, "settings.json": b'{"node": "cn-1"}', "data/outbox": b"readings", "data/errors": b"old",
        "data/changed.json": b"{}", "data/boot": b"12", "a/drivers/gone.py": b"old",
    }  # fmt: skip
    board.image.write_bytes(build_image(Layout(board="esp32", files=old), 1 << 20))
    await board.start()
    tool, told = MpRemote(board.port), []
    layout = Layout(board="esp32", settings={"node": "cn-1"}, files=LAID)
    await tool.copy(flash_files(layout), lambda words, _: told.append(words), node="cn-1")
    kept = await asyncio.to_thread(_files_after_cut, board)
    assert kept["data/outbox"] == b"readings" and kept["data/boot"] == b"12"
    assert not {"data/errors", "data/changed.json", "a/drivers/gone.py"} & set(kept)
    assert told[-1] == f"copying {list(flash_files(layout))[-1]}"


async def test_a_board_that_was_another_node_gives_up_that_nodes_readings(board: VirtualNode) -> None:
    await board.power_cut(again=False)
    old = {**LAID, "settings.json": b'{"node": "cn-1"}', "data/outbox": b"readings", "data/boot": b"12"}
    board.image.write_bytes(build_image(Layout(board="esp32", files=old), 1 << 20))
    await board.start()
    files = flash_files(Layout(board="esp32", settings={"node": "cn-2"}, files=LAID))
    await MpRemote(board.port).copy(files, lambda *_: None, node="cn-2")
    kept = await asyncio.to_thread(_files_after_cut, board)
    assert "data/outbox" not in kept and kept["data/boot"] == b"12"


def _files_after_cut(board: VirtualNode) -> dict[str, bytes]:
    asyncio.run(board.power_cut(again=False))
    return read_image(board.image.read_bytes())


async def test_a_board_that_another_program_holds_is_told_by_the_programs_name(board: VirtualNode) -> None:
    process = await asyncio.create_subprocess_exec(
        "python3", "-c", f"import os, time; fd = os.open({board.port!r}, os.O_RDWR); import fcntl;"
        "fcntl.flock(fd, fcntl.LOCK_EX); print('held', flush=True); input()",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        with pytest.raises(FieldError) as caught:
            check_port(board.port)
    finally:
        await process.communicate(b"\n")
    assert caught.value.symptom is Symptom.PORT_BUSY
    assert f"(process {process.pid})" in caught.value.cause
