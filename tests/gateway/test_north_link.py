"""The task of a north by itself: brokers that refuse or fall silent, and readings that cannot be said."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_rig import NOW_S, Rig, birth, data
from north_rig import Host, read_senml
from servers import Mosquitto

from edge.model.errors import CityError
from edge.tasks import end
from gateway.database import JournalError
from gateway.north.config import NorthConfig
from gateway.north.distributor import Distributor
from gateway.north.formats import FORMATS
from gateway.north.formats.format import Message
from gateway.north.formats.senml import SenmlFormat
from gateway.north.queues import Queues
from gateway.north.reading import Origin, Reading
from gateway.onward import Row, Settlement
from gateway.sources.packets import DISCONNECT

WELCOME = b"\x20\x02\x00\x00"
WITHIN_S = 20.0


class Scene:
    """A gateway's journal with one north, and its distributor."""

    def __init__(self, folder: Path, url: str, **more: float | str | Path) -> None:
        config = NorthConfig(name="province", url=url, retry_delay_s=0.01, longest_delay_s=0.02, **more)  # type: ignore[arg-type]
        self.rig = Rig(folder, "ys-07", "ys-08")
        self.queues = Queues([config], self.rig.journal, lambda: NOW_S)
        (self.queue,) = self.queues.active
        self.distributor = Distributor(self.queue, "gw-01", lambda: NOW_S)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.distributor.run())
        try:
            async with asyncio.timeout(WITHIN_S):
                yield
        finally:
            await end(task)
            self.rig.journal.close()

    async def until(self, waiting: int) -> None:
        """Wait until so many readings wait: settling is heard by nobody, so it is looked for."""
        while self.queue.tally.waiting != waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@asynccontextmanager
async def broker(
    answer: asyncio.Event, *, pubacks: int, certificate: Path | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A broker that welcomes, acknowledges the first so many messages of a connection, and no more."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = pubacks
        try:
            while True:
                head = await reader.readexactly(2)
                length = head[1] & 127
                if head[1] > 127:
                    length |= (await reader.readexactly(1))[0] << 7
                body = await reader.readexactly(length)
                if head[0] == 0x10:
                    writer.write(WELCOME)
                elif head[0] == 0x32:
                    heard.append(body)
                    if left:
                        left -= 1
                        at = 2 + int.from_bytes(body[:2], "big")
                        writer.write(b"\x40\x02" + body[at : at + 2])
                    else:
                        answer.set()
                elif head == DISCONNECT:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the gateway went
        finally:
            writer.close()

    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        scheme = "mqtt" if certificate is None else "mqtts"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def test_what_a_broker_does_not_acknowledge_is_said_again_and_only_that(tmp_path: Path) -> None:
    silent = asyncio.Event()
    async with broker(silent, pubacks=1) as (url, heard):
        scene = Scene(tmp_path, url, answer_within_s=0.5, at_once=2)
        await scene.rig.take(
            birth(), birth("ys-08"), data("ys-07", 0, [0, 1, 2], [1000, 2, 2]), data("ys-08", 0, [0, 3, 2])
        )
        async with scene.running():
            await silent.wait()  # ys-07 was acknowledged, ys-08 was not
            await scene.until(waiting=1)
            assert "ys-07" in heard[0].decode(errors="replace")
            await scene.until(waiting=0)
        assert [b"ys-07" in body for body in heard] == [True, False, False]
        assert (scene.queue.tally.delivered, scene.queue.tally.balanced) == (3, True)


async def test_a_broker_that_acknowledges_nothing_is_named_as_the_trouble(tmp_path: Path) -> None:
    silent = asyncio.Event()
    async with broker(silent, pubacks=0) as (url, _):
        scene = Scene(tmp_path, url, answer_within_s=0.5)
        await scene.rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
        async with scene.running():
            while not scene.distributor.trouble:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            assert "no PUBACK within 0.5 s" in scene.distributor.trouble
            assert scene.distributor.status["waiting"] == 1


async def test_a_broker_that_knows_us_not_is_named_as_the_trouble(tmp_path: Path) -> None:
    closed = Mosquitto(tmp_path / "closed", passwords={"somebody": "else"})
    scene = Scene(tmp_path, closed.url, username="gw-01")
    try:
        closed.start()
        async with scene.running():
            while not scene.distributor.trouble:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert "refuses us" in scene.distributor.trouble
    finally:
        closed.kill()


async def test_a_disk_that_takes_nothing_is_waited_out_and_nothing_is_said_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with broker(asyncio.Event(), pubacks=9) as (url, heard):
        scene = Scene(tmp_path, url)
        settle, failures = scene.queue.settle, [JournalError("disk full"), JournalError("disk full")]

        async def fails_twice(rows: Sequence[Row], settlement: Settlement) -> None:
            if failures:
                raise failures.pop()
            await settle(rows, settlement)

        monkeypatch.setattr(scene.queue, "settle", fails_twice)
        await scene.rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
        async with scene.running():
            await scene.until(waiting=0)
            assert scene.distributor.status["state"] == "ok"
        assert len(heard) == 1 and not failures


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_tls_readings_go_to_a_broker_that_is_vouched_for_and_to_no_other(
    tmp_path: Path, certificate: Path, trusted: bool
) -> None:
    async with broker(asyncio.Event(), pubacks=9, certificate=certificate) as (url, heard):
        scene = Scene(tmp_path, url, **({"ca_file": certificate} if trusted else {}))
        await scene.rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
        async with scene.running():
            if trusted:
                await scene.until(waiting=0)
            else:
                while "certificate verify failed" not in scene.distributor.trouble:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        assert len(heard) == (1 if trusted else 0)


class Picky(SenmlFormat):
    """Cannot say the level 0.666 m."""

    def encode(self, origin: Origin, readings: Sequence[Reading], now_ms: int) -> list[Message]:
        if any(sample.value == 0.666 for reading in readings for sample in reading.samples):
            raise CityError("no words for that")
        return super().encode(origin, readings, now_ms)


async def test_a_reading_that_cannot_be_said_is_given_up_and_its_neighbours_are_not(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "senml-json", Picky)
    scene, host = Scene(tmp_path, mosquitto.url), Host(mosquitto, read_senml)
    await scene.rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1000, 666, 2], [2000, 3, 2]))
    async with host.listening(), scene.running():
        await host.until(lambda: len(host.readings()) == 2)
        await scene.until(waiting=0)
    tally = scene.queue.tally
    assert (tally.delivered, dict(tally.given_up), tally.balanced) == (2, {"not_encoded": 1}, True)


async def test_an_end_in_order_leaves_nothing_to_be_said_twice(tmp_path: Path, mosquitto: Mosquitto) -> None:
    host = Host(mosquitto, read_senml)
    async with host.listening():
        for start in range(3):
            scene = Scene(tmp_path, mosquitto.url, at_once=3)
            rows: list[list[int | None]] = [[i * 1000, i, 2] for i in range(300)]
            await scene.rig.take(
                birth(), birth("ys-08"),
                *(data(node, 0, *rows, boot=start + 1, t0_ms=round(NOW_S * 1000) - (start + 1) * 10**6)
                  for node in ("ys-07", "ys-08")),
            )  # fmt: skip
            async with scene.running():
                await host.until(lambda least=start * 600: len(host.readings()) > least)
        scene = Scene(tmp_path, mosquitto.url)
        async with scene.running():
            await scene.until(waiting=0)
        await host.until(lambda: len(host.readings()) == 1800)
    assert set(host.readings().values()) == {1}
