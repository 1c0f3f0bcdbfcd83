"""What a meter remembers of its own, asked for when readings are missing: load records, and hourly freezes.

A load record of a full hour has nearly all that the meter measured; a freeze has energies alone, but more
meters keep it. So of each hour the record is asked for first. A freeze is asked for by the block of time and
energies; of a meter without it by the time, then by energies and the time once more: an hour that ends in
between moves all numbers on. The newest freeze shows whether the meter's clock can be believed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from zoneinfo import ZoneInfo

from edge.adapters.adapter import Exchange
from edge.adapters.dlt645.freeze import Freeze, digits, freeze, frozen_at, moment_ms
from edge.adapters.dlt645.hours import Hours, nearest
from edge.adapters.dlt645.items import item
from edge.adapters.dlt645.load import AT_A_TIME, load_records, minute
from edge.adapters.dlt645.questions import Questions
from edge.adapters.dlt645.values import elements, number
from edge.adapters.report import Value

FROZEN = ("00010000", "00020000")
"""The items of which there are hourly freezes: forward and reverse active energy."""


_PATIENCE = 3  # questions for records in a row that stay without an answer


class MeterMemory:
    """The memory of one meter (edge.adapters.adapter.Memory), as far as it has what is `asked` of it."""

    def __init__(self, questions: Questions, asked: Collection[str], zone: ZoneInfo) -> None:
        self._questions = questions
        self._asked_for = frozenset(asked)
        self._kept = tuple(key for key in FROZEN if key in asked)
        self._zone = zone
        self._hours = Hours()
        self._in_blocks = True
        self._now_ms = 0
        self._energies: dict[str, float | None] = {}
        self._found: list[tuple[int, tuple[Value, ...]]] = []
        self._has_records = True
        self._in_record = False
        self._tried: set[int] = set()  # wanted hours whose record was asked for
        self._unanswered = 0
        self._partial: dict[int, tuple[Value, ...]] = {}  # from records without energies

    def want(self, first_ms: int, end_ms: int, every_ms: int, now_ms: int) -> bool:
        """Look for the hours of [first, end) from now on; tell whether any may still come."""
        if not self._hours.wanted:
            self._unanswered, self._tried, self._partial = 0, set(), {}
        return bool(self._kept) and self._hours.want(first_ms, end_ms, every_ms, now_ms)

    def recall(self, now_ms: int, most_s: float) -> Sequence[Exchange]:
        """Return the question for one record, or those for one freeze."""
        nth, self._in_record = self._hours.next(now_ms), False
        if nth is None or self._questions.timeout_s > most_s:
            return []
        if (hour := self._untried()) is not None:
            return [self._record_of(hour)]
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
        if self._in_record:
            self._unanswered += 1
        else:
            self._hours.missed()

    def recalled(self) -> Sequence[tuple[int, tuple[Value, ...]]]:
        """Return the hours that came, each once."""
        found, self._found = self._found, []
        return found

    def _untried(self) -> int | None:
        """Return an hour whose record is to be asked for, once the meter's clock is believed."""
        if not self._has_records or self._unanswered >= _PATIENCE or not self._hours.known(1):
            return None
        return next((hour for hour in self._hours.wanted if hour not in self._tried), None)

    def _is_untried(self, hour: int) -> bool:
        return hour not in self._tried and self._untried() is not None

    def _record_of(self, hour: int) -> Exchange:
        self._tried.add(hour)
        self._in_record = True
        self._questions.begin()
        which = minute(digits(hour, self._zone))
        return self._questions.exchange(AT_A_TIME, self._records, self._no_records, which=which)

    def _no_records(self, _di: str, lacking: bool) -> None:
        self._unanswered += 1
        if lacking and self._unanswered >= _PATIENCE:  # once may mean: none of that minute
            self._has_records = False

    def _records(self, data: bytes, _more: bool) -> tuple[Value, ...]:
        for record in load_records(data):
            if not record.time:
                continue
            at_ms = moment_ms(record.time, self._zone)
            told = {key: figure for key, figure in record.values.items() if figure is not None}
            values = tuple(Value(key, told[key]) for key in told if key in self._asked_for)
            if not told.keys() >= set(self._kept):
                self._partial[nearest(at_ms)] = values
            elif self._hours.take(at_ms):
                self._found.append((at_ms, values))
        self._unanswered = 0
        return ()

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
        if not self._hours.told(nth, at_ms, self._now_ms) or not complete or at_ms is None:
            return
        if self._is_untried(nearest(at_ms)) or not self._hours.take(at_ms):
            return  # its record comes first, or nobody wants it
        energies = zip(FROZEN, (told.forward, told.reverse), strict=True)
        values = tuple(Value(key, kwh) for key, kwh in energies if key in self._kept and kwh is not None)
        if values:
            self._found.append((at_ms, self._partial.pop(nearest(at_ms), ()) + values))
