"""One water, gas or other meter that is asked: its question, and how its answer is told from all else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from edge.adapters.adapter import Exchange
from edge.adapters.cjt188.telegram import ENVELOPE, EVERYBODY, read_request, telegram
from edge.adapters.cjt188.values import values
from edge.adapters.envelope import FROM_METER, same_meter, spelt
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Cjt188Options:
    """A meter's own keys. `order` is how the identifier 901F is sent to it: most meters know it as 90 1F."""

    meter_type: Literal["10", "11", "12", "13", "20", "21", "30", "40", "AA"] = "10"
    order: Literal["901F", "1F90"] = "901F"
    wake_up: int = 4
    timeout_s: float = 1.5

    def __post_init__(self) -> None:
        if not 0 <= self.wake_up <= 16:
            raise ConfigError(f"wake_up {self.wake_up} is not 0 to 16 bytes")
        if self.timeout_s <= 0:
            raise ConfigError(f"timeout_s {self.timeout_s} is not above 0")


class Cjt188Poller:
    """A meter at an address (fourteen digits; AAAAAAAAAAAAAA where it is alone on its line)."""

    def __init__(self, device: str, options: Cjt188Options) -> None:
        self._address = address(device)
        self._options = options
        self._serial = 0
        self._late: int | None = None

    def exchanges(self) -> Sequence[Exchange]:
        """Return the one question of a round. Its serial number goes up, so that a late answer can be told."""
        own, serial, late = self._options, self._serial, self._late
        self._serial, self._late = (serial + 1) % 256, serial
        request = read_request(own.meter_type, self._address, own.order, serial, wake_up=own.wake_up)
        return (Exchange(request=request, read=partial(self._read, late), timeout_s=own.timeout_s),)

    def _read(self, late: int | None, data: bytes) -> tuple[Value, ...] | None:
        """Return the values of the answer. Meters that do not repeat our serial number are put up with."""
        found = ENVELOPE.search(data)
        for frame in found.frames:
            if self._is_own(frame):
                answer = telegram(frame)
                if answer.error:
                    raise Refusal("error", f"{answer.address} says no: {answer.data.hex().upper()}")
                if answer.tells_totals and answer.data[2] != late:
                    return values(answer)
        if any(self._is_own(frame) for frame in found.broken):
            raise FrameError("checksum", f"the answer of {self._address} came damaged")
        return None

    def _is_own(self, frame: bytes) -> bool:
        return bool(frame[9] & FROM_METER) and same_meter(self._address, spelt(frame[2:9]))


def address(device: str) -> str:
    """Return a meter's address in full: leading zeros may be left out. Raises ConfigError."""
    full = device.upper().zfill(len(EVERYBODY))
    if full != EVERYBODY and not (len(full) == len(EVERYBODY) and full.isascii() and full.isdecimal()):
        raise ConfigError(f"{device!r} is no CJ/T 188 address", remedy="fourteen digits, maker's code first")
    return full
