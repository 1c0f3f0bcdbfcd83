"""`source scan` on a serial line with simulated devices, written from the pages of their protocols.

The line is a pseudo-terminal: its far end sees the rate that was set, and answers at the right one alone.
"""

from __future__ import annotations

import asyncio
import os
import select
import termios
import threading
import tomllib
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.sources.cli import app
from gateway.sources.config import SourceConfig, read_sources
from gateway.sources.scan import MODBUS, Device, Search, Step, sample, scan
from simulators.stations import dlt645

RATES = {termios.B1200: 1200, termios.B2400: 2400, termios.B4800: 4800, termios.B9600: 9600}
Simulated = Callable[[bytes], bytes]
"""A device: what it answers to a frame, nothing to what is not for it."""


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


def unit(address: int, function: int) -> Simulated:
    """A Modbus device that knows one function; the others it refuses."""

    def answer(frame: bytes) -> bytes:
        if len(frame) != 8 or frame[0] != address or crc(frame[:6]) != frame[6:]:
            return b""
        head = bytes((address, frame[1]))
        said = head + b"\x02\x00\x2a" if frame[1] == function else bytes((address, frame[1] | 0x80, 1))
        return said + crc(said)

    return answer


def summed(frame: bytes) -> bytes:
    """Wake-up, frame, sum, end."""
    return b"\xfe\xfe" + frame + bytes((sum(frame) & 0xFF, 0x16))


def electricity(digits: str) -> Simulated:
    """A DL/T 645 meter that tells its address and its energy."""
    own = bytes.fromhex(digits)[::-1]

    def answer(asked: bytes) -> bytes:
        frame = asked.lstrip(b"\xfe")
        if len(frame) < 12 or frame[0] != 0x68 or frame[7] != 0x68:
            return b""
        for_us = all(byte in (mine, 0xAA) for byte, mine in zip(frame[1:7], own, strict=True))
        data = {0x13: own, 0x11: bytes.fromhex("0000010075030000")}.get(frame[8])
        if not for_us or data is None:
            return b""
        shifted = bytes((byte + 0x33) & 0xFF for byte in data)
        return summed(b"\x68" + own + b"\x68" + bytes((frame[8] | 0x80, len(data))) + shifted)

    return answer


def water(digits: str) -> Simulated:
    """A CJ/T 188 meter that tells its address, and that it has nothing of what else it is asked."""
    own = bytes.fromhex(digits)[::-1]

    def answer(asked: bytes) -> bytes:
        frame = asked.lstrip(b"\xfe")
        if len(frame) < 13 or frame[0] != 0x68:
            return b""
        if frame[9] == 0x03 and frame[2:9] == b"\xaa" * 7:
            return summed(b"\x68\x10" + own + b"\x83\x03\x81\x0a\x00")
        if frame[9] == 0x01 and frame[2:9] == own and frame[11:13] == b"\x1f\x90":
            return summed(b"\x68\x10" + own + b"\xc1\x03\x00\x01\x00")
        return b""

    return answer


def set_aside(terminal: int) -> None:
    """Change a setting that does not matter.

    Else opening the port anew changes nothing but the parity, which a pseudo-terminal has not: an error.
    """
    attributes = termios.tcgetattr(terminal)
    attributes[3] |= termios.IEXTEN
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


class Wire:
    """A serial line with devices, at one rate; `echo` gives each question back first, as some adapters do."""

    def __init__(self, rate: int, devices: list[Simulated], *, echo: bool = False) -> None:
        self.rate, self.devices, self.echo = rate, devices, echo
        self.asked: list[bytes] = []
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port = os.ttyname(self._near)
        self._over, self._end = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        os.write(self._end, b"x")
        self._thread.join()
        for end in (self._far, self._near, self._over, self._end):
            os.close(end)

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._far, self._over], [], [])
            if self._over in ready:
                return
            frame = os.read(self._far, 4096)
            self.asked.append(frame)
            if RATES.get(termios.tcgetattr(self._far)[4]) == self.rate:
                said = b"".join(device(frame) for device in self.devices)
                os.write(self._far, (frame if self.echo else b"") + said)
            set_aside(self._far)


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    """Makes lines."""
    made: list[Wire] = []

    def make(*words: object, **more: object) -> Wire:
        made.append(Wire(*words, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


class Notes:
    """Notes what a scan tells."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.devices: list[Device] = []
        self.total = self.done = 0

    def begins(self, step: Step, questions: int) -> None:
        self.steps.append(step)
        self.total += questions

    def asked(self, what: str, more: int = 0) -> None:
        self.total, self.done = self.total + more, self.done + 1

    def found(self, device: Device) -> None:
        self.devices.append(device)


async def scanned(line: Wire, **more: object) -> Notes:
    notes = Notes()
    search = Search(address=line.port, transport="serial", timeout_s=0.12, units=(1, 2, 3), **more)  # type: ignore[arg-type]
    await scan(search, notes)
    assert notes.done == notes.total
    return notes


@pytest.mark.parametrize("echo", [False, True])
async def test_units_are_found_whichever_function_they_know(wire: Callable[..., Wire], echo: bool) -> None:
    line = wire(4800, [unit(2, 3), unit(3, 4)], echo=echo)
    notes = await scanned(line, protocols=(MODBUS,), settings=((9600, "N"), (4800, "N")))
    assert [device.id for device in notes.devices] == ["2", "3"]
    assert [step.baud for step in notes.steps] == [9600, 4800]
    assert {frame[1] for frame in line.asked} == {3, 4}


@pytest.mark.parametrize("echo", [False, True])
async def test_a_single_meter_tells_its_address(wire: Callable[..., Wire], echo: bool) -> None:
    notes = await scanned(wire(9600, [electricity("000000000161")], echo=echo), protocols=("dlt645",))
    assert [device.id for device in notes.devices] == ["000000000161"]
    notes = await scanned(wire(2400, [water("78330011223344")], echo=echo), protocols=("cjt188",))
    assert [device.id for device in notes.devices] == ["78330011223344"]


class Far:
    """A pipe to a line of simulated meters, which spoil each other's answers."""

    def __init__(self, line: dlt645.Line) -> None:
        self._line = line
        self._said = b""

    async def write(self, data: bytes) -> None:
        self._said = b"".join(answer.data for answer in self._line.feed(data))

    async def read(self) -> bytes:
        return self.drop() or await asyncio.Future[bytes]()

    def drop(self) -> bytes:
        said, self._said = self._said, b""
        return said

    def close(self) -> None:
        pass


async def test_meters_that_answer_at_once_are_told_apart_by_their_last_digits() -> None:
    meters = ["000000000161", "000000000261", "112233445566"]
    line = dlt645.Line([dlt645.Meter(address=each, readings={dlt645.ENERGY: 1.0}) for each in meters])
    notes = Notes()
    search = Search(address="line:1", transport="tcp-client", timeout_s=0.002, protocols=("dlt645",))

    async def opened(_: SourceConfig) -> Far:
        return Far(line)

    await scan(search, notes, opened)
    assert sorted(device.id for device in notes.devices) == meters
    assert notes.done == notes.total > 200
    assert {control for _, control in line.heard} == {0x11, 0x13}
    assert not any(meter.refused for meter in line.meters)


async def test_what_shares_a_line_is_looked_for_at_the_rate_at_which_somebody_answered(
    wire: Callable[..., Wire],
) -> None:
    notes = await scanned(wire(2400, [electricity("000000000161"), unit(3, 3)]))
    assert [(device.step.protocol, device.id) for device in notes.devices] == [
        ("dlt645", "000000000161"), (MODBUS, "3")
    ]  # fmt: skip
    assert {step.baud for step in notes.steps} == {2400}


def test_the_command_prints_tables_that_can_be_read(wire: Callable[..., Wire], tmp_path: Path) -> None:
    line = wire(2400, [electricity("000000000161")])
    words = ["scan", line.port, "--units", "1-2", "--timeout", "0.12"]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    assert "✓ dlt645 " in ran.stderr and "✓ 1 device; for gateway.toml:" in ran.stderr
    (source,) = read_sources(tomllib.loads(ran.stdout)["source"], "printed")
    assert (source.baud, source.parity, source.devices[0].id) == (2400, "E", "000000000161")


def test_the_command_says_what_to_look_at_when_nobody_answers(wire: Callable[..., Wire]) -> None:
    ran = CliRunner().invoke(app, ["scan", wire(2400, []).port, "--protocol", "cjt188", "--timeout", "0.01"])
    assert ran.exit_code == 1
    assert "nobody answered" in ran.stderr and "A and B changed over?" in ran.stderr and ran.stdout == ""


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--units", "1-300"], "--units '1-300' is not within 1 to 247"),
        (["--units", "a"], "--units 'a' is no list of units"),
        (["--baud", "fast"], "--baud 'fast' is no list of rates"),
        (["--baud", "9600", "--parity", "X"], "--parity 'X' is no list of N, E, O"),
        (["--protocol", "hj212"], "cannot look for 'hj212'"),
    ],
)
def test_an_option_that_is_wrong_is_named(option: list[str], words: str) -> None:
    assert words in str(CliRunner().invoke(app, ["scan", "/dev/null", *option]).exception)


def test_a_port_that_cannot_be_opened_is_an_error_with_advice() -> None:
    error = CliRunner().invoke(app, ["scan", "/dev/ttyNone", "--protocol", "cjt188"]).exception
    assert "/dev/ttyNone" in str(error) and "does something else hold the line?" in str(error)


def test_a_sample_has_a_table_for_each_protocol_and_setting() -> None:
    found = [
        Device(step=Step(protocol="cjt188", baud=2400, parity="E"), id="78330011223344"),
        Device(step=Step(protocol=MODBUS, baud=9600, parity="N"), id="7"),
    ]
    text = sample(Search(address="10.0.0.9:4001", transport="tcp-client"), found)
    sources = tomllib.loads(text)["source"]
    assert [source["protocol"] for source in sources] == ["cjt188", MODBUS]
    assert "baud" not in sources[0]
    assert [source["name"] for source in sources] == ["cjt188-10.0.0.9-4001", "modbus-devices-10.0.0.9-4001"]


def test_a_sample_of_two_protocols_on_one_port_says_that_they_cannot_stay_there() -> None:
    steps = (Step(protocol="dlt645", baud=2400, parity="E"), Step(protocol="cjt188", baud=2400, parity="E"))
    found = [
        Device(step=step, id=digits) for step, digits in zip(steps, ("161", "78330011223344"), strict=True)
    ]
    text = sample(Search(address="/dev/ttyUSB0", transport="serial"), found)
    assert text.count("need a line of their own") == 1
    assert [source["name"] for source in tomllib.loads(text)["source"]] == ["dlt645-ttyUSB0", "cjt188-ttyUSB0"]
