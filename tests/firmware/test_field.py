"""The whole way of a board: flashed, provisioned, heard, filled again, replaced, updated well and badly."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import servers
from field_city import Bench, FieldCity, command, until
from field_rig import esp_image
from time_servers import Chrony

from gateway.statement import read_accounts

if TYPE_CHECKING:
    from conftest import MicroPython

pytestmark = [pytest.mark.real, pytest.mark.alone, pytest.mark.timeout(600)]

NODE = "stage-0042"
FIRST, SECOND = "a0:b7:65:11:22:33", "a0:b7:65:44:55:66"
ROM_OPTIONS = ("--no-reset", "--no-stub", "--baud", "115200")
WIFI = "city-iot"
FIRMWARE = servers.PROJECT / "firmware"


@pytest.fixture
async def city(tmp_path: Path, influxdb: servers.InfluxDB) -> AsyncIterator[FieldCity]:
    """A city whose nodes take updates signed by a key of the test."""
    clock = Chrony(tmp_path / "chrony")
    clock.start()
    try:
        await command("node", "bundle", "keys", tmp_path / "update.pem")
        made = FieldCity(tmp_path, influxdb, f"{clock.host}:{clock.port}", (str(tmp_path / "update.pub"),))
        async with made.living():
            yield made
    finally:
        clock.kill()


async def flashed(city: FieldCity, bench: Bench, *words: object) -> str:
    """Let the command line flash and provision the board on the bench, and start what it wrote."""
    image = city.folder / "micropython.bin"
    image.write_bytes(esp_image(0))
    options = (
        "--image",
        image,
        "--by",
        "flash",
        "--console-port",
        bench.port,
        "--wifi",
        WIFI,
        *ROM_OPTIONS,
    )
    with bench.rom:
        booting = asyncio.create_task(bench.boot_when_flashed())
        try:
            told = await city.node(*words, *options)
        finally:
            if not booting.done():
                booting.cancel()
            await asyncio.wait([booting])
        booting.result()
    return str(told)


async def more_is_stored(city: FieldCity, node: str, by: int = 3) -> None:
    """Return when the store has so many more readings of a node."""
    before, _ = city.stored(node)
    await until(lambda: city.stored(node)[0] >= before + by)


async def bundle(city: FieldCity, version: str, change: tuple[str, str] | None = None) -> Path:
    """Return a signed bundle of the firmware, or of one in which a text of app.py is another."""
    sources = city.folder / f"firmware-{version}"
    shutil.copytree(FIRMWARE, sources)
    if change is not None:
        file = sources / "lib" / "cityneuron" / "app.py"
        text = file.read_text(encoding="utf-8")
        assert change[0] in text
        file.write_text(text.replace(*change), encoding="utf-8")
    made = city.folder / f"{version}.cnb"
    words = ("--key", city.folder / "update.pem", "--firmware", sources, "--version", version, "-o", made)
    await command("node", "bundle", "build", *words)
    return made


async def test_a_board_lives_from_its_box_to_its_second_firmware(
    city: FieldCity, micropython: MicroPython, tmp_path: Path
) -> None:
    first = Bench(tmp_path / "first", micropython.executable, FIRST)
    second = Bench(tmp_path / "second", micropython.executable, SECOND)
    try:
        await flashed(
            city, first, "provision", "--kind", "water_level", "--id", NODE, "--at", "31.2712,121.5203",
            "--datum-mm", "5200", "--period", "1", "--port", first.rom.port,
        )  # fmt: skip
        await more_is_stored(city, NODE)
        shown = await city.node("show", NODE, "--json", json_out=True)
        assert shown["device"]["serial"] == first.serial

        # once more, over MicroPython's prompt: what was acknowledged stays acknowledged, nothing is lost
        await city.node(
            "provision", "--kind", "water_level", "--id", NODE, "--datum-mm", "5200", "--period", "1",
            "--by", "copy", "--port", first.port, "--console-port", first.port, "--wifi", WIFI,
        )  # fmt: skip
        await more_is_stored(city, NODE)

        # the board dies; another one takes its place
        await first.virtual.stop()
        await flashed(city, second, "replace", NODE, second.rom.port)
        await more_is_stored(city, NODE)
        shown = await city.node("show", NODE, "--json", json_out=True)
        assert shown["device"]["serial"] == second.serial and shown["node"]["lat"] == 31.2712

        # a good update stays, a bad one returns by itself
        await city.node("update", await bundle(city, "9.1"), "--node", NODE, "--rings", "100")
        shown = await city.node("show", NODE, "--json", json_out=True)
        assert (shown["device"]["firmware"], shown["device"]["trial"]) == ("9.1", False)
        bad = await bundle(
            city, "9.2", ("def build(board, log):", "def build(board, log):\n    raise ValueError(9)\n")
        )
        told = await city.node("update", bad, "--node", NODE, "--rings", "100", status=1)
        assert "9.2" in told
        await more_is_stored(city, NODE)
        shown = await city.node("show", NODE, "--json", json_out=True)
        assert (shown["device"]["firmware"], shown["device"]["trial"]) == ("9.1", False)
    finally:
        await first.virtual.stop()
        await second.virtual.stop()

    async with asyncio.timeout(30):
        await city.gateway.journal.drained.wait()
    account = read_accounts(tmp_path / "gateway" / "journal.db")[NODE]
    assert account.balanced and account.dropped == account.quarantined == 0
