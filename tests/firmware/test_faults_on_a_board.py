"""Faults around a whole board, with the real gateway: its ledger explains every number afterwards.

Power cuts have a file of their own (test_power_cuts_on_a_board.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import servers
from city_rig import GatewayProcess, registered
from field_city import until
from firmware.test_link import Case, read_cases
from firmware.test_to_the_store import CONFIG, running_gateway
from firmware.watched import MOST_IN_RAM, WITHIN_S, WatchedBoard, judge
from time_servers import SntpServer, answer

from gateway.app import Gateway
from gateway.books import read_books
from gateway.ledger import Ledger

if TYPE_CHECKING:
    from conftest import PlaceBoard, TlsMosquitto

OF_2000 = 946_684_800
VALID_AFTER_S = 4.0
DAY_S = 86_400
PERIOD_S = 7_200
REACTS_WITHIN_S = 20.0
EVERY_NTH = 3  # test_link.py plays them all at the firmware's client alone


def arrived(board: WatchedBoard, gateway: Gateway) -> int:
    """Return how many readings of a board the gateway has."""
    return sum(
        stream.seen.count() for (name, _), stream in gateway.ledger.streams.items() if name == board.name
    )


async def brought_to_an_end(board: WatchedBoard, gateway: Gateway) -> None:
    """Let what waits and newer readings be delivered, take the power away, wait until the store has all.

    The will comes after everything that the board had sent.
    """
    measured = board.measured
    await until(lambda: arrived(board, gateway) > max(measured, board.measured - MOST_IN_RAM // 2))
    await board.node.stop()
    await until(lambda: board.name not in gateway.committer.alive)
    async with gateway.committer.lock:
        pass  # it is committed
    async with asyncio.timeout(WITHIN_S):
        await gateway.journal.drained.wait()


def nothing_is_lost(board: WatchedBoard, ledger: Ledger, influxdb: servers.InfluxDB) -> None:
    """All that was measured in one boot is stored, but for what was in memory when the test took the power."""
    verdict = judge(board, ledger, influxdb)
    print(board.name, len(verdict.stored), "stored", verdict.untold, "taken along")
    assert len(board.made()) == 1 and not verdict.missing and len(verdict.untold) <= MOST_IN_RAM
    assert not verdict.untold or min(verdict.untold) > max(verdict.stored)


async def test_a_broker_and_a_gateway_that_are_killed_lose_nothing(
    place_board: PlaceBoard, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB, tmp_path: Path
) -> None:
    board = place_board("lamp-1")
    store = f'url = "{influxdb.url}"\napi = "v1"'
    gateway = GatewayProcess(tmp_path / "gateway", mosquitto, store, [registered(board.name, "streetlight")])
    gateway.start()
    try:
        await board.node.start()
        for victim in (mosquitto, gateway, mosquitto, gateway):
            measured = board.measured
            await gateway.until(lambda said, n=measured: board.name in said and said[board.name].stored > n)
            victim.kill()
            victim.start()
        measured = board.measured
        await gateway.until(
            lambda said: said[board.name].stored > max(measured, board.measured - MOST_IN_RAM // 2)
        )
        await board.node.stop()
        gateway.stop()
        mosquitto.stop()  # nothing new can arrive
        gateway.start()
        await gateway.until(lambda said: not said[board.name].queued)
    finally:
        gateway.stop()

    with contextlib.closing(sqlite3.connect(gateway.journal)) as journal:
        nothing_is_lost(board, read_books(journal).ledger, influxdb)


async def test_a_board_that_wakes_in_2000_delivers_with_right_dates_once_the_certificate_is_valid(
    place_board: PlaceBoard,
    time_server: SntpServer,
    tls_mosquitto: TlsMosquitto,
    influxdb: servers.InfluxDB,
    tmp_path: Path,
) -> None:
    tls_mosquitto.stop()
    tls_mosquitto.issue_later("server", "server", delay_s=VALID_AFTER_S)
    tls_mosquitto.start()
    for name in ("lamp-2", "gateway"):
        tls_mosquitto.issue(name, name)
    tls_mosquitto.der("lamp-2", tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in ("node.key", "node.crt", "ca.crt")}
    keys, config = tls_mosquitto.keys, tmp_path / "gateway.toml"
    text = CONFIG.format(
        folder=tmp_path, mqtt=f"mqtts://{servers.HOST}:{tls_mosquitto.port}", store=influxdb.url
    )
    own = f'ca_file = "{keys}/ca.crt"\ncert_file = "{keys}/gateway.crt"\nkey_file = "{keys}/gateway.key"\n'
    config.write_text(text.replace("[store]", f"{own}[store]"), encoding="utf-8")
    time_server.answers = lambda question: [answer(question, OF_2000 if time_server.asked < 2 else None)]
    board, began_s = place_board("lamp-2", files, broker_port=tls_mosquitto.port, broker_tls=True), time.time()
    async with running_gateway(config) as gateway:
        await board.node.start()
        await until(lambda: arrived(board, gateway))
        await brought_to_an_end(board, gateway)

    lines = "\n".join(board.node.lines)
    assert "the time server's clock is wrong" in lines
    assert "validity starts in the future" in lines.partition("connected;")[0]
    nothing_is_lost(board, gateway.ledger, influxdb)
    rows = influxdb.rows("SELECT voltage_v, clock_qc FROM streetlight")
    assert began_s * 1000 < rows[0]["time"] < rows[-1]["time"] < time.time() * 1000
    assert (rows[0]["clock_qc"], rows[-1]["clock_qc"]) == (3, None)  # dated when the time came; synced


class HostileLine:
    """Carries a board's connections to the broker; each, once it works, gets a packet that none should send."""

    def __init__(self, to_port: int, cases: list[Case]) -> None:
        self._to_port = to_port
        self._cases = list(cases)
        self._carrying: list[asyncio.Task[None]] = []
        self.hung_up: list[str] = []
        self.stayed: list[str] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on the port that is yielded."""

        def take(board: asyncio.StreamReader, to_board: asyncio.StreamWriter) -> None:
            self._carrying.append(asyncio.create_task(self._carry(board, to_board)))

        async with await asyncio.start_server(take, servers.HOST, 0) as server:
            yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*self._carrying)

    async def _carry(self, board: asyncio.StreamReader, to_board: asyncio.StreamWriter) -> None:
        broker, to_broker = await asyncio.open_connection(servers.HOST, self._to_port)
        up = asyncio.create_task(self._pass(board, to_broker))
        up.add_done_callback(lambda _: to_broker.close())
        case = self._cases.pop() if self._cases else None
        try:
            while data := await broker.read(1 << 16):
                to_board.write(data)
                if case is not None and b"/ack" in data:
                    to_board.writelines(payload for kind, payload in case.steps if kind == "send")
                    done, _ = await asyncio.wait([up], timeout=REACTS_WITHIN_S)
                    (self.hung_up if done else self.stayed).append(case.name)
                    break
        finally:
            up.cancel()
            for writer in (to_board, to_broker):
                writer.close()

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)


async def test_packets_that_no_broker_should_send_cost_a_board_a_connection_and_no_reading(
    place_board: PlaceBoard,
    gateway: Gateway,
    mosquitto: servers.Mosquitto,
    influxdb: servers.InfluxDB,
    shared_data: Path,
) -> None:
    cases = [case for case in read_cases(shared_data / "mqtt-packets" / "client_side") if case.greets]
    chosen = [case for case in cases if case.hangs_up][::EVERY_NTH]
    lines = [HostileLine(mosquitto.port, chosen[index::3]) for index in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(line.listening()) for line in lines]
        boards = [place_board(f"lamp-{port}", broker_port=port) for port in ports]
        for board in boards:
            await board.node.start()
        await until(lambda: sum(len(line.hung_up) + len(line.stayed) for line in lines) == len(chosen))
        for board in boards:
            await brought_to_an_end(board, gateway)

    assert len(chosen) > 40 and [line.stayed for line in lines] == [[], [], []]
    for board in boards:
        assert board.node.ends == []
        nothing_is_lost(board, gateway.ledger, influxdb)


async def test_a_sleeping_board_without_wifi_for_a_day_delivers_that_day_afterwards(
    place_board: PlaceBoard, gateway: Gateway, time_server: SntpServer, influxdb: servers.InfluxDB
) -> None:
    board = place_board("lamp-4", sleep=True, period_ms=PERIOD_S * 1000, report_every=6, awake_s=5)
    begins_s = time.time() - 2 * DAY_S
    radio, ends = board.node.buses.radio, board.node.ends

    def slept_s() -> float:
        return sum(end.ms for end in ends) / 1000

    time_server.answers = lambda question: [answer(question, begins_s + slept_s())]
    await board.node.start()
    await until(lambda: ends and arrived(board, gateway))
    radio.up, left_s = False, slept_s()
    await until(lambda: slept_s() - left_s > DAY_S)
    measured, meanwhile = board.measured, arrived(board, gateway)
    radio.up = True
    await until(lambda: measured < board.measured == arrived(board, gateway))
    await board.node.stop()
    async with asyncio.timeout(WITHIN_S):
        await gateway.journal.drained.wait()

    assert meanwhile == 1 and measured > DAY_S // PERIOD_S
    times_ms = [row["time"] for row in influxdb.rows("SELECT voltage_v FROM streetlight")]
    assert times_ms[-1] - times_ms[0] > DAY_S * 1000
    nothing_is_lost(board, gateway.ledger, influxdb)
