"""Rolls up: each hour when it has ended, each day after its hours, and again where data came late.

Everything is found by one comparison: how many fields an hour has now, and how many when it was rolled up.
Points are written first and noted afterwards, and a point written twice is one: a kill repeats, no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo

from cloud.levels import DAY_MS, HOUR_MS, KeepConfig, Level, RollupConfig, window_end, window_start
from cloud.patience import keep_at
from cloud.rollup.fold import Fold, counters
from cloud.rollup.records import Due, Records
from cloud.stores.apart import write_apart
from cloud.stores.protocol import NS_PER_MS, Span, Store
from edge.model.kinds import KINDS
from edge.model.quality import EARLIEST_MS
from edge.protocol.lines import Point, Tags

LOOK_EVERY_S = 20.0
NEAR_MS = 24 * HOUR_MS
"""So far back late data is looked for every hour; further back once a day."""
QUARTER_MS = HOUR_MS // 4
"""Hours begin at a whole quarter of an hour in every time zone of the world."""
FIELDS_A_PART = 300_000
POINTS_A_WRITE = 5_000
UNTIL, SINCE = "rolled_until_ms", "rolled_since_ms"
_log = logging.getLogger(__name__)


class Roller:
    """Keeps hours and days of one city; `run` does so until cancelled."""

    def __init__(
        self,
        raw: Store,
        stores: Mapping[Level, Store],
        records: Records,
        *,
        config: RollupConfig,
        keep: KeepConfig,
        zone: ZoneInfo,
        now_ms: Callable[[], int],
    ) -> None:
        self._raw, self._stores, self._records = raw, stores, records
        self._config, self._keep, self._zone, self._now_ms = config, keep, zone, now_ms
        self._since_ms: int | None = None
        self._until_ms: int | None = None
        self._late: dict[Due, int] = {}
        """Hours that got data after they were rolled up, each with a number that grows when it gets more."""

    async def open(self) -> None:
        """Go on where the last run ended; the stores are open already."""
        self._since_ms = await self._records.position(SINCE)
        self._until_ms = await self._records.position(UNTIL)
        self._late = dict.fromkeys(await self._records.due(Level.HOURS), 0)

    def covered(self, level: Level) -> Span | None:
        """Return which time a level stands for, None for none."""
        if self._since_ms is None or self._until_ms is None:
            return None
        start_ms = window_start(level, self._since_ms, self._zone)
        end_ms = window_start(level, self._until_ms, self._zone)
        return Span(start_ms=start_ms, end_ms=end_ms) if start_ms < end_ms else None

    async def run(self) -> None:
        """Look every now and then whether an hour has ended; a store that is away is waited for."""
        await keep_at(self.tick, LOOK_EVERY_S, _log, "the roll-ups wait")

    async def note(self, points: Iterable[Point]) -> None:
        """Take notice of points that were just written here; return once what is late among them is on disk."""
        if self._until_ms is None:
            return
        quarters = {
            (point.measurement, point.time_ns // NS_PER_MS // QUARTER_MS * QUARTER_MS)
            for point in points
            if point.time_ns is not None and point.time_ns < self._until_ms * NS_PER_MS
        }
        late = {
            Due(Level.HOURS, kind, window_start(Level.HOURS, quarter_ms, self._zone))
            for kind, quarter_ms in quarters
            if kind in KINDS and quarter_ms >= self._oldest_ms()
        }
        new = late - self._late.keys()
        for one in late:
            self._late[one] = self._late.get(one, 0) + 1
        if new:
            await self._records.add_due(new)

    async def tick(self) -> None:
        """Roll up what has ended since the last time, and what has changed; nothing while no hour has ended."""
        now_ms = self._now_ms()
        if now_ms < EARLIEST_MS:
            return
        closed_ms = window_start(Level.HOURS, now_ms - round(self._config.settle_s * 1_000), self._zone)
        if self._since_ms is None or self._until_ms is None:
            first_ms = closed_ms - round(self._config.first_days * DAY_MS)
            self._since_ms = self._until_ms = window_start(Level.DAYS, first_ms, self._zone)
            await self._records.move({SINCE: self._since_ms, UNTIL: self._until_ms})
        if closed_ms < self._until_ms:
            _log.warning("the clock went back: hours are made again from %d", closed_ms)
            await self._move(closed_ms)
        if closed_ms == self._until_ms:
            return
        await self._hours(Span(start_ms=self._look_from(closed_ms), end_ms=closed_ms))
        await self._late_hours(closed_ms)
        await self._days(closed_ms)
        await self._move(closed_ms)
        await self._prune(now_ms)

    async def _move(self, until_ms: int) -> None:
        await self._records.move({UNTIL: until_ms})
        self._until_ms = until_ms

    async def owed(self) -> int:
        """Return how many windows are known to wait for being rolled up again."""
        return sum([len(await self._records.due(level)) for level in self._stores])

    def _oldest_ms(self) -> int:
        """Return from when on raw values are sure to be there still: older hours are left as they are."""
        keep_days = self._keep.raw_days
        return self._now_ms() - round((keep_days - 1) * DAY_MS) if keep_days else 0

    def _look_from(self, closed_ms: int) -> int:
        """Return how far to look back this time: a day every hour, all of the bound where a new day began."""
        assert self._until_ms is not None and self._since_ms is not None
        day = window_start(Level.DAYS, closed_ms, self._zone) != window_start(
            Level.DAYS, self._until_ms, self._zone
        )
        back_ms = round(self._config.look_back_days * DAY_MS) if day else NEAR_MS
        from_ms = max(min(self._until_ms, closed_ms - back_ms), self._since_ms, self._oldest_ms())
        return window_start(Level.HOURS, from_ms, self._zone)

    async def _hours(self, span: Span) -> None:
        """Roll up the hours of the span that have more than they had, day by day."""
        for part in self._days_of(span):
            for kind in KINDS:
                await self._hours_of(kind, part)

    async def _hours_of(self, kind: str, span: Span) -> None:
        has = await self._raw.amounts(kind, span, HOUR_MS // 1_000)
        if not has:
            return
        had = await self._records.rolled(kind, span)
        for start_ms in sorted(has):
            if has[start_ms] > had.get(start_ms, 0):
                await self._hour(kind, start_ms, has[start_ms])

    async def _hour(self, kind: str, start_ms: int, fields: int) -> None:
        """Roll up an hour, and the one after it where a counter's growth begins with this one's last value."""
        parts = -(-fields // FIELDS_A_PART)
        await self._roll(Due(Level.HOURS, kind, start_ms), parts)
        next_ms = start_ms + HOUR_MS
        days = {window_start(Level.DAYS, start_ms, self._zone)}
        if counters(KINDS[kind].known):
            again = Span(start_ms=next_ms, end_ms=next_ms + HOUR_MS)
            if await self._records.rolled(kind, again):
                await self._roll(Due(Level.HOURS, kind, next_ms), parts)
            days.add(window_end(Level.DAYS, min(days), self._zone))
        await self._records.note_rolled(
            kind, start_ms, fields, [Due(Level.DAYS, kind, day_ms) for day_ms in days]
        )

    async def _late_hours(self, closed_ms: int) -> None:
        """Roll up the hours that are known to have got more."""
        for due, number in list(self._late.items()):
            if due.start_ms >= closed_ms:
                continue
            await self._hours_of(due.kind, Span(start_ms=due.start_ms, end_ms=due.start_ms + HOUR_MS))
            if self._late[due] == number:
                del self._late[due]
                await self._records.done(due)

    async def _days(self, closed_ms: int) -> None:
        """Roll up the days that are due and over."""
        for due in await self._records.due(Level.DAYS):
            end_ms = window_end(Level.DAYS, due.start_ms, self._zone)
            if end_ms <= closed_ms:
                if await self._is_whole(due.kind, Span(start_ms=due.start_ms, end_ms=end_ms)):
                    await self._roll(due, 1)
                await self._records.done(due)

    async def _is_whole(self, kind: str, day: Span) -> bool:
        """Tell whether the day's readings are there still: a database drops them by its own retention."""
        has = await self._raw.amounts(kind, day, HOUR_MS // 1_000)
        had = await self._records.rolled(kind, day)
        return all(has.get(start_ms, 0) >= fields for start_ms, fields in had.items())

    async def _roll(self, due: Due, parts: int) -> None:
        """Work out a window from the raw values, and write it."""
        start_ms, kind = due.start_ms, due.kind
        span = Span(start_ms=start_ms, end_ms=window_end(due.level, start_ms, self._zone))
        if start_ms < self._oldest_ms():
            return
        fold = Fold(kind, await self._before(kind, span))
        for part in self._parts(span, parts):
            found = await self._raw.rows(kind, part)
            await asyncio.to_thread(fold.add, found)
        points = await asyncio.to_thread(fold.points, start_ms)
        for first in range(0, len(points), POINTS_A_WRITE):
            await write_apart(self._stores[due.level], points[first : first + POINTS_A_WRITE], _log)

    async def _before(self, kind: str, span: Span) -> dict[tuple[Tags, str], float]:
        """Return what counters showed last in the window before: a longer silence's growth has no window."""
        length_ms = span.end_ms - span.start_ms
        window = Span(start_ms=span.start_ms - length_ms, end_ms=span.start_ms)
        found: dict[tuple[Tags, str], float] = {}
        for quantity in counters(KINDS[kind].known):
            last = await self._raw.before(kind, quantity, window)
            found.update(((tags, quantity), value) for tags, value in last.items())
        return found

    def _parts(self, span: Span, parts: int) -> Iterator[Span]:
        """Yield a span hour by hour, and each hour in so many parts."""
        step_ms = max(1_000, HOUR_MS // parts)
        for start_ms in range(span.start_ms, span.end_ms, step_ms):
            yield Span(start_ms=start_ms, end_ms=min(start_ms + step_ms, span.end_ms))

    def _days_of(self, span: Span) -> Iterator[Span]:
        start_ms = span.start_ms
        while start_ms < span.end_ms:
            day_ms = window_start(Level.DAYS, start_ms, self._zone)
            end_ms = min(window_end(Level.DAYS, day_ms, self._zone), span.end_ms)
            yield Span(start_ms=start_ms, end_ms=end_ms)
            start_ms = end_ms

    async def _prune(self, now_ms: int) -> None:
        """Forget what each level keeps no longer."""
        stores = {Level.RAW: self._raw, **self._stores}
        for level, store in stores.items():
            if days := self._keep.of(level):
                await store.prune(now_ms - round(days * DAY_MS))
        await self._records.forget(now_ms - round((self._config.look_back_days + 366) * DAY_MS))
