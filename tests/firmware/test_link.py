"""The node's MQTT client against a broker that sends what no broker should: it hangs up, and comes back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import MicroPython

MQTT_3_1_1 = 4
REACTS_WITHIN_S = 20
CONNACK = bytes.fromhex("20020000")
GREETING = bytes.fromhex("320700036f75720007")
ANSWER_TO_GREETING = bytes.fromhex("40020007")
NOT_ASKED_FOR = {"v3.1.1 PUBLISH: 34 QoS 2 Dup 0", "v3.1.1 PUBLISH: 3C QoS 2 Dup 1"}
"""The node subscribes at QoS 1: for it, QoS 2 is one of the things that no broker should send."""
WORD = re.compile(r"'[^']*'|\S+")


def packet(text: str) -> bytes:
    """Return the bytes of a payload in the notation of shared/data/mqtt-packets."""
    return b"".join(_word(word) for word in WORD.findall(text))


def _word(word: str) -> bytes:
    if word.startswith("'"):
        return word[1:-1].encode()
    if word[0] in "rv":
        return bytes(_variable(int(word[1:])))
    if word[0] in "smkH":
        return int(word[1:]).to_bytes(2, "big")
    if word[0] == "L":
        return int(word[1:]).to_bytes(4, "big")
    return bytes((int(word[1:]),)) if word[0] == "i" else bytes.fromhex(word)


def _variable(number: int) -> Iterator[int]:
    while True:
        number, low = divmod(number, 128)
        yield low | (0x80 if number else 0)
        if not number:
            return


@dataclass(frozen=True, slots=True)
class Case:
    """What the broker does on one connection, and whether the client must hang up."""

    name: str
    greets: bool
    steps: tuple[tuple[str, bytes], ...]
    hangs_up: bool


def read_cases(folder: Path) -> list[Case]:
    """Return the cases of MQTT 3.1.1."""

    def case(group: str, test: dict[str, Any]) -> Case:
        name = f"{group}: {test['name']}"
        greets = test.get("connack", True) and test.get("connect", True) and "instead of CONNACK" not in group
        steps = tuple((step["type"], packet(step["payload"])) for step in test["msgs"] if "payload" in step)
        return Case(name, greets, steps, test.get("expect_disconnect", True) or name in NOT_ASKED_FOR)

    groups = [group for file in sorted(folder.glob("*.json")) for group in json.loads(file.read_text("utf-8"))]
    ours = [group for group in groups if group["ver"] == MQTT_3_1_1]
    return [case(group["group"], test) for group in ours for test in group["tests"]]


class Broker:
    """Plays one case a connection, in order, and notes what the client did."""

    def __init__(self, cases: list[Case]) -> None:
        self._cases = iter(cases)
        self.wrong: list[str] = []
        self.played = 0

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        case = next(self._cases)
        try:
            async with asyncio.timeout(REACTS_WITHIN_S):
                outcome = await self._play(case, reader, writer)
        except TimeoutError:
            outcome = "nothing happened"
        except (ConnectionError, asyncio.IncompleteReadError):
            outcome = "hung up"
        expected = "hung up" if case.hangs_up else "stayed"
        if outcome != expected:
            self.wrong.append(f"{case.name}: {outcome}")
        self.played += 1
        writer.close()

    async def _play(self, case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        head = await reader.readexactly(2)
        await reader.readexactly(head[1])
        if case.greets:
            writer.write(CONNACK)
        for kind, data in case.steps:
            if kind == "send":
                writer.write(data)
            elif await reader.readexactly(len(data)) != data:
                return f"answered otherwise than {data.hex()}"
        if not case.hangs_up:
            writer.write(GREETING)
            answer = await reader.readexactly(len(ANSWER_TO_GREETING))
            return "stayed" if answer == ANSWER_TO_GREETING else f"answered {answer.hex()}"
        await reader.read()
        return "hung up"


async def test_what_no_broker_should_send_ends_the_connection_and_nothing_else(
    micropython: MicroPython, shared_data: Path
) -> None:
    cases = read_cases(shared_data / "mqtt-packets" / "client_side")
    broker = Broker(cases)
    server = await asyncio.start_server(broker.play, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async with server:
        lines: list[str] = await asyncio.to_thread(micropython.run, "meet_brokers.py", port, len(cases))

    grown: Any = lines[-1].split()
    assert broker.played == len(cases) > 100
    assert broker.wrong == []
    assert grown[0] == "grown" and int(grown[1]) <= 0
