"""One electricity meter that is asked: the questions of a round, and what its answers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from edge.adapters.adapter import Exchange, Memory
from edge.adapters.dlt645.items import item
from edge.adapters.dlt645.memory import FROZEN, MeterMemory
from edge.adapters.dlt645.questions import Questions
from edge.adapters.dlt645.telegram import EVERYBODY
from edge.adapters.dlt645.values import elements, number
from edge.adapters.frame import FrameError
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from edge.model.quality import Flag

_MOST_PARTS = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Dlt645Options:
    """A meter's own keys: what it is asked for, how it is woken, how long its answer may take.

    `history`: what it froze on full hours, by a clock of `time_zone`, is asked for when readings are missing.
    """

    items: tuple[str, ...] = ("00010000", "02010100", "02020100", "02030000", "02060000", "02800002")
    wake_up: int = 4
    timeout_s: float = 1.5
    history: bool = True
    time_zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        for di in self.items:
            if not _hex(di, 8) or di != di.upper() or (known := item(di)) is None or not known.numeric:
                remedy = "eight hex digits, as 00010000; see docs/protocols/dlt645.md"
                raise ConfigError(f"DL/T 645 item {di!r} is no identifier of a number", remedy=remedy)
        if not 0 <= self.wake_up <= 16:
            raise ConfigError(f"wake_up {self.wake_up} is not 0 to 16 bytes")
        if self.timeout_s <= 0:
            raise ConfigError(f"timeout_s {self.timeout_s} is not above 0")
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, KeyError):
            raise ConfigError(f"no time zone {self.time_zone!r}", remedy='such as "Asia/Shanghai"') from None


class Dlt645Poller:
    """A meter at an address (twelve digits; AAAAAAAAAAAA where it is alone on its line).

    `memory` is what it can be asked for of the past; None where that is not wanted, or has none of its items.
    """

    def __init__(self, device: str, options: Dlt645Options) -> None:
        self._items = options.items
        self._lacks: set[str] = set()
        self._further: dict[str, int] = {}  # identifier -> parts of its answer beside the first
        self._questions = Questions(address(device), options.wake_up, options.timeout_s)
        asked = {key for di in options.items if (known := item(di)) for key in known.keys}
        self.memory: Memory | None = None
        if options.history and not asked.isdisjoint(FROZEN):
            self.memory = MeterMemory(self._questions, asked, ZoneInfo(options.time_zone))

    def exchanges(self) -> Sequence[Exchange]:
        """Return the questions of one round, without those to which the meter said that it has no such data."""
        asked: list[Exchange] = []
        self._questions.begin()
        for di in self._items:
            if di in self._lacks:
                continue
            gathered: dict[int, bytes] = {}
            for part in range(self._further.get(di, 0) + 1):
                understand = partial(self._values, di, part, gathered)
                asked.append(self._questions.exchange(di, understand, self._refused, part))
        return asked

    def _refused(self, di: str, lacking: bool) -> None:
        if lacking:
            self._lacks.add(di)

    def _values(
        self, di: str, part: int, gathered: dict[int, bytes], data: bytes, more: bool
    ) -> tuple[Value, ...]:
        """Read one part of an identifier's answer; all its parts share `gathered`."""
        known = item(di)
        assert known is not None
        if any(earlier not in gathered for earlier in range(part)):
            raise FrameError("sequence", f"part {part} of {di} without the one before it")
        self._further[di] = min(part + more, _MOST_PARTS)
        before = b"".join(gathered[earlier] for earlier in range(part))
        gathered[part] = data
        now = before + data
        if more:
            now = now[: len(now) // known.size * known.size]  # the rest of an element comes with the next part
        if more and not now:
            return ()
        keyed = zip(known.keys, elements(known, now), strict=False)
        return tuple(_value(key, number(known, raw)) for key, raw in list(keyed)[len(before) // known.size :])


def _value(key: str, figure: float | None) -> Value:
    return Value(key, figure, Flag.MISSING if figure is None else Flag.NOT_EVALUATED)


def address(device: str) -> str:
    """Return a meter's address in full: leading zeros may be left out. Raises ConfigError."""
    full = device.upper().zfill(12)
    if full != EVERYBODY and not (len(full) == 12 and full.isascii() and full.isdecimal()):
        raise ConfigError(f"{device!r} is no DL/T 645 address", remedy="twelve digits, as on the meter's plate")
    return full


def _hex(text: str, digits: int) -> bool:
    return len(text) == digits and all(letter in "0123456789ABCDEFabcdef" for letter in text)
