"""A body in the ASCII coding of SL 651-2014: words with blanks between them, the same elements."""

from __future__ import annotations

import re

from edge.adapters.frame import FrameError
from edge.adapters.sl651.body import PERIOD, TOLD_WITHOUT_ELEMENTS, UNIFORM, VERSION, Body, Number, Said, Step
from edge.adapters.sl651.elements import IDS, RAIN_BLOCK, STAGE_BLOCKS, STATUS, STEP

_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,7})?")
_STEP = re.compile(r"DR([DHN])(\d\d)")
_HEX = re.compile(r"([0-9A-Fa-f]{2})+")
_MISSING = "M"


class TextReader:
    """Takes the words of a body one after another."""

    def __init__(self, function: int, data: bytes) -> None:
        self._function = function
        self._head, words = data[:16].decode("ascii", "replace"), data[16:].decode("ascii", "replace")
        self._rest = data[16:]
        self._words = words.split()
        self._at = 0
        self._step: Step | None = None
        self._observed = ""

    def body(self) -> Body:
        """Return the body. Raises FrameError."""
        if len(self._head) < 16:
            raise FrameError("truncated", "the body ends before its serial and time do")
        try:
            serial = int(self._head[:4], 16)
        except ValueError:
            raise FrameError("format", f"serial {self._head[:4]!r} is no hex number") from None
        body = Body(serial=serial, sent_at=_decimal(self._head[4:], 12, "sending time"))
        if self._function == VERSION or self._function in TOLD_WITHOUT_ELEMENTS:
            body.rest = self._rest
            return body
        while self._at < len(self._words):
            self._one(body, self._next("code").upper())
        return body

    def _one(self, body: Body, code: str) -> None:
        if code == "TT":
            self._observed = _decimal(self._next("observation time"), 10, "observation time")
            body.times.append(self._observed)
        elif code == "ST":
            self._station(body)
        elif step := _STEP.fullmatch(code):
            unit, count = step[1], int(step[2])
            self._step = Step(*(count if letter == unit else 0 for letter in "DHN"))
            body.elements.append(
                Said(id=f"{STEP:02X}", number=STEP, observed_at=self._observed, step=self._step)
            )
        elif code in ("RGZS", "PIC"):
            raw = " ".join(self._words[self._at :]).encode()
            self._at = len(self._words)
            number = 0xF2 if code == "RGZS" else 0xF3
            body.elements.append(Said(id=f"{number:02X}", number=number, observed_at=self._observed, raw=raw))
        else:
            body.elements.append(self._element(code))

    def _station(self, body: Body) -> None:
        body.station = self._next("station").upper()
        known = self._at + 1 < len(self._words) and self._words[self._at + 1].upper() == "TT"
        if known and self._words[self._at].upper() != "TT":
            word = self._next("class").upper()
            body.station_class = chr(int(word, 16)) if len(word) == 2 and _HEX.fullmatch(word) else word

    def _element(self, code: str) -> Said:
        number = IDS.get(code)
        name = code if number is None else f"{number:02X}"
        word = self._next(f"value of {code}")
        if number == STATUS:
            return Said(id=name, number=number, observed_at=self._observed, raw=_bytes(word, code))
        if number == RAIN_BLOCK or number in STAGE_BLOCKS:
            return self._block(name, number or 0, _bytes(word, code))
        words = [word]
        many = self._step is not None and self._function in (UNIFORM, PERIOD)
        while many and self._at < len(self._words) and _is_value(self._words[self._at]):
            words.append(self._next("value"))
        decimals = max((len(word.partition(".")[2]) for word in words if word != _MISSING), default=0)
        return Said(
            id=name, number=number, observed_at=self._observed, values=tuple(map(self._value, words)),
            many=many, decimals=decimals, step=self._step if many else None,
        )  # fmt: skip

    def _block(self, name: str, number: int, data: bytes) -> Said:
        width, scale = (1, 10) if number == RAIN_BLOCK else (2, 100)
        if len(data) % width:
            raise FrameError("format", f"block {name} has {len(data)} bytes")
        counts = (int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width))
        missing = (1 << 8 * width) - 1
        values = tuple(None if count == missing else count / scale for count in counts)
        return Said(
            id=name, number=number, observed_at=self._observed, values=values, many=True, step=self._step
        )

    def _value(self, word: str) -> Number:
        if word.upper() == _MISSING:
            return None
        if not _NUMBER.fullmatch(word):
            raise FrameError("format", f"{word!r} is no value")
        return float(word)

    def _next(self, what: str) -> str:
        if self._at >= len(self._words):
            raise FrameError("truncated", f"the body ends before the {what}")
        self._at += 1
        return self._words[self._at - 1]


def _is_value(word: str) -> bool:
    return word.upper() == _MISSING or bool(_NUMBER.fullmatch(word))


def _decimal(word: str, count: int, what: str) -> str:
    if len(word) != count or not (word.isascii() and word.isdecimal()):
        raise FrameError("format", f"{what} {word!r} is not {count} digits")
    return word


def _bytes(word: str, code: str) -> bytes:
    if not _HEX.fullmatch(word):
        raise FrameError("format", f"{code} {word!r} is not in pairs of hex digits")
    return bytes.fromhex(word)
