"""Where a node has its time from: a real chronyd, and servers that lie; and that the clock comes first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import servers
from peer import Peer
from time_servers import Chrony, SntpServer, answer

if TYPE_CHECKING:
    from conftest import MicroPython, Node

    StartNode = Callable[..., Awaitable[Node]]

OF_2000 = 946_684_800
NEAR_MS = 1_000


@pytest.fixture
def chrony(tmp_path: Path) -> Iterator[Chrony]:
    """A real time server."""
    server = Chrony(tmp_path / "chrony")
    try:
        server.start()
        yield server
    finally:
        server.kill()


async def ask(micropython: MicroPython, *hosts: str) -> list[str]:
    """Let the firmware ask; the answers are given by this process meanwhile."""
    return await asyncio.to_thread(micropython.run, "ask_time.py", *hosts)


def is_right(line: str) -> bool:
    """Whether a line of ask_time.py has the host's time."""
    word, told, _, host = line.split()
    return word == "time" and abs(int(told) - int(host)) < NEAR_MS


def test_the_time_of_a_real_server_is_taken(micropython: MicroPython, chrony: Chrony) -> None:
    (line,) = micropython.run("ask_time.py", f"{chrony.host}:{chrony.port}")

    assert is_right(line), line


def test_what_answers_mean_and_how_the_pace_follows(micropython: MicroPython) -> None:
    lines = micropython.run("check_ntp.py")

    assert len(lines) >= 14 and all(line.startswith("ok ") for line in lines)


async def test_a_server_that_is_away_or_silent_is_passed_over(
    micropython: MicroPython, chrony: Chrony, time_server: SntpServer
) -> None:
    time_server.answers = lambda _question: []

    (line,) = await ask(
        micropython, f"127.0.0.1:{servers.free_port()}", time_server.address, f"{chrony.host}:{chrony.port}"
    )

    assert is_right(line) and time_server.asked == 1


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (lambda question: answer(question, OF_2000), "clock is wrong"),
        (lambda question: answer(question, leap=3), "not set"),
        (lambda question: answer(question, stratum=16), "not set"),
        (lambda question: answer(question, mode=3), "not a server's"),
        (lambda question: answer(question, stratum=0, code=b"DENY"), "refuses"),
        (lambda question: answer(question)[:40], "40 bytes"),
        (lambda question: answer(question, nonce=b"someone!"), "another question"),
    ],
)
async def test_a_lie_is_not_believed_and_its_reason_told(
    micropython: MicroPython, time_server: SntpServer, lie: Callable[[bytes], bytes], reason: str
) -> None:
    time_server.answers = lambda question: [lie(question)]

    (line,) = await ask(micropython, time_server.address)

    assert line.startswith("no time: ") and reason in line


async def test_a_forged_answer_does_not_hide_the_true_one(
    micropython: MicroPython, time_server: SntpServer
) -> None:
    time_server.answers = lambda question: [answer(question, OF_2000 * 2, nonce=bytes(8)), answer(question)]

    (line,) = await ask(micropython, time_server.address)

    assert is_right(line)


async def test_who_does_not_want_to_be_asked_is_not_asked_again(
    micropython: MicroPython, time_server: SntpServer
) -> None:
    time_server.answers = lambda question: [answer(question, stratum=0, code=b"RATE")]

    first, second = await ask(micropython, "twice", time_server.address)

    assert "RATE" in first and "does not want to be asked" in second and time_server.asked == 1


async def test_the_broker_is_not_called_before_the_time_is_known(
    start_node: StartNode, peer: Peer, time_server: SntpServer
) -> None:
    asked_before_birth: list[bool] = []

    def first_not(question: bytes) -> list[bytes]:
        asked_before_birth.append("stage-0020" not in peer.births)
        return [answer(question)]

    time_server.answers = first_not
    node = await start_node("stage-0020", ntp_hosts=[time_server.address])
    await node.until(lambda: node.acknowledged >= 5)

    assert asked_before_birth == [True]
    states = [clock for _, clock, _ in peer.rows.values()]
    assert 2 not in states and states[-1] == 0  # what came before the answer was dated by it
    assert all(abs(t_ms / 1000 - time.time()) < 60 for t_ms, _, _ in peer.rows.values())


async def test_without_any_time_readings_wait_a_minute_and_the_reason_is_told(
    start_node: StartNode, peer: Peer, time_server: SntpServer
) -> None:
    time_server.answers = lambda question: [answer(question, OF_2000)]
    node = await start_node("stage-0021", ntp_hosts=[time_server.address])
    await peer.until(lambda: "stage-0021" in peer.births)
    await node.until(lambda: node.held >= 20)

    assert peer.births["stage-0021"].clock == 2 and peer.numbers("stage-0021") == []
    assert any("the time server's clock is wrong" in line for line in node.lines)
