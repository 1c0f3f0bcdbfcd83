"""Foreign devices all at once: does anybody wait for an answer, or is anybody asked late?

    make bench BENCH=foreign

250 HJ 212 loggers and 250 SL 651 stations call over TCP and report a minute each two seconds; on each of four
RS-485 lines behind serial servers are 30 Modbus meters, one of them dead, at the pace of 9,600 baud. All are
simulated in one process beside the gateway: its time is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import servers

from bench.results import Run, options, percentile, save
from bench.rigs import GatewayProcess, Rig, end_in_order, wait_for
from bench.usage import Meter
from edge.model.node import Node, node_id
from gateway.account import Counts
from gateway.statement import read_accounts
from simulators.stations import hj212, sl651, wire
from simulators.stations.sl651_frames import Address, Sample

LOGGERS = STATIONS = 250
LINES, METERS = 4, 30
DEAD = 13  # the unit of each line that does not answer
TICK_S = 2.0  # a minute of the stations
PERIOD_S = 5.0  # of the meters: half of what their line can do
BAUD, BITS = 9600, 10
THINKS_S = 0.03  # a meter, before it answers
REGISTERS = struct.pack(">10H", 2301, 1500, 0, 3450, 0, 1234, 0, 500, 98, 0)

Report = Callable[[int], Awaitable[bool]]
"""Reports the minute of this number; tells whether it was answered."""


@dataclass(slots=True)
class Meters:
    """A line of Modbus meters; when each was asked, by time.monotonic()."""

    asked: dict[int, list[float]] = field(default_factory=dict)
    mute: bool = False
    _rest: bytes = b""

    def feed(self, data: bytes) -> list[wire.Answer]:
        """Answer whole requests as late as a line of 9,600 baud does."""
        self._rest += data
        found = []
        while len(self._rest) >= 8:
            frame, self._rest = self._rest[:8], self._rest[8:]
            assert crc(frame[:6]) == frame[6:], "the gateway asks with a wrong CRC"
            self.asked.setdefault(frame[0], []).append(time.monotonic())
            if frame[0] != DEAD and not self.mute:
                said = frame[:2] + bytes((len(REGISTERS),)) + REGISTERS
                said += crc(said)
                found.append(wire.Answer(said, THINKS_S + (len(frame) + len(said)) * BITS / BAUD))
        return found

    def last_s(self) -> float:
        """Return when somebody was asked last."""
        return max(times[-1] for times in self.asked.values())

    def late_s(self) -> float:
        """Return by how much the period between two questions to a living meter was exceeded at most."""
        living = (times for unit, times in self.asked.items() if unit != DEAD)
        return max(later - before - PERIOD_S for times in living for before, later in pairwise(times))


class Foreign:
    """The nodes that the devices are."""

    def nodes(self) -> Sequence[Node]:
        """Return them as they are registered."""
        kinds = [(f"hj-{n}", "air_quality") for n in range(LOGGERS)]
        kinds += [(f"sl-{n}", "water_level") for n in range(STATIONS)]
        kinds += [(f"line{line}-{n}", "power_meter") for line in range(LINES) for n in range(1, METERS + 1)]
        return [
            Node(id=node_id(name), kind=kind, label_en=name, label_zh=name, site="bench", district="d1")
            for name, kind in kinds
        ]


def sources(hj_port: int, sl_port: int, lines: Sequence[int]) -> str:
    """Return the [[source]] tables."""
    parts = [_source("loggers", "hj212", "tcp-server", hj_port)]
    for n in range(LOGGERS):
        parts.append(_device(_mn(n), f"hj-{n}", "air_quality", 60, 'series = "2051"\npassword = "123456"\n'))
    parts.append(_source("stations", "sl651", "tcp-server", sl_port))
    for n in range(STATIONS):
        parts.append(
            _device(f"{n:010d}", f"sl-{n}", "water_level", 60, 'series = "timed"\npassword = "03E8"\n')
        )
    for line, port in enumerate(lines):
        parts.append(_source(f"line{line}", "modbus-devices", "tcp-client", port))
        own = 'profile = "pzem-004t-v3"\ntimeout_s = 0.5\n'
        parts += [
            _device(str(n), f"line{line}-{n}", "power_meter", PERIOD_S, own) for n in range(1, METERS + 1)
        ]
    return "".join(parts)


def _source(name: str, protocol: str, transport: str, port: int) -> str:
    return (
        f'[[source]]\nname = "{name}"\nprotocol = "{protocol}"\ntransport = "{transport}"\n'
        f'address = "127.0.0.1:{port}"\n'
    )


def _device(ident: str, node: str, kind: str, period_s: float, own: str) -> str:
    return f'[[source.device]]\nid = "{ident}"\nnode = "{node}"\nkind = "{kind}"\nperiod_s = {period_s}\n{own}'


def _mn(number: int) -> str:
    return f"010000A8900016F0{number:08d}"


async def city(hj_port: int, sl_port: int, minutes: int, *, together: bool) -> list[tuple[float, bool]]:
    """Let all stations report; return for each report how long its answer took (s), and whether it came."""
    found: list[tuple[float, bool]] = []
    first = datetime.now(UTC).replace(second=0, microsecond=0, tzinfo=None) - timedelta(
        minutes=minutes, hours=-8
    )
    async with contextlib.AsyncExitStack() as stack:
        reports = [await _logger(stack, n, hj_port, first) for n in range(LOGGERS)]
        reports += [await _station(stack, n, sl_port, first) for n in range(STATIONS)]
        begin_s = asyncio.get_running_loop().time() + 1.0
        async with asyncio.TaskGroup() as tasks:
            for index, report in enumerate(reports):
                offset_s = 0.0 if together else TICK_S * index / len(reports)
                tasks.create_task(_minutes(report, begin_s + offset_s, minutes, found))
    return found


async def _minutes(report: Report, begin_s: float, minutes: int, found: list[tuple[float, bool]]) -> None:
    loop = asyncio.get_running_loop()
    for minute in range(minutes):
        await asyncio.sleep(max(0.0, begin_s + minute * TICK_S - loop.time()))
        sent_s = loop.time()
        answered = await report(minute)
        found.append((loop.time() - sent_s, answered))


async def _logger(stack: contextlib.AsyncExitStack, number: int, port: int, first: datetime) -> Report:
    values = {code: {"Avg": "35.2", "Flag": "N"} for code in ("a34004", "a34002", "a21004", "a21026", "a05024")}
    config = hj212.LoggerConfig(mn=_mn(number))
    logger = hj212.Logger(config, lambda cn, start_ms: values, lambda: time.time_ns() // 1_000_000)
    await stack.enter_async_context(logger.online("127.0.0.1", port))
    first_ms = hj212.epoch_ms(f"{first:%Y%m%d%H%M%S}")
    return lambda minute: logger.report(hj212.MINUTE, first_ms + minute * 60_000)


async def _station(stack: contextlib.AsyncExitStack, number: int, port: int, first: datetime) -> Report:
    address = Address(station=bytes.fromhex(f"{number:010d}"), centre=5, password=0x03E8)
    pace = sl651.Pace(timed_min=1, hourly=False)
    station = sl651.HydroStation(address, lambda at: Sample(0.0, 12.5, 3.21, 12.34), pace)
    await station.connect("127.0.0.1", port)
    stack.push_async_callback(station.close)

    async def report(minute: int) -> bool:
        before = len(station.unanswered)
        await station.minute(first + timedelta(minutes=minute))
        return len(station.unanswered) == before

    return report


async def measure(minutes: int, *, together: bool) -> Run:
    """Return the figures of one run."""
    hj_port, sl_port = servers.free_port(), servers.free_port()
    lines = [Meters() for _ in range(LINES)]
    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(wire.behind_tcp(line)) for line in lines]
        rig = stack.enter_context(Rig())
        tables = sources(hj_port, sl_port, ports)
        gateway = await asyncio.to_thread(rig.gateway, "gw1", [Foreign()], "", tables)
        meter, begun_s = Meter({"gateway": gateway.pid}), time.monotonic()
        found = await city(hj_port, sl_port, minutes, together=together)
        wall_s, busy_s = time.monotonic() - begun_s, meter.read()["gateway"]
        late_ms = 1000 * max(line.late_s() for line in lines)
        await asyncio.to_thread(_silence, lines)
        accounts = await asyncio.to_thread(_settled, gateway)
        await asyncio.to_thread(gateway.stop)
        produced = sum(counts.produced for counts in accounts.values())
        missing = sum(counts.missing for counts in accounts.values())
        return {
            **_answers(found),
            "readings": produced,
            "missing": missing,
            "not_in_store": produced - missing - await asyncio.to_thread(_in_store, rig),
            "late_most_ms": late_ms,
            "gateway_cores": busy_s / wall_s,
        }


def _answers(found: list[tuple[float, bool]]) -> Run:
    took_ms = [took_s * 1000 for took_s, _ in found]
    return {
        "reports": len(found),
        "unanswered": sum(not answered for _, answered in found),
        "answer_p50_ms": percentile(took_ms, 0.5),
        "answer_p99_ms": percentile(took_ms, 0.99),
        "answer_most_ms": max(took_ms),
    }


def _silence(lines: Sequence[Meters]) -> None:
    """Let the meters answer no more, and wait until what was under way must have been taken."""
    from_s = time.monotonic() + 1.0
    for line in lines:
        line.mute = True
    wait_for(lambda: all(line.last_s() > from_s for line in lines), "each line was asked again", 0.25)


def _settled(gateway: GatewayProcess) -> dict[str, Counts]:
    """Return the gateway's account of the foreign nodes once nothing of theirs is under way."""
    names = {node.id for node in Foreign().nodes()}

    def foreign() -> dict[str, Counts]:
        return {name: counts for name, counts in read_accounts(gateway.journal).items() if name in names}

    wait_for(lambda: not any(counts.queued for counts in foreign().values()), "the store has all", 0.25)
    return foreign()


def _in_store(rig: Rig) -> int:
    """Return how many readings of the foreign nodes the store has."""
    wanted = (("air_quality", "pm2_5_ug_m3"), ("water_level", "level_m"), ("power_meter", "voltage_v"))
    rows = [rig.store.rows(f'SELECT count("{quantity}") FROM "{kind}"') for kind, quantity in wanted]
    return sum(int(row[0]["count"]) for row in rows if row)


def crc(data: bytes) -> bytes:
    """Return the CRC-16/MODBUS, low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


def main() -> None:
    """Measure and keep."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    end_in_order()
    times, minutes = (1, 5) if chosen.quick else (chosen.runs, 30)
    names = {"spread": False, "at once": True}
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(times):
        for name, together in names.items():
            runs[name].append(asyncio.run(measure(minutes, together=together)))
    save("foreign", chosen, runs, minutes=minutes)


if __name__ == "__main__":
    main()
