"""Questions to one meter, and how their answers are told from all else on the line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.adapters.adapter import Exchange
from edge.adapters.dlt645.telegram import (
    ENVELOPE,
    NO_SUCH_DATA,
    Asking,
    Telegram,
    error_text,
    follow_request,
    read_request,
    telegram,
)
from edge.adapters.envelope import FROM_METER, same_meter, spelt
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value

Understand = Callable[[bytes, bool], tuple[Value, ...]]
"""Takes the data of an answer behind its identifier, and whether more can be asked for. Raises FrameError."""

Refused = Callable[[str, bool], object]
"""Takes an identifier that the meter refused, and whether it surely has no such data."""


@dataclass(kw_only=True, slots=True)
class _Question:
    """A question, and the one before it, whose answer may still be on its way."""

    di: str
    part: int
    before: _Question | None
    answered: bool = False


class Questions:
    """What is asked of the meter at an address (twelve digits), one question after another."""

    def __init__(self, address: str, wake_up: int, timeout_s: float) -> None:
        self._address = address
        self._wake_up = wake_up
        self.timeout_s = timeout_s
        self._last: _Question | None = None

    def begin(self) -> None:
        """Begin a round: further back than the question before it nobody looks."""
        if self._last is not None:
            self._last.before = None

    def exchange(
        self, di: str, understand: Understand, refused: Refused, part: int = 0, which: bytes = b""
    ) -> Exchange:
        """Return the question for an identifier (of records: which), or for a further part of its data."""
        question = self._last = _Question(di=di, part=part, before=self._last)
        if part:
            request = follow_request(self._address, di, part, wake_up=self._wake_up)
        else:
            request = read_request(self._address, di, which=which, wake_up=self._wake_up)
        read = partial(self._read, question, understand, refused)
        return Exchange(request=request, read=read, timeout_s=self.timeout_s)

    def _read(
        self, question: _Question, understand: Understand, refused: Refused, data: bytes
    ) -> tuple[Value, ...] | None:
        found = ENVELOPE.search(data)
        for frame in found.frames:
            if self._is_own(frame):
                answer = telegram(frame)
                if answer.error:
                    self._refuse(question, answer, refused)
                if answer.di == question.di and _part(answer) == question.part:
                    question.answered = True
                    return understand(answer.data[4 : -1 if question.part else None], answer.more)
        if any(self._is_own(frame) for frame in found.broken):
            raise FrameError("checksum", f"the answer of {self._address} came damaged")
        return None

    def _is_own(self, frame: bytes) -> bool:
        return bool(frame[8] & FROM_METER) and same_meter(self._address, spelt(frame[1:7]))

    def _refuse(self, question: _Question, answer: Telegram, refused: Refused) -> None:
        """Raise Refusal. An error names no identifier: it may be the late answer to the question before."""
        question.answered = True
        word = answer.data[0]
        certain = question.before is None or question.before.answered
        refused(question.di, word == NO_SUCH_DATA and certain)
        raise Refusal(f"error_{word:02X}", f"{answer.address} on {question.di}: {error_text(word)}")


def _part(answer: Telegram) -> int:
    """Return which part of an identifier's data an answer has; the first is 0."""
    return answer.data[-1] if answer.function == Asking.FOLLOW else 0
