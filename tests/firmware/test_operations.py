"""A whole board under operation: commands over a real broker, and updates that stay or return by themselves."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
import servers
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from peer import Peer
from time_servers import SntpServer

from edge.field.bundle import IMAGE_FILE, build_bundle, keys_file, make_signing_key
from edge.field.image import Layout, build_image, read_image, slot_files
from edge.protocol.command import Command, Reply, Status, decode_reply, encode_command
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Birth
from edge.tasks import end
from simulators.virtual.node import VirtualNode
from simulators.virtual.partitions import Partitions

if TYPE_CHECKING:
    from conftest import MicroPython

NAME = "stage-0001"
FLASH_BYTES = 1 << 20
LATER_MS = 4_000_000_000_000
CRASHES = b"import machine\nmachine.reset()\n"


class Stage:
    """A JSN-SR04T that sees 2.08 m of air, in its mode of answers to questions."""

    def uart(self, written: bytes) -> bytes:
        return b"\xff\x08\x20\x27" * written.count(b"\x55")


class Station:
    """A virtual board at work, a peer that acknowledges, and someone who gives commands."""

    def __init__(self, board: VirtualNode, peer: Peer, client: aiomqtt.Client, partitions: Partitions) -> None:
        self.board, self.peer, self.partitions = board, peer, partitions
        self._client = client
        self._ident = 0
        self.replies: list[Reply] = []
        self._replied = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            async with self._replied:
                self.replies.append(decode_reply(message.payload))
                self._replied.notify_all()

    async def tell(self, name: str, **arguments: Any) -> int:
        """Send a command; return its id."""
        self._ident += 1
        await self.repeat(name, **arguments)
        return self._ident

    async def repeat(self, name: str, **arguments: Any) -> None:
        """Send the command of the last id again."""
        payload = encode_command(Command(self._ident, name, arguments, LATER_MS))
        await self._client.publish(topic(NAME, Leaf.CMD), payload, qos=1)

    async def last_word(self, ident: int, within_s: float = 90) -> Reply:
        """Return the final reply to a command."""
        return await self._reply(
            lambda reply: reply.id == ident and reply.status is not Status.ACCEPTED, within_s
        )

    async def _reply(self, wanted: Any, within_s: float) -> Reply:
        try:
            async with asyncio.timeout(within_s), self._replied:
                await self._replied.wait_for(lambda: any(wanted(reply) for reply in self.replies))
        except TimeoutError:
            pytest.fail("no such reply; the board said:\n" + "\n".join(list(self.board.lines)[-25:]))
        return next(reply for reply in self.replies if wanted(reply))

    async def ask(self, name: str, **arguments: Any) -> Reply:
        return await self.last_word(await self.tell(name, **arguments))

    async def until_born(self, wanted: Callable[[Birth], bool], within_s: float = 90) -> Birth:
        """Return the node's birth once it is as wanted."""
        try:
            await self.peer.until(lambda: NAME in self.peer.births and wanted(self.peer.births[NAME]), within_s)
        except TimeoutError:
            pytest.fail("no such birth; the board said:\n" + "\n".join(list(self.board.lines)[-25:]))
        return self.peer.births[NAME]

    async def until_heard(self, boot: int | None = None, rows: int = 2) -> None:
        """Wait for acknowledged readings; with `boot`, of a later one."""
        await self.until_born(
            lambda birth: (
                (boot is None or birth.boot > boot)
                and sum(key[1] == birth.boot for key in self.peer.rows) >= rows
            )
        )


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return make_signing_key()


@pytest.fixture
async def station(
    micropython: MicroPython,
    mosquitto: servers.Mosquitto,
    time_server: SntpServer,
    peer: Peer,
    tmp_path: Path,
    key: RSAPrivateKey,
) -> AsyncIterator[Station]:
    settings = {
        "node": NAME,
        "kind": "water_level",
        "period_ms": 500,
        "broker_host": mosquitto.host,
        "broker_port": mosquitto.port,
        "broker_tls": False,
        "ntp_hosts": [time_server.address],
        "wifi_ssid": "city-iot",
        "wifi_password": "not to be told",
        "sensors": [{"driver": "jsn_sr04t", "bus": "uart1", "datum_mm": 5_200}],
    }
    files = {"a/keys.json": keys_file(key.public_key())}
    image = tmp_path / "node.img"
    image.write_bytes(
        build_image(Layout(board="esp32", settings=settings, files=files, version="0.1.0"), FLASH_BYTES)
    )
    partitions = Partitions()
    board = VirtualNode(image, micropython.executable, sensors={"uart1": Stage()}, partitions=partitions)
    await board.start()
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe(topic(NAME, Leaf.REPLY), qos=1)
        found = Station(board, peer, client, partitions)
        listening = asyncio.create_task(found.listen())
        await found.until_heard()
        yield found
        await end(listening)
    await board.stop()


@pytest.fixture
async def bundle_url(tmp_path: Path) -> AsyncIterator[str]:
    """Where a bundle that a test writes to tmp_path/bundles can be had."""
    (tmp_path / "bundles").mkdir()
    app = web.Application()
    app.router.add_static("/", tmp_path / "bundles")
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, servers.HOST, port := servers.free_port())
    await site.start()
    yield f"http://{servers.HOST}:{port}/bundle"
    await runner.cleanup()


async def test_a_board_does_what_it_is_told_once_and_answers(station: Station) -> None:
    assert not {"begun", "data/failed"} & set(read_image(station.board.image.read_bytes()))
    sampled = await station.ask("sample")
    assert sampled.status is Status.DONE and sampled.detail["seq"] >= 0
    status = await station.ask("status")
    assert (
        status.detail["node"] == NAME and status.detail["slot"] == "a" and status.detail["version"] == "0.1.0"
    )
    settings = await station.ask("settings")
    assert settings.detail["period_ms"] == 500 and "not to be told" not in str(settings.detail)
    assert (await station.ask("identify", seconds=1)).status is Status.DONE
    assert (await station.ask("set", period_ms=200)).status is Status.DONE
    await station.until_born(lambda birth: birth.period_s == 0.2)
    assert (await station.ask("set", period_ms=-1)).status is Status.REFUSED
    assert (await station.ask("lamp", level_pct=5)).status is Status.REFUSED

    boot = station.peer.births[NAME].boot
    assert (await station.ask("reboot")).status is Status.DONE
    await station.until_heard(boot)
    assert station.peer.births[NAME].period_s == 0.2  # it outlives the restart
    again = station.peer.births[NAME].boot
    station.replies.clear()
    await station.repeat("reboot")
    assert (await station.last_word(8)).status is Status.DONE
    await station.until_heard(rows=20)
    assert station.peer.births[NAME].boot == again  # told twice, done once


async def test_the_console_of_a_working_board_answers_in_one_line(station: Station) -> None:
    await station.board.type("status --json\r")
    await station.board.until(lambda: any(line.startswith('{"') for line in station.board.lines))
    line = next(line for line in station.board.lines if line.startswith('{"'))
    status = json.loads(line)
    assert status["node"] == NAME and status["stage"] == "acked" and status["clock"] == "synced"
    assert status["produced"] == status["acknowledged"] + status["held"] + status["dropped"]
    assert status["sensors"][0]["values"]["level_m"] == "3.120"
    print("heap_free beside all operations:", status["heap_free"])


async def test_a_good_version_is_fetched_tried_and_kept(
    station: Station, bundle_url: str, tmp_path: Path, key: RSAPrivateKey
) -> None:
    files = slot_files(compiled=True)
    bundle = build_bundle(
        files, version="0.2.0", board="esp32", signers=[key], keys=keys_file(key.public_key())
    )
    (tmp_path / "bundles" / "bundle").write_bytes(bundle)
    boot = station.peer.births[NAME].boot

    ident = await station.tell("update", url=bundle_url, size=len(bundle), version="0.2.0")
    assert (await station.until_born(lambda birth: birth.trial)).firmware == "0.2.0"
    assert (await station.last_word(ident)) == Reply(ident, Status.DONE, {"version": "0.2.0"})
    await station.until_born(lambda birth: not birth.trial)
    assert [reply.status for reply in station.replies] == [Status.ACCEPTED, Status.DONE]
    assert (await station.ask("status")).detail["slot"] == "b"
    await station.ask("reboot")
    await station.until_heard(station.peer.births[NAME].boot - 1)
    assert station.peer.births[NAME].firmware == "0.2.0" and station.peer.births[NAME].boot > boot
    numbers = station.peer.numbers(NAME)
    for one in {number for number, _ in numbers}:
        seqs = [seq for number, seq in numbers if number == one]
        assert seqs == list(range(len(seqs)))


async def test_an_image_goes_to_the_other_partition_and_stays_with_the_version_that_proves_itself(
    station: Station, bundle_url: str, tmp_path: Path, key: RSAPrivateKey
) -> None:
    image = b"\xe9" + random.Random(5).randbytes(9_000)
    bundle = build_bundle(
        {**slot_files(compiled=True), IMAGE_FILE: image},
        version="0.2.0", board="esp32", signers=[key], keys=keys_file(key.public_key()),
    )  # fmt: skip
    (tmp_path / "bundles" / "bundle").write_bytes(bundle)

    word = await station.last_word(await station.tell("update", url=bundle_url), 60)

    assert word.status is Status.DONE and word.detail == {"version": "0.2.0"}
    assert station.partitions.running == 1
    assert station.partitions.images[1] == image + b"\xff" * (-len(image) % 4096)
    boot = station.peer.births[NAME].boot
    await station.ask("reboot")
    await station.until_heard(boot)
    assert station.partitions.running == 1 and station.peer.births[NAME].firmware == "0.2.0"


async def test_an_image_whose_version_fails_is_left_for_the_one_before_and_no_image_is_never_started(
    station: Station, bundle_url: str, tmp_path: Path, key: RSAPrivateKey
) -> None:
    files = {path: data for path, data in slot_files(compiled=True).items() if path != "lib/cityneuron/app.mpy"}
    for version, image, error in (
        ("0.3.0", b"\xe9 an image", "version 0.3.0 did not prove itself; back at 0.1.0"),
        ("0.4.0", b"no image", "the new image is refused"),
    ):
        bundle = build_bundle(
            {**files, "lib/cityneuron/app.py": CRASHES, IMAGE_FILE: image},
            version=version, board="esp32", signers=[key], keys=keys_file(key.public_key()),
        )  # fmt: skip
        (tmp_path / "bundles" / "bundle").write_bytes(bundle)

        word = await station.last_word(await station.tell("update", url=bundle_url), 60)

        assert word.status is Status.FAILED and error in word.detail["error"]
        assert station.partitions.running == 0
        assert (await station.ask("status")).detail["version"] == "0.1.0"


async def test_a_bad_version_returns_by_itself_and_says_so(
    station: Station, bundle_url: str, tmp_path: Path, key: RSAPrivateKey
) -> None:
    files = {path: data for path, data in slot_files(compiled=True).items() if path != "lib/cityneuron/app.mpy"}
    bundle = build_bundle(
        {**files, "lib/cityneuron/app.py": CRASHES},
        version="0.3.0",
        board="esp32",
        signers=[key],
        keys=keys_file(key.public_key()),
    )
    (tmp_path / "bundles" / "bundle").write_bytes(bundle)

    ident = await station.tell("update", url=bundle_url, version="0.3.0")
    word = await station.last_word(ident, 60)

    assert (
        word.status is Status.FAILED
        and "version 0.3.0 did not prove itself; back at 0.1.0" in word.detail["error"]
    )
    assert station.board.starts == 1 + 1 + 3 + 1  # the node, the fetch, the trial, the return
    await station.until_heard()
    assert station.peer.births[NAME].firmware == "0.1.0" and not station.peer.births[NAME].trial
    errors = (await station.ask("status")).detail["errors"]
    assert errors[0]["stage"] == "update"
