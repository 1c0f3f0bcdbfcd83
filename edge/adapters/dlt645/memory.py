"""What a meter remembers of its own: energies frozen on full hours, asked for when readings are missing.

Asked is the block of time and energies. A meter without it is asked for the time of a freeze, then for its
energies and the time once more: an hour that ends in between moves all numbers on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from zoneinfo import ZoneInfo

from edge.adapters.adapter import Exchange
from edge.adapters.dlt645.freeze import Freeze, freeze, frozen_at, moment_ms
from edge.adapters.dlt645.hours import Hours
from edge.adapters.dlt645.items import item
from edge.adapters.dlt645.questions import Questions
from edge.adapters.dlt645.values import elements, number
from edge.adapters.report import Value

FROZEN = ("00010000", "00020000")
"""The items of which there are hourly freezes: forward and reverse active energy."""


class HourlyFreezes:
    """The memory of one meter (edge.adapters.adapter.Memory): of FROZEN what `kept` names."""

    def __init__(self, questions: Questions, kept: Sequence[str], zone: ZoneInfo) -> None:
        self._questions = questions
        self._kept = tuple(kept)
        self._zone = zone
        self._hours = Hours()
        self._in_blocks = True
        self._now_ms = 0
        self._energies: dict[str, float | None] = {}
        self._found: list[tuple[int, tuple[Value, ...]]] = []

    def want(self, first_ms: int, end_ms: int, every_ms: int, now_ms: int) -> bool:
        """Look for the hours of [first, end) from now on; tell whether any may still come."""
        return bool(self._kept) and self._hours.want(first_ms, end_ms, every_ms, now_ms)

    def recall(self, now_ms: int, most_s: float) -> Sequence[Exchange]:
        """Return the questions for one freeze."""
        nth = self._hours.next(now_ms)
        if nth is None:
            return []
        asked = self._asked(nth)
        if len(asked) * self._questions.timeout_s > most_s:
            return []
        self._now_ms, self._energies = now_ms, {}
        self._questions.begin()
        refused = partial(self._refused, nth)
        return [self._questions.exchange(di, partial(read, nth, di), refused) for di, read in asked]

    def _asked(self, nth: int) -> list[tuple[str, Callable[[int, str, bytes, bool], tuple[Value, ...]]]]:
        """Return the identifiers by which a freeze is asked for, and how their answers are read."""
        if self._in_blocks:
            return [(f"0504FF{nth:02X}", self._block)]
        kept = self._kept if self._hours.known(nth) else ()
        energies = [(f"0504{key[2:4]}{nth:02X}", self._energy) for key in kept]
        return [*energies, (f"050400{nth:02X}", self._time)]

    def missed(self) -> None:
        """Note that one of these questions was not answered."""
        self._hours.missed()

    def recalled(self) -> Sequence[tuple[int, tuple[Value, ...]]]:
        """Return the hours that came, each once."""
        found, self._found = self._found, []
        return found

    def _refused(self, nth: int, di: str, lacking: bool) -> None:
        """Note that the meter has no such data: not of that number, not in that form, or not at all."""
        if not lacking:
            self._hours.missed()
        elif nth > 1:
            self._hours.told(nth, None, self._now_ms)
        elif self._in_blocks:
            self._in_blocks = False
        else:
            self._kept = tuple(key for key in self._kept if di[4:6] not in ("00", key[2:4]))
            if not self._kept:
                self._hours.settle()

    def _block(self, nth: int, _di: str, data: bytes, _more: bool) -> tuple[Value, ...]:
        self._frozen(nth, freeze(data))
        return ()

    def _energy(self, _nth: int, di: str, data: bytes, _more: bool) -> tuple[Value, ...]:
        known = item(di)
        assert known is not None
        (raw,) = elements(known, data)
        self._energies[f"00{di[4:6]}0000"] = number(known, raw)
        return ()

    def _time(self, nth: int, _di: str, data: bytes, _more: bool) -> tuple[Value, ...]:
        before_ms = self._hours.known(nth)
        told = Freeze(frozen_at(data), self._energies.get(FROZEN[0]), self._energies.get(FROZEN[1]))
        same = bool(told.time) and moment_ms(told.time, self._zone) == before_ms
        self._frozen(nth, told, complete=same and bool(self._energies))
        return ()

    def _frozen(self, nth: int, told: Freeze, *, complete: bool = True) -> None:
        at_ms = moment_ms(told.time, self._zone) if told.time else None
        if self._hours.told(nth, at_ms, self._now_ms) and complete and at_ms and self._hours.take(at_ms):
            energies = zip(FROZEN, (told.forward, told.reverse), strict=True)
            values = tuple(Value(key, kwh) for key, kwh in energies if key in self._kept and kwh is not None)
            if values:
                self._found.append((at_ms, values))
