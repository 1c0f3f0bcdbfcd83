"""Who is on a line: Modbus units, meters of DL/T 645 and CJ/T 188. Only reading commands are ever sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from edge.adapters import adapter
from edge.adapters.cjt188 import roll as cjt188
from edge.adapters.cjt188.telegram import ANY_TYPE, read_request
from edge.adapters.dlt645 import roll as dlt645
from edge.adapters.envelope import RollCall
from edge.adapters.frame import Refusal
from edge.adapters.modbus.request import LAST_UNIT, Framing
from edge.adapters.modbus.scan import questions
from gateway.sources.config import SourceConfig
from gateway.sources.line import Unanswered, converse
from gateway.sources.pipe import Pipe, open_pipe

Parity = Literal["N", "E", "O"]
MODBUS = "modbus-devices"
MOST_BITS = 11
SLOWEST_S = 0.5  # a meter's answer begins within it (DL/T 645), and no two bytes are farther apart
MODBUS_S = 0.25  # nearly all devices answer within 0.1 s; 247 units are asked twice


class Roll(Protocol):
    """How meters of a protocol are called up: all, or those whose address ends alike."""

    def question(self, tail: str = "") -> bytes:
        """Return the question to all whose address ends in `tail`."""

    def heard(self, data: bytes) -> RollCall:
        """Return who answered."""

    def narrower(self, tail: str) -> tuple[str, ...]:
        """Return the tails to ask for after a clash."""


ROLLS: dict[str, Roll] = {"dlt645": dlt645, "cjt188": cjt188}
SETTINGS: dict[str, tuple[tuple[int, Parity], ...]] = {
    "dlt645": ((2400, "E"), (9600, "E"), (4800, "E"), (1200, "E")),
    "cjt188": ((2400, "E"), (9600, "E"), (4800, "E"), (1200, "E")),
    MODBUS: ((9600, "N"), (4800, "N"), (2400, "N"), (19_200, "E"), (9600, "E"), (115_200, "N")),
}
"""What devices of a protocol are mostly set to, the likeliest first; those with a quick search first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One protocol looked for at one setting of the line."""

    protocol: str
    baud: int
    parity: Parity


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Somebody who answered."""

    step: Step
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What to look for on which line. No settings: those that are usual for each protocol."""

    address: str
    transport: Literal["serial", "tcp-client"]
    protocols: tuple[str, ...] = tuple(SETTINGS)
    settings: tuple[tuple[int, Parity], ...] = ()
    units: tuple[int, ...] = tuple(range(1, LAST_UNIT + 1))
    framing: Framing = Framing.RTU
    timeout_s: float = 0.0

    def steps(self) -> Iterator[Step]:
        """Yield what to try; a serial server has its own setting, which cannot be changed from here."""
        for protocol in self.protocols:
            usual = self.settings or SETTINGS[protocol]
            for baud, parity in usual if self.transport == "serial" else usual[:1]:
                yield Step(protocol=protocol, baud=baud, parity=parity)

    def source(self, step: Step) -> SourceConfig:
        """Return the line at a setting."""
        return SourceConfig(
            name="scan", protocol=step.protocol, adapter=adapter(step.protocol), transport=self.transport,
            address=self.address, baud=step.baud, parity=step.parity, devices=(),
        )  # fmt: skip

    def under_way_s(self, step: Step, size: int) -> float:
        """Return how long so many bytes take on a serial line; what TCP adds nobody knows."""
        return size * MOST_BITS / step.baud if self.transport == "serial" else 0.0


class Watcher(Protocol):
    """Who is told how a scan goes on."""

    def begins(self, step: Step, questions: int) -> None:
        """Hear that so many questions will be asked."""

    def asked(self, what: str, more: int = 0) -> None:
        """Hear that one was asked, and that there are `more` than was said."""

    def found(self, device: Device) -> None:
        """Hear of one that answered."""


async def scan(
    search: Search, watcher: Watcher, open_line: Callable[[SourceConfig], Awaitable[Pipe]] = open_pipe
) -> None:
    """Look for all; where somebody answered, the others are looked for at that setting alone.

    Raises OSError when the line cannot be opened, or breaks.
    """
    working: set[tuple[int, Parity]] = set()
    done: set[str] = set()
    for step in search.steps():
        known = (step.baud, step.parity) in working
        if step.protocol in done or (working and not known and not search.settings):
            continue
        if await _try(search, step, watcher, open_line):
            working.add((step.baud, step.parity))
            done.add(step.protocol)
    for baud, parity in working if not search.settings else ():
        for protocol in search.protocols:
            step = Step(protocol=protocol, baud=baud, parity=parity)
            if protocol not in done and step not in set(search.steps()):
                await _try(search, step, watcher, open_line)


async def _try(
    search: Search, step: Step, watcher: Watcher, open_line: Callable[[SourceConfig], Awaitable[Pipe]]
) -> bool:
    """Look for devices of one protocol at one setting."""
    pipe = await open_line(search.source(step))
    try:
        if step.protocol == MODBUS:
            return await _units(pipe, search, step, watcher)
        return await _meters(pipe, search, step, watcher)
    finally:
        pipe.close()


async def _units(pipe: Pipe, search: Search, step: Step, watcher: Watcher) -> bool:
    found: set[int] = set()
    timeout_s = (search.timeout_s or MODBUS_S) + search.under_way_s(step, 20)
    asked = questions(search.units, framing=search.framing, timeout_s=timeout_s)
    watcher.begins(step, 2 * len(search.units))
    for unit, question in asked:
        if unit not in found:
            try:
                await converse(pipe, question)
            except (Refusal, Unanswered):
                pass  # nobody, or noise: at the right setting the other question is answered
            else:
                found.add(unit)
                watcher.found(Device(step=step, id=str(unit)))
        watcher.asked(f"unit {unit}")
    return bool(found)


async def _meters(pipe: Pipe, search: Search, step: Step, watcher: Watcher) -> bool:
    roll = ROLLS[step.protocol]
    found: set[str] = set()
    waiting: list[str] = [""]
    watcher.begins(step, 1)

    async def heard(question: bytes) -> RollCall:
        timeout_s = search.timeout_s or SLOWEST_S
        return roll.heard(await listen(pipe, question, timeout_s, search.under_way_s(step, len(question))))

    async def is_there(address: str) -> bool:
        """Ask for the one: two answers on top of each other can look like that of a third."""
        return any([(await heard(question)).addresses == (address,) for question in _proofs(step, address)])

    while waiting:
        tail = waiting.pop()
        call = await heard(roll.question(tail))
        clash = call.clash
        for address in call.addresses:
            if address in found:
                continue
            if address == tail or await is_there(address):
                found.add(address)
                watcher.found(Device(step=step, id=address))
            else:
                clash = True
            watcher.asked(address, 1)
        further = roll.narrower(tail) if clash else ()
        waiting += reversed(further)
        watcher.asked(f"all ending in {tail}" if tail else "all", len(further))
    return bool(found)


def _proofs(step: Step, address: str) -> list[bytes]:
    """Return questions of which a meter at this address answers one."""
    other_order = [read_request(ANY_TYPE, address, "1F90", 0)] if step.protocol == "cjt188" else []
    return [ROLLS[step.protocol].question(address), *other_order]


async def listen(pipe: Pipe, question: bytes, quiet_s: float, under_way_s: float) -> bytes:
    """Ask, and return all that comes until nothing came for a while; the question itself takes its time too."""
    pipe.drop()
    await pipe.write(question)
    within_s = quiet_s + under_way_s
    came = b""
    try:
        while len(came) < 4_096:
            async with asyncio.timeout(within_s):
                came += await pipe.read()
            within_s = quiet_s
    except TimeoutError:
        pass
    return came


def sample(search: Search, devices: Iterable[Device]) -> str:
    """Return the [[source]] tables for what answered, ready for gateway.toml but for names and profiles."""
    found = list(devices)
    parts = []
    for index, step in enumerate(dict.fromkeys(device.step for device in found)):
        if index and search.transport == "serial":
            parts.append("# One source can hold the port: the devices below need a line of their own.")
        parts.append(_head(search, step))
        parts += [_table(search, device) for device in found if device.step == step]
    return "\n".join(parts)


def _head(search: Search, step: Step) -> str:
    serial = f'baud = {step.baud}\nparity = "{step.parity}"\n' if search.transport == "serial" else ""
    line = search.address.rpartition("/")[2].replace(":", "-")  # two lines' tables may go into one file
    return (
        f'[[source]]\nname = "{step.protocol}-{line}"\nprotocol = "{step.protocol}"\n'
        f'transport = "{search.transport}"\naddress = "{search.address}"\n{serial}'
    )


def _table(search: Search, device: Device) -> str:
    kind, own = {
        "dlt645": ("power_meter", ""),
        "cjt188": (
            "water_meter",
            'meter_type = "AA"                     # any; 10 cold water, 20 heat, 30 gas\n',
        ),
        MODBUS: (
            "power_meter",
            'profile = "?"                         # docs/protocols/modbus.md names them\n',
        ),
    }[device.step.protocol]
    framing = (
        f'framing = "{search.framing}"\n'
        if device.step.protocol == MODBUS and search.framing != Framing.RTU
        else ""
    )
    name = "unit" if device.step.protocol == MODBUS else "meter"
    return (
        f'[[source.device]]\nid = "{device.id}"\nnode = "{name}-{device.id}"\nkind = "{kind}"\n{own}{framing}'
    )
