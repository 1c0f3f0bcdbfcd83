"""Where there is no link: an identity of the bundle, readings that wait, and a cloud that is told later."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from cryptography import x509
from field_city import FieldCity, command, until
from time_servers import Chrony

from edge.field.image import Layout, build_image
from gateway.account import Counts
from gateway.statement import read_accounts
from simulators.virtual.node import VirtualNode
from simulators.virtual.wiring import SAMPLES, wire

if TYPE_CHECKING:
    from conftest import MicroPython

pytestmark = [pytest.mark.real, pytest.mark.alone]

FLASH_BYTES = 1 << 20
SERIAL, OTHER_SERIAL = "a0b765112233", "a0b765445566"


@pytest.fixture
async def city(tmp_path: Path, influxdb: servers.InfluxDB) -> AsyncIterator[FieldCity]:
    """A city with a time server."""
    clock = Chrony(tmp_path / "chrony")
    clock.start()
    try:
        async with FieldCity(tmp_path, influxdb, f"{clock.host}:{clock.port}", ()).living() as made:
            yield made
    finally:
        clock.kill()


@pytest.fixture
async def board(micropython: MicroPython, tmp_path: Path) -> AsyncIterator[VirtualNode]:
    """A board with MicroPython and nothing else."""
    image = tmp_path / "board.img"
    image.write_bytes(build_image(Layout(board="esp32"), FLASH_BYTES))
    board = VirtualNode(
        image,
        micropython.executable,
        serial=SERIAL,
        sensors=wire(SAMPLES["water_level"]),
        link=tmp_path / "port",
    )
    await board.start()
    yield board
    await board.stop()


async def bundle(city: FieldCity, count: int) -> Path:
    """Have identities made in advance, by the command line and a cloud.toml, as an operator does."""
    config = city.folder / "cloud.toml"
    config.write_text(
        f'data_dir = "{city.data}"\ntoken_file = "{city.token_file}"\n[provision]\n'
        f'broker_host = "{servers.HOST}"\nbroker_port = {city.broker.port}\nntp_hosts = ["{city.ntp}"]\n',
        encoding="utf-8",
    )
    path = city.folder / "spare.zip"
    told = await command("cloud", "ca", "issue-offline", count, "--to", path, "--config", config)
    assert f"{count} identities" in told
    return path


def account(city: FieldCity, node: str) -> Counts:
    """The node's line in the gateway's ledger."""
    return read_accounts(city.folder / "gateway" / "journal.db")[node]


def noted(bundle: Path) -> list[dict[str, Any]]:
    """What stands in the list beside a bundle."""
    return [json.loads(line) for line in Path(f"{bundle}.taken").read_text(encoding="utf-8").splitlines()]


def used_elsewhere(bundle: Path, row: dict[str, Any], serial: str) -> Path:
    """A copy of the bundle, on another laptop, whose list says that a board got this identity."""
    copy = Path(shutil.copy(bundle, bundle.with_name(f"copy-{serial}.zip")))
    line = {**row, "serial": serial, "registration": {**row["registration"], "serial": serial}}
    Path(f"{copy}.taken").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return copy


def revoked(city: FieldCity) -> int:
    """How many certificates the broker must not let in."""
    return len(x509.load_pem_x509_crl((city.data / "cloud" / "ca" / "crl.pem").read_bytes()))


async def sync(city: FieldCity, bundle: Path) -> dict[str, Any]:
    """Tell the cloud; return what a program is told."""
    return dict(json.loads((await city.node("sync", bundle, "--json")).splitlines()[-1]))


async def test_a_node_works_without_a_link_and_nothing_is_lost_when_the_cloud_hears_of_it(
    city: FieldCity, board: VirtualNode, tmp_path: Path
) -> None:
    spare, port = await bundle(city, 2), tmp_path / "port"
    await city.stop_cloud()
    made = await city.node(
        "provision", "--kind", "water_level", "--offline", spare, "--at", "31.2712,121.5203", "--period", "1",
        "--datum-mm", "5200", "--by", "copy", "--port", port, "--console-port", port, "--wifi", "city-iot",
    )  # fmt: skip
    assert "node sync" in made, "it says what is left to do"
    (row,) = noted(spare)
    assert (row["serial"], row["synced"]) == (SERIAL, False)
    node = row["node"]

    # its readings are on the gateway's disk, whole, and wait there for its registration
    await until(lambda: account(city, node).quarantined >= 3)
    held = account(city, node)
    assert held.balanced and held.stored == held.queued == held.dropped == 0
    assert city.stored(node) == (0, 0.0)
    assert "cannot be reached" in await city.node("sync", spare, status=13), "there is no link yet"

    await city.start_cloud()
    assert await sync(city, spare) == {"ok": True, "synced": [node], "refused": [], "left": 1}
    await until(lambda: city.stored(node)[0] >= held.quarantined + 3)
    await until(lambda: account(city, node).quarantined == 0)
    shown = await city.node("show", node, "--json", json_out=True)
    assert (shown["node"]["lat"], shown["device"]["serial"]) == (31.2712, SERIAL)
    assert shown["device"]["hardware"] == "esp32", "its birth was kept as well"
    assert shown["device"]["notes"][-1]["text"].startswith("fitted: "), "`node replace` will know its sensors"

    # again, and from a list that is of before: nothing changes, and its certificate stays good
    assert (await sync(city, spare))["synced"] == []
    assert (await sync(city, used_elsewhere(spare, row, SERIAL)))["synced"] == [node]
    # another board got the same identity from a copy: refused, by name, and the first one is left alone
    told = await city.node("sync", used_elsewhere(spare, row, OTHER_SERIAL), status=13)
    assert f"{node} is the device {SERIAL}" in told and "provision this board again" in told
    assert revoked(city) == 0
    count, _ = city.stored(node)
    await until(lambda: city.stored(node)[0] > count)

    await board.stop()
    async with asyncio.timeout(30):
        await city.gateway.journal.drained.wait()
    last = account(city, node)
    assert last.balanced and last.quarantined == last.dropped == last.missing == 0
