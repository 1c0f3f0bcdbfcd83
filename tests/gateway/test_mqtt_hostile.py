"""A hostile broker plays Mosquitto's packet cases at the gateway: it leaves, comes back and loses nothing."""

import asyncio
import gc
import json
import logging
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.protocol.topics import UP_LEAVES, Leaf, topic
from gateway.arrival import Inbox
from gateway.sources import mqtt
from gateway.sources.mqtt import MqttConfig, MqttSource
from gateway.sources.session import Patience

FILES = ("AUTH", "CONNECT", "PINGREQ", "PUBACK", "PUBLISH", "SUBSCRIBE")
CASES_OF_3_1_1 = 202
WITHIN_S = 20.0
PATIENCE = Patience(keepalive_s=30, ping_every_s=0.1, answer_within_s=5.0)

# The recordings are for a library that its user can tell anything. Where the gateway's client differs, and why.
NEVER_ASKED = "the gateway subscribes at QoS 1: a broker that sends QoS 2 all the same is left (3.8.4)"
NEVER_PUBLISHES = "the gateway publishes at QoS 0 only: the PUBACK comes without the PUBLISH of QoS 1 before it"
LEFT_ALL_THE_SAME = {"34 QoS 2 Dup 0": NEVER_ASKED, "3C QoS 2 Dup 1": NEVER_ASKED}
WITHOUT_ITS_COMMAND = {"v3.1.1 PUBACK": NEVER_PUBLISHES}  # a group; `command` in the recordings

Packet = tuple[int, bytes]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One recorded sequence: what is said after (or instead of) the welcome, and what is due."""

    name: str
    welcomed: bool
    said: bytes
    answers: list[bytes]
    left: bool


def cases(folder: Path, *files: str) -> list[Case]:
    """Read the cases of MQTT 3.1.1."""
    groups = [group for file in files for group in json.loads((folder / f"{file}.json").read_text("utf-8"))]
    found = []
    for group in groups:
        if group["ver"] != 4:
            continue
        assert ("command" in group) == (group["group"] in WITHOUT_ITS_COMMAND), group["group"]
        for test in group["tests"]:
            options = {"connack": True, "connect": True, "expect_disconnect": True, **group, **test}
            left = options["expect_disconnect"] or test["name"] in LEFT_ALL_THE_SAME
            steps = test["msgs"][:1] if test["name"] in LEFT_ALL_THE_SAME else test["msgs"]
            case = Case(
                name=f"{group['group']}: {test['name']}",
                welcomed=options["connack"] and options["connect"],
                said=b"".join(wire(step["payload"]) for step in steps if step["type"] == "send"),
                answers=[wire(step["payload"]) for step in steps if step["type"] == "recv"],
                left=left,
            )
            found.append(case)
    return found


def wire(payload: str) -> bytes:
    """Turn the words of a payload into bytes, as the recordings' description has it."""
    return b"".join(map(_word, re.findall(r"'[^']*'|\S+", payload)))


def _word(word: str) -> bytes:
    kind, rest = word[0], word[1:]
    if kind == "'":
        return rest[:-1].encode()
    if kind in "rv":
        return variable(int(rest))
    sizes = {"i": 1, "s": 2, "m": 2, "k": 2, "H": 2, "L": 4}
    return int(rest).to_bytes(sizes[kind], "big") if kind in sizes else bytes.fromhex(word)


def variable(value: int) -> bytes:
    """Write a length by seven bits a byte, of as many bytes as it takes, be they too many."""
    head = bytearray()
    while value > 127:
        head.append(value % 128 + 128)
        value //= 128
    return bytes([*head, value])


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    """Read what the client says."""
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    byte = 128
    while byte & 128:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
    return first, await reader.readexactly(length)


@dataclass
class HostileBroker:
    """Keeps readings until they are acknowledged, as a broker does, and breaks the protocol as told."""

    found: set[bytes]  # what the gateway has committed
    guests: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(
        default_factory=asyncio.Queue
    )
    unsettled: dict[int, bytes] = field(default_factory=dict)
    sent: int = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection; a case plays on it."""
        self.guests.put_nowait((reader, writer))

    async def welcome(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Let the next client in and grant what it asks for."""
        reader, writer = await self.knock()
        writer.write(b"\x20\x02\x01\x00")
        first, body = await read_packet(reader)
        assert first == 0x82
        writer.write(b"\x90" + variable(2 + len(UP_LEAVES)) + body[:2] + b"\x01" * len(UP_LEAVES))
        return reader, writer

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Wait for a client that wants to come in, with its old session."""
        reader, writer = await self.guests.get()
        first, body = await read_packet(reader)
        assert (first, body[7] & 2) == (0x10, 0)
        return reader, writer

    def readings(self) -> bytes:
        """Return a new reading behind those that the gateway has not acknowledged yet."""
        old = [self._publish(0x3A, mid, payload) for mid, payload in self.unsettled.items()]
        self.sent += 1
        mid, payload = 2000 + self.sent % 60_000, b"reading %d" % self.sent
        self.unsettled[mid] = payload
        return b"".join([*old, self._publish(0x32, mid, payload)])

    @staticmethod
    def _publish(first: int, mid: int, payload: bytes) -> bytes:
        name = topic("ys-07", Leaf.DATA).encode()
        body = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + payload
        return bytes([first]) + variable(len(body)) + body

    def hear(self, packet: Packet, writer: asyncio.StreamWriter) -> None:
        """Take an answer; a reading may only be acknowledged when the gateway has it."""
        first, body = packet
        if first == 0xC0:
            writer.write(b"\xd0\x00")
        elif first == 0x40:
            payload = self.unsettled.pop(int.from_bytes(body, "big"), None)
            assert payload is None or payload in self.found

    async def play(self, case: Case) -> None:
        """Play a case and see that what is due happens."""
        if case.welcomed:
            reader, writer = await self.welcome()
            writer.write(self.readings() + case.said)
        else:
            reader, writer = await self.knock()
            writer.write(case.said)
        try:
            if case.left:
                await self.until_left(reader, writer)
            else:
                await self.until_answered(reader, writer, case.answers)
        finally:
            writer.close()

    async def until_left(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Listen until the client closes the connection."""
        try:
            while True:
                self.hear(await read_packet(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    async def until_answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: list[bytes]
    ) -> None:
        """Listen until the recorded answers came, the readings are settled and the client pings."""
        due, pinged = list(answers), False
        while due or self.unsettled or not pinged:
            first, body = await read_packet(reader)
            self.hear((first, body), writer)
            pinged |= first == 0xC0
            if due and bytes([first]) + variable(len(body)) + body == due[0]:
                due.pop(0)


@dataclass
class Stage:
    """A source and the hostile broker it talks to."""

    broker: HostileBroker
    source: MqttSource
    waits_s: list[float]

    async def settle_all(self) -> None:
        """Let the broker behave until it has an acknowledgement for every reading."""
        reader, writer = await self.broker.welcome()
        writer.write(self.broker.readings())
        await self.broker.until_answered(reader, writer, [])
        writer.close()

    async def play(self, played: list[Case]) -> None:
        """Play cases one after another on connections that the source makes by itself."""
        for case in played:
            try:
                async with asyncio.timeout(WITHIN_S):
                    await self.broker.play(case)
            except TimeoutError:
                due = "left" if case.left else "still answers"
                pytest.fail(f"{case.name}: not {due} within {WITHIN_S:g} s; trouble: {self.source.trouble!r}")


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """A source that commits at once, and a hostile broker on loopback; between attempts nothing is waited."""
    found: set[bytes] = set()
    waits_s: list[float] = []
    broker, inbox = HostileBroker(found), Inbox(100)

    async def pause(wait_s: float) -> None:
        waits_s.append(wait_s)

    async def commit(source: MqttSource) -> None:
        while True:
            batch = await inbox.take(100)
            found.update(arrival.payload for arrival in batch)
            source.settle(batch)

    server = await asyncio.start_server(broker.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = MqttSource(
        MqttConfig(url=f"mqtt://127.0.0.1:{port}"), "gw-01", inbox, patience=PATIENCE, pause=pause
    )
    jobs = [asyncio.create_task(source.run()), asyncio.create_task(commit(source))]
    try:
        yield Stage(broker, source, waits_s)
    finally:
        server.close()
        for job in jobs:
            job.cancel()
        ends = await asyncio.gather(*jobs, return_exceptions=True)
        while not broker.guests.empty():
            broker.guests.get_nowait()[1].close()
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    """The folder of what a hostile broker may say."""
    return shared_data / "mqtt-packets" / "client_side"


def test_all_cases_of_3_1_1_are_read(recorded: Path) -> None:
    found = cases(recorded, *FILES)
    assert len(found) == CASES_OF_3_1_1
    assert {path.stem for path in recorded.glob("*.json")} == set(FILES)
    names = {case.name.partition(": ")[2] for case in found}
    assert names.issuperset(LEFT_ALL_THE_SAME)


def test_the_words_of_a_case_are_read() -> None:
    assert wire("30 r14 s5 'topic' m1234 0A i1 L2") == b"\x30\x0e\x00\x05topic\x04\xd2\x0a\x01\x00\x00\x00\x02"
    assert wire("30 r268435456") == b"\x30\x80\x80\x80\x80\x01"


@pytest.mark.parametrize("file", FILES)
async def test_the_source_leaves_when_due_returns_and_loses_no_reading(file: str, recorded: Path) -> None:
    played = cases(recorded, file)
    async with staged() as stage:
        await stage.play(played)
        async with asyncio.timeout(WITHIN_S):
            await stage.settle_all()
        found = {payload for payload in stage.broker.found if payload.startswith(b"reading ")}
        assert found == {b"reading %d" % n for n in range(1, stage.broker.sent + 1)}
        assert len(stage.waits_s) >= len(played)


async def test_each_return_is_waited_for_longer_up_to_a_limit(recorded: Path) -> None:
    async with staged() as stage:
        await stage.play(cases(recorded, "AUTH", "PINGREQ"))
        for number, wait_s in enumerate(stage.waits_s):
            due_s = min(mqtt.FIRST_WAIT_S * 2**number, mqtt.LONGEST_WAIT_S)
            assert 0.7 * due_s <= wait_s <= 1.3 * due_s
        assert stage.waits_s[-1] > 0.7 * mqtt.LONGEST_WAIT_S


async def test_a_connection_that_stood_long_makes_the_next_wait_short(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged() as stage, asyncio.timeout(WITHIN_S):
        for _ in range(4):
            (await stage.broker.knock())[1].close()
        monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.0)  # any time is long
        await stage.settle_all()
        await stage.broker.knock()
        assert stage.waits_s[-1] <= 1.3 * mqtt.FIRST_WAIT_S < stage.waits_s[-2]


async def test_the_trouble_names_the_packet_and_goes_when_all_is_well(recorded: Path) -> None:
    (case,) = [case for case in cases(recorded, "PUBLISH") if case.name.endswith(": 30 topic 0")]
    async with staged() as stage, asyncio.timeout(WITHIN_S):
        await stage.play([case])
        await stage.source.failed.wait()
        assert "PUBLISH with an empty topic [MQTT-4.7.3-1]" in stage.source.trouble
        await stage.settle_all()
        assert stage.source.subscribed.is_set()


async def test_memory_stays_flat_over_all_cases(recorded: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that is kept (link, session, transport) is 5 KB: one a case would add 990 KB a round."""
    caplog.set_level(logging.CRITICAL, logger="gateway.sources.mqtt")  # pytest would keep the warnings
    played = [case for case in cases(recorded, *FILES) if case.left]
    async with staged() as stage:
        tracemalloc.start()
        try:
            sizes = [await _size_after(stage, played) for _ in range(3)]
        finally:
            tracemalloc.stop()
    assert sizes[2] - sizes[0] < 128 * 1024, sizes


async def _size_after(stage: Stage, played: list[Case]) -> int:
    await stage.play(played)
    async with asyncio.timeout(WITHIN_S):
        await stage.settle_all()
    stage.broker.found.clear()
    stage.waits_s.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
