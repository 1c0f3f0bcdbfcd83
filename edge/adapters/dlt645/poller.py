"""One electricity meter that is asked: its questions, how answers are told from all else on the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from edge.adapters.adapter import Exchange
from edge.adapters.dlt645.items import Item, item
from edge.adapters.dlt645.telegram import (
    ENVELOPE,
    EVERYBODY,
    NO_SUCH_DATA,
    Asking,
    Telegram,
    error_text,
    follow_request,
    read_request,
    telegram,
)
from edge.adapters.dlt645.values import elements, number
from edge.adapters.envelope import FROM_METER, same_meter, spelt
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from edge.model.quality import Flag

_MOST_PARTS = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Dlt645Options:
    """A meter's own keys: what it is asked for, how it is woken, how long its answer may take."""

    items: tuple[str, ...] = ("00010000", "02010100", "02020100", "02030000", "02060000", "02800002")
    wake_up: int = 4
    timeout_s: float = 1.5

    def __post_init__(self) -> None:
        for di in self.items:
            if not _hex(di, 8) or di != di.upper() or (known := item(di)) is None or not known.numeric:
                remedy = "eight hex digits, as 00010000; see docs/protocols/dlt645.md"
                raise ConfigError(f"DL/T 645 item {di!r} is no identifier of a number", remedy=remedy)
        if not 0 <= self.wake_up <= 16:
            raise ConfigError(f"wake_up {self.wake_up} is not 0 to 16 bytes")
        if self.timeout_s <= 0:
            raise ConfigError(f"timeout_s {self.timeout_s} is not above 0")


@dataclass(kw_only=True, slots=True)
class _Question:
    """A question of a round: `gathered` is shared by the parts of one identifier's answer."""

    known: Item
    di: str
    part: int
    gathered: dict[int, bytes]
    before: _Question | None
    answered: bool = False


class Dlt645Poller:
    """A meter at an address (twelve digits; AAAAAAAAAAAA where it is alone on its line)."""

    def __init__(self, device: str, options: Dlt645Options) -> None:
        self._address = address(device)
        self._options = options
        self._lacks: set[str] = set()
        self._further: dict[str, int] = {}  # identifier -> parts of its answer beside the first
        self._last: _Question | None = None

    def exchanges(self) -> Sequence[Exchange]:
        """Return the questions of one round, without those to which the meter said that it has no such data."""
        asked: list[Exchange] = []
        if self._last is not None:
            self._last.before = None  # further back nobody looks
        for di in self._options.items:
            if di in self._lacks:
                continue
            known, gathered = item(di), dict[int, bytes]()
            assert known is not None
            for part in range(self._further.get(di, 0) + 1):
                question = _Question(known=known, di=di, part=part, gathered=gathered, before=self._last)
                self._last = question
                asked.append(self._exchange(question))
        return asked

    def _exchange(self, question: _Question) -> Exchange:
        wake_up = self._options.wake_up
        if question.part:
            request = follow_request(self._address, question.di, question.part, wake_up=wake_up)
        else:
            request = read_request(self._address, question.di, wake_up=wake_up)
        return Exchange(request=request, read=partial(self._read, question), timeout_s=self._options.timeout_s)

    def _read(self, question: _Question, data: bytes) -> tuple[Value, ...] | None:
        found = ENVELOPE.search(data)
        for frame in found.frames:
            if self._is_own(frame):
                answer = telegram(frame)
                if answer.error:
                    self._refuse(question, answer)
                if answer.di == question.di and _part(answer) == question.part:
                    question.answered = True
                    return self._values(question, answer)
        if any(self._is_own(frame) for frame in found.broken):
            raise FrameError("checksum", f"the answer of {self._address} came damaged")
        return None

    def _is_own(self, frame: bytes) -> bool:
        return bool(frame[8] & FROM_METER) and same_meter(self._address, spelt(frame[1:7]))

    def _refuse(self, question: _Question, answer: Telegram) -> None:
        """Raise Refusal. An error names no identifier: it may be the late answer to the question before."""
        question.answered = True
        word = answer.data[0]
        certain = question.before is None or question.before.answered
        if word == NO_SUCH_DATA and certain:
            self._lacks.add(question.di)
        raise Refusal(f"error_{word:02X}", f"{answer.address} on {question.di}: {error_text(word)}")

    def _values(self, question: _Question, answer: Telegram) -> tuple[Value, ...]:
        known, part = question.known, question.part
        if any(earlier not in question.gathered for earlier in range(part)):
            raise FrameError("sequence", f"part {part} of {question.di} without the one before it")
        self._further[question.di] = min(part + answer.more, _MOST_PARTS)
        before = b"".join(question.gathered[earlier] for earlier in range(part))
        question.gathered[part] = answer.data[4 : -1 if part else None]
        now = before + question.gathered[part]
        if answer.more:
            now = now[: len(now) // known.size * known.size]  # the rest of an element comes with the next part
        if answer.more and not now:
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


def _part(answer: Telegram) -> int:
    """Return which part of an identifier's data an answer has; the first is 0."""
    return answer.data[-1] if answer.function == Asking.FOLLOW else 0


def _hex(text: str, digits: int) -> bool:
    return len(text) == digits and all(letter in "0123456789ABCDEFabcdef" for letter in text)
