"""The real esptool flashes a chip that is not there, and what it wrote is a node that runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from firmware.board import WITHIN_S
from firmware.rom import FakeRom

from edge.field.image import FILE_SYSTEMS, Layout, build_image
from simulators.virtual.node import VirtualNode

if TYPE_CHECKING:
    from conftest import MicroPython

MAC = "a0:b7:65:11:22:33"
REGION = FILE_SYSTEMS["esp32"]
ESPTOOL_WITHIN_S = 110


@pytest.fixture
def chip() -> Iterator[FakeRom]:
    """An ESP32 in download mode."""
    with FakeRom(mac=MAC) as rom:
        yield rom


async def esptool(rom: FakeRom, *arguments: object, status: int = 0) -> str:
    """Run esptool on the chip's port; return what it prints."""
    options = ("--port", rom.port, "--before", "no-reset", "--after", "no-reset", "--no-stub")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "esptool", *options, *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(ESPTOOL_WITHIN_S):
        output, _ = await process.communicate()
    assert process.returncode == status, output.decode()
    return output.decode()


async def test_esptool_finds_chip_mac_and_flash(chip: FakeRom) -> None:
    told = await esptool(chip, "flash-id")

    assert "ESP32-D0WD-V3 (revision v3.0)" in told and MAC in told
    assert "Detected flash size: 4MB" in told and "Crystal frequency:  40MHz" in told


async def test_another_chip_is_told_apart() -> None:
    with FakeRom(chip="esp32c3", mac=MAC) as other:
        told = await esptool(other, "read-mac")
        assert "ESP32-C3" in told and MAC in told
        refused = await esptool(other, "--chip", "esp32", "read-mac", status=2)
        assert "This chip is ESP32-C3, not ESP32" in refused


async def test_what_esptool_wrote_and_verified_boots(
    chip: FakeRom, micropython: MicroPython, tmp_path: Path
) -> None:
    layout = Layout(
        board="esp32", files={"boot.py": b"", "main.py": b"print('flashed', open('/settings.json').read())"}
    )
    image = build_image(Layout(board="esp32", settings={"node": "n-1"}, files=layout.files), REGION.size)
    (tmp_path / "image").write_bytes(image)

    told = await esptool(chip, "write-flash", hex(REGION.offset), tmp_path / "image")

    assert "Hash of data verified" in told and chip.region(REGION.offset, REGION.size) == image
    flash = tmp_path / "node.img"
    flash.write_bytes(chip.region(REGION.offset, REGION.size))
    node = VirtualNode(flash, micropython.executable, serial=MAC.replace(":", ""))
    await node.start()
    try:
        await node.until(lambda: 'flashed {"node":"n-1"}' in node.lines, WITHIN_S)
    finally:
        await node.stop()


async def test_a_flash_that_is_worn_fails_the_verification(chip: FakeRom, tmp_path: Path) -> None:
    chip.worn = {0x1234}
    (tmp_path / "image").write_bytes(b"\xaa" * 0x4000)

    told = await esptool(chip, "write-flash", "0x0", tmp_path / "image", status=2)

    assert "MD5" in told
