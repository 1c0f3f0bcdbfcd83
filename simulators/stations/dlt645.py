"""Electricity meters of DL/T 645-2007 on one line: what they answer, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simulators.stations.wire import Answer, collided

ENERGY, REVERSE_ENERGY, COMBINED_ENERGY = 0x00010000, 0x00020000, 0x00000000
VOLTAGE_A, CURRENT_A, POWER, REACTIVE_POWER = 0x02010100, 0x02020100, 0x02030000, 0x02040000
APPARENT_POWER, POWER_FACTOR, FREQUENCY = 0x02050000, 0x02060000, 0x02800002
NO_DATA, NO_RIGHT = 0x02, 0x04
_READ, _READ_ON, _READ_ADDRESS = 0x11, 0x12, 0x13
_CHANGES = range(0x14, 0x1D)
_FROM_METER, _ERROR, _MORE = 0x80, 0x40, 0x20
_ANY = 0xAA
_MOST_KEPT = 512
_OWN_ADDRESS = 0x04000401
_HOURLY = 0x0504  # then what of it (00 time, 01 and 02 energies, FF all), then how many freezes ago
_BETWEEN = b"\xaa"
_FROM_A_TIME = 0x06000001  # then how many load records, and the minute of the first
_GROUPS = (
    (VOLTAGE_A, 0x02010200, 0x02010300, CURRENT_A, 0x02020200, 0x02020300, FREQUENCY),
    (POWER, 0x02030100, 0x02030200, 0x02030300, REACTIVE_POWER, 0x02040100, 0x02040200, 0x02040300),
    (POWER_FACTOR, 0x02060100, 0x02060200, 0x02060300),
    (ENERGY, REVERSE_ENERGY, 0x00030000, 0x00040000),
    (0x00050000, 0x00060000, 0x00070000, 0x00080000),
    (0x02800004, 0x02800005),
)
"""The groups of a load record; a record has those of which it has any value."""

_FORMS: tuple[tuple[int, int, int, int, bool], ...] = (
    (0xFF000000, 0x00000000, 4, 2, False),  # energies, kWh and kvarh
    (0xFFFF0000, 0x02010000, 2, 1, False),  # V
    (0xFFFF0000, 0x02020000, 3, 3, True),  # A
    (0xFFFF0000, 0x02030000, 3, 4, True),  # kW
    (0xFFFF0000, 0x02040000, 3, 4, True),  # kvar
    (0xFFFF0000, 0x02050000, 3, 4, True),  # kVA
    (0xFFFF0000, 0x02060000, 2, 3, True),
    (0xFFFFFFFF, 0x02800002, 2, 2, False),  # Hz
    (0xFFFFFFFE, 0x02800004, 3, 4, True),  # kW, kvar of now
)
"""Mask and identifier -> bytes, decimals, and whether the top bit is the direction."""


class Hour(NamedTuple):
    """What was frozen on a full hour: YYMMDDhhmm by the meter's clock, forward and reverse energy in kWh."""

    time: str
    forward: float
    reverse: float = 0.0


@dataclass(kw_only=True, slots=True)
class Meter:
    """A meter: `readings` by identifier, None for FF (not supported); what it has not is refused with 02.

    `raw` holds elements as bytes, low byte first. `most_bytes` of a value go into one frame, the rest is read
    on. It may be `dead`, `late_s` in answering, or put `preamble` FE before an answer. `refused` lists the
    functions it was asked for and does not do: all that would change it.

    `hours` are its hourly freezes, the newest first; it has room for `keeps` of them, what was never frozen is
    zeros. `in_blocks`: whether it tells one as a block. `loads` are its load records: by YYMMDDhhmm, values by
    identifier; None where it has none at all.
    """

    address: str
    readings: Mapping[int, float | None] = field(default_factory=dict)
    raw: Mapping[int, bytes] = field(default_factory=dict)
    most_bytes: int = 150
    dead: bool = False
    late_s: float = 0.0
    preamble: int = 4
    refused: list[int] = field(default_factory=list)
    hours: Sequence[Hour] = ()
    keeps: int = 0
    in_blocks: bool = True
    loads: Mapping[str, Mapping[int, float]] | None = None

    def answer(self, control: int, data: bytes) -> bytes:
        """Return the frame that answers a function with its data (33h taken off); b"" for none."""
        if control == _READ and int.from_bytes(data[:4], "little") == _FROM_A_TIME and self.loads is not None:
            return self._frame(control, data[:4] + self._load(data[9:4:-1].hex()))
        if control == _READ and len(data) >= 4:
            return self._told(control, data[:4], 0)
        if control == _READ_ON and len(data) == 5:
            return self._told(control, data[:4], data[4])
        if control == _READ_ADDRESS and not data:
            return self._frame(control, bytes.fromhex(self.address)[::-1])
        if control not in _CHANGES:
            return b""
        self.refused.append(control)
        return self._frame(control | _ERROR, bytes((NO_RIGHT,)))

    def _told(self, control: int, identifier: bytes, part: int) -> bytes:
        value = self._value(int.from_bytes(identifier, "little"))
        parts = [value[at : at + self.most_bytes] for at in range(0, len(value), self.most_bytes)]
        if part >= len(parts):
            return self._frame(control | _ERROR, bytes((NO_DATA,)))
        more = _MORE if part + 1 < len(parts) else 0
        number = bytes((part,)) if control == _READ_ON else b""
        return self._frame(control | more, identifier + parts[part] + number)

    def _value(self, identifier: int) -> bytes:
        if identifier == _OWN_ADDRESS:
            return bytes.fromhex(self.address)[::-1]
        if identifier in self.raw:
            return self.raw[identifier]
        if identifier >> 16 == _HOURLY:
            return self._hour(identifier >> 8 & 0xFF, identifier & 0xFF)
        return b"".join(_packed(each, self.readings[each]) for each in self._members(identifier))

    def _hour(self, what: int, ago: int) -> bytes:
        """Return (part of) the freeze so many freezes ago; b"" for what the meter has not."""
        if not 1 <= ago <= self.keeps:
            return b""
        hour = self.hours[ago - 1] if ago <= len(self.hours) else Hour("0" * 10, 0.0)
        energies = [bytes.fromhex(f"{round(kwh * 100):08d}")[::-1] for kwh in hour[1:]]
        parts = dict(enumerate([bytes.fromhex(hour.time)[::-1], *energies]))
        if self.in_blocks:
            parts[0xFF] = b"".join(part + _BETWEEN for part in parts.values())
        return parts.get(what, b"")

    def _load(self, minute: str) -> bytes:
        """Return the record of a minute; b"" where there is none."""
        values = (self.loads or {}).get(minute)
        if values is None:
            return b""
        body = bytes.fromhex(minute)[::-1]
        for group in _GROUPS:
            told = not values.keys().isdisjoint(group)
            body += b"".join(_packed(each, values.get(each, 0.0)) for each in group if told) + _BETWEEN
        record = b"\xa0\xa0" + bytes((len(body),)) + body
        return record + bytes((sum(record) & 0xFF, 0xE5))

    def _members(self, identifier: int) -> list[int]:
        """Return the elements of a block (FF in one place), in their order; the element itself otherwise."""
        for shift in (8, 16):
            if identifier >> shift & 0xFF == 0xFF:
                mask = 0xFFFFFFFF ^ 0xFF << shift
                return sorted(each for each in self.readings if each & mask == identifier & mask)
        return [identifier] if identifier in self.readings else []

    def _frame(self, control: int, data: bytes) -> bytes:
        return b"\xfe" * self.preamble + frame(self.address, control | _FROM_METER, data)


class Line:
    """The meters of one line. `heard` lists the right frames that came: (address, control)."""

    def __init__(self, meters: Iterable[Meter]) -> None:
        self.meters = tuple(meters)
        self.heard: list[tuple[str, int]] = []
        self._rest = b""

    def feed(self, data: bytes) -> list[Answer]:
        """Take what the master sent; return what the meters answer."""
        self._rest += data
        answers = []
        while (found := self._next()) is not None:
            address, control, body = found
            self.heard.append((address[::-1].hex().upper(), control))
            asked = [meter for meter in self.meters if not meter.dead and _means(address, meter.address)]
            told = [Answer(meter.answer(control, body), meter.late_s) for meter in asked]
            answers += collided([answer for answer in told if answer.data])
        return answers

    def _next(self) -> tuple[bytes, int, bytes] | None:
        """Take the next right frame out of what came: address, control, data without 33h."""
        rest, begun = self._rest, len(self._rest)
        for at in range(len(rest)):
            head = rest[at : at + 10]
            if head[:1] != b"\x68" or head[7:8] not in (b"\x68", b""):
                continue
            end = at + 12 + head[9] if len(head) == 10 else len(rest) + 1
            if end > len(rest):
                begun = min(begun, at)
                continue
            if rest[end - 1] == 0x16 and sum(rest[at : end - 2]) & 0xFF == rest[end - 2]:
                self._rest = rest[end:]
                return head[1:7], head[8], bytes(byte - 0x33 & 0xFF for byte in rest[at + 10 : end - 2])
        self._rest = rest[begun:][-_MOST_KEPT:]
        return None


def frame(address: str, control: int, data: bytes) -> bytes:
    """Return a frame; `address` has 12 digits, high first, `data` is as it is before 33h is added."""
    body = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68" + bytes((control, len(data)))
    body += bytes(byte + 0x33 & 0xFF for byte in data)
    return body + bytes((sum(body) & 0xFF, 0x16))


def _means(asked: bytes, address: str) -> bool:
    """Return whether an address on the wire (low first) is a meter's own, with AA in upper bytes for any."""
    own = bytes.fromhex(address)[::-1]
    short = asked.rstrip(bytes((_ANY,)))
    return own[: len(short)] == short


def _packed(identifier: int, number: float | None) -> bytes:
    """Return a number as an identifier has it, low byte first; FF for none."""
    width, decimals, signed = next(
        (form[2:] for form in _FORMS if identifier & form[0] == form[1]), (4, 2, False)
    )
    if number is None:
        return b"\xff" * width
    digits = f"{round(abs(number) * 10**decimals):0{2 * width}d}"
    packed = bytearray(bytes.fromhex(digits)[::-1])
    if signed and number < 0:
        packed[-1] |= 0x80
    return bytes(packed)
