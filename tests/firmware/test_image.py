"""The LittleFS image of a node holds what it should, and a real MicroPython reads it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import servers
from firmware.board import WITHIN_S

from edge.field.image import (
    FILE_SYSTEMS,
    ImageError,
    Layout,
    build_image,
    compile_module,
    firmware_folder,
    firmware_version,
    flash_files,
    read_image,
    slot_files,
    write_file,
)
from simulators.virtual.node import VirtualNode

if TYPE_CHECKING:
    from conftest import MicroPython

SIZE = 1 << 20
SETTINGS = {"node": "stage-0001", "kind": "water_level"}
LAYOUT = Layout(board="esp32", settings=SETTINGS, files={"node.key": bytes(range(256)), "ca.crt": b"\x30\x82"})


def test_every_module_of_the_firmware_compiles_for_a_board() -> None:
    modules = slot_files()

    assert len(modules) > 15 and {"lib/cityneuron/node.mpy", "boards/esp32.mpy"} <= set(modules)
    assert all(content[:2] == b"M\x06" for content in modules.values())  # what 1.25 reads
    assert not any(path.startswith(("virtual", "boards/unix")) for path in modules)


def test_what_is_laid_down_comes_back_with_its_manifest() -> None:
    found = read_image(build_image(LAYOUT, SIZE))

    assert found == flash_files(LAYOUT)
    assert json.loads(found["settings.json"]) == SETTINGS
    assert json.loads(found["slot.json"]) == {"active": "a", "trial": None, "boots": 0}
    manifest = json.loads(found["a/manifest.json"])
    assert (manifest["version"], manifest["board"]) == (firmware_version(), "esp32")
    assert manifest["files"] == {
        path.removeprefix("a/"): hashlib.sha256(content).hexdigest()
        for path, content in found.items()
        if path.startswith("a/") and path != "a/manifest.json"
    }


def test_sources_can_be_laid_down_as_they_are() -> None:
    files = flash_files(Layout(board="pico_w", version="9.9.9", compiled=False))

    source = firmware_folder() / "lib" / "cityneuron" / "node.py"
    assert files["a/lib/cityneuron/node.py"] == source.read_bytes() and "settings.json" not in files
    assert json.loads(files["a/manifest.json"])["version"] == "9.9.9"


def test_the_file_system_of_every_board_holds_the_firmware() -> None:
    for region in FILE_SYSTEMS.values():
        assert len(build_image(LAYOUT, region.size)) == region.size
        assert region.offset % 4096 == region.size % 4096 == 0


def test_a_flash_too_small_and_a_source_that_is_wrong_are_errors_with_a_remedy() -> None:
    with pytest.raises(ImageError, match=r"does not fit into 65536 bytes of flash.*more flash"):
        build_image(LAYOUT, 65_536)
    with pytest.raises(ImageError, match=r"drivers/new.py does not compile.*SyntaxError"):
        compile_module("drivers/new.py", b"def read(:\n")
    with pytest.raises(ImageError, match="no LittleFS"):
        read_image(bytes(SIZE))
    with pytest.raises(ImageError, match="cannot be written there"):
        write_file(bytes(SIZE), "settings.json", b"{}")
    with pytest.raises(ImageError, match="no whole number of blocks"):
        build_image(LAYOUT, 100_000)


async def test_a_real_micropython_reads_every_byte_of_it(micropython: MicroPython, tmp_path: Path) -> None:
    program = b"""
import hashlib, os
def walk(folder):
    for name, kind, *_ in os.ilistdir(folder):
        path = folder + "/" + name
        if kind == 0x4000:
            walk(path)
        else:
            with open(path, "rb") as file:
                print(path[1:], hashlib.sha256(file.read()).digest().hex())
walk("")
import sys
sys.path.insert(0, "/a/lib")
from cityneuron import pack, outbox, link
print("imported")
"""
    layout = Layout(
        board="esp32", settings=SETTINGS, files={**LAYOUT.files, "main.py": program, "boot.py": b""}
    )
    image = tmp_path / "node.img"
    image.write_bytes(build_image(layout, SIZE))
    node = VirtualNode(image, micropython.executable)
    await node.start()
    try:
        await node.until(lambda: "imported" in node.lines, WITHIN_S)
    finally:
        await node.stop()

    told = dict(line.split() for line in node.lines if line != "imported")
    assert told == {path: hashlib.sha256(content).hexdigest() for path, content in flash_files(layout).items()}


def test_an_installed_package_brings_the_firmware_along(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=servers.PROJECT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    script = "from edge.field import image; print(image.firmware_folder()); print(len(image.slot_files()))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "installed", capture_output=True, text=True, check=True
    )

    folder, modules = done.stdout.splitlines()
    assert Path(folder) == tmp_path / "installed" / "firmware"
    assert int(modules) == len(slot_files()) and (Path(folder) / "virtual" / "start.py").is_file()
