"""Water, heat and gas meters of CJ/T 188-2004 on one line: what they answer, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from simulators.stations.wire import Answer, collided

COLD_WATER, HOT_WATER, HEAT, GAS = 0x10, 0x11, 0x20, 0x30
CUBIC_METRE = 0x2C
VALVE_CLOSED, BATTERY_LOW = 0x01, 0x04
_READ, _READ_ADDRESS = 0x01, 0x03
_FROM_METER, _ERROR = 0x80, 0x40
_DATA, _ADDRESS = b"\x90\x1f", b"\x81\x0a"
_ANY = 0xAA
_MOST_KEPT = 512
_HEAD_BYTES, _TAIL_BYTES = 11, 2


@dataclass(kw_only=True, slots=True)
class Meter:
    """A meter: what it counted, None for FF (not supported). `clock` has 14 digits, YYYYMMDDhhmmss.

    `swapped` meters know their identifiers the other way round, 1F 90. It
    may be `dead` or `late_s` in answering. `refused` lists functions that would change it.
    """

    address: str
    type: int = COLD_WATER
    total: float | None = 0.0
    settled: float | None = 0.0
    unit: int = CUBIC_METRE
    clock: str | None = "00000000000000"
    status: int = 0
    maker_status: int = 0
    swapped: bool = False
    preamble: int = 0
    dead: bool = False
    late_s: float = 0.0
    refused: list[int] = field(default_factory=list)

    def answer(self, control: int, data: bytes) -> bytes:
        """Return the frame that answers a function with its data; b"" for none."""
        if control & (_FROM_METER | _ERROR) or len(data) < 3:
            return b""
        identifier, serial = data[:2], data[2:3]
        if control == _READ and identifier == self._own(_DATA):
            return self._frame(control, identifier + serial + self._told())
        if control == _READ_ADDRESS and identifier in (_ADDRESS, _ADDRESS[::-1]):
            return self._frame(control, identifier + serial)
        if control not in (_READ, _READ_ADDRESS):
            self.refused.append(control)
        return self._frame(control | _ERROR, serial + bytes((self.status, self.maker_status)))

    def _own(self, identifier: bytes) -> bytes:
        return identifier[::-1] if self.swapped else identifier

    def _told(self) -> bytes:
        clock = b"\xff" * 7 if self.clock is None else bytes.fromhex(self.clock)[::-1]
        unit = bytes((self.unit,))
        status = bytes((self.status, self.maker_status))
        return _count(self.total) + unit + _count(self.settled) + unit + clock + status

    def _frame(self, control: int, data: bytes) -> bytes:
        return b"\xfe" * self.preamble + frame(self.type, self.address, control | _FROM_METER, data)


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
            kind, address, control, body = found
            self.heard.append((address[::-1].hex().upper(), control))
            asked = [meter for meter in self.meters if not meter.dead and _means(kind, address, meter)]
            told = [Answer(meter.answer(control, body), meter.late_s) for meter in asked]
            answers += collided([answer for answer in told if answer.data])
        return answers

    def _next(self) -> tuple[int, bytes, int, bytes] | None:
        """Take the next right frame out of what came: type, address, control, data."""
        rest, begun = self._rest, len(self._rest)
        for at in range(len(rest)):
            if rest[at] != 0x68:
                continue
            head = rest[at : at + _HEAD_BYTES]
            whole = len(head) == _HEAD_BYTES
            end = at + _HEAD_BYTES + head[-1] + _TAIL_BYTES if whole else len(rest) + 1
            if end > len(rest):
                begun = min(begun, at)
                continue
            if rest[end - 1] == 0x16 and sum(rest[at : end - 2]) & 0xFF == rest[end - 2]:
                self._rest = rest[end:]
                return head[1], head[2:9], head[9], rest[at + _HEAD_BYTES : end - 2]
        self._rest = rest[begun:][-_MOST_KEPT:]
        return None


def frame(kind: int, address: str, control: int, data: bytes) -> bytes:
    """Return a frame; `address` has 14 digits, high first."""
    body = bytes((0x68, kind)) + bytes.fromhex(address)[::-1] + bytes((control, len(data))) + data
    return body + bytes((sum(body) & 0xFF, 0x16))


def _count(number: float | None) -> bytes:
    """Return a count as four bytes of BCD, low first, two decimals."""
    return b"\xff" * 4 if number is None else bytes.fromhex(f"{round(number * 100):08d}")[::-1]


def _means(kind: int, address: bytes, meter: Meter) -> bool:
    """Return whether a frame is for a meter: its type or AA, its address or AA everywhere."""
    own = bytes.fromhex(meter.address)[::-1]
    return kind in (meter.type, _ANY) and address in (own, bytes((_ANY,)) * len(own))
