"""Which hours are wanted of a meter's own record, and which freeze to ask for next. Pure.

A meter numbers its hourly freezes from the newest on, 1 to 254, and with every hour each moves on by one. Hours
without power are left out. So the freeze of a certain hour is looked for: between two that are known, in
proportion to their times.
"""

from __future__ import annotations

HOUR_MS = 3_600_000
NEAR_MS = 300_000
"""How far from its full hour a freeze may be, and how far ahead of ours the meter's clock."""

_MOST = 254
_REACH_MS = 31 * 24 * HOUR_MS
_FRESH_MS = HOUR_MS // 4
_PAUSE_MS = HOUR_MS // 2
_PATIENCE = 3


class Hours:
    """The wanted hours of one meter. What came, or does not come, is settled: it is not asked for again."""

    def __init__(self) -> None:
        self._wanted: set[int] = set()
        self._settled: set[int] = set()
        self._known: dict[int, int | None] = {}  # number of a freeze -> its moment, None where there is none
        self._since_ms = 0
        self._paused_ms = 0
        self._misses = 0

    def want(self, first_ms: int, end_ms: int, every_ms: int, now_ms: int) -> bool:
        """Look for readings of [first, end), due at even distances; tell whether any may still come."""
        self._settled = {hour for hour in self._settled if hour > now_ms - _REACH_MS}
        hours = fitting(first_ms, end_ms, every_ms, now_ms - _REACH_MS)
        self._wanted |= hours - self._settled
        return not hours.isdisjoint(self._wanted)

    def next(self, now_ms: int) -> int | None:
        """Return the number of the freeze to ask for; None when nothing is wanted, or not now."""
        if not self._wanted or now_ms < self._paused_ms:
            return None
        if now_ms - self._since_ms > _FRESH_MS:
            self._known.clear()
        if 1 not in self._known:
            return 1
        return next(filter(None, map(self._place, sorted(self._wanted))), 1)

    @property
    def wanted(self) -> list[int]:
        """The hours that are looked for, oldest first."""
        return sorted(self._wanted)

    def known(self, number: int) -> int | None:
        """Return the moment of a freeze as far as it is known, and likely still has this number."""
        return self._known.get(number)

    def told(self, number: int, at_ms: int | None, now_ms: int) -> bool:
        """Take the moment of a freeze, None where the meter has none; tell whether to trust it."""
        if number == 1:
            if at_ms is None:
                self.settle()
                return False
            if not now_ms - HOUR_MS - NEAR_MS < at_ms <= now_ms + NEAR_MS:
                self._known.clear()
                self._paused_ms = now_ms + _PAUSE_MS  # a wrong clock, or it had no power until just now
                self.missed()
                return False
            if self._known.get(1) != at_ms:
                self._known, self._since_ms = {}, now_ms
            elif not any(map(self._place, self._wanted)):
                self.settle()  # the numbers are still those by which all of it was looked for
        self._misses = 0
        self._known[number] = at_ms
        return at_ms is not None

    def take(self, at_ms: int) -> bool:
        """Tell whether a freeze is wanted; it is not from now on."""
        hour = nearest(at_ms)
        if hour not in self._wanted or abs(at_ms - hour) > NEAR_MS:
            return False
        self._wanted.remove(hour)
        self._settled.add(hour)
        return True

    def missed(self) -> None:
        """Note a question without an answer that helps: after some in a row nothing more is wanted."""
        self._misses += 1
        if self._misses >= _PATIENCE:
            self.settle()

    def settle(self) -> None:
        """Give up what is wanted."""
        self._settled |= self._wanted
        self._wanted.clear()
        self._misses = 0

    def _place(self, hour: int) -> int | None:
        """Return the number to look at for an hour; None where no freeze can be it."""
        newer, older, newer_ms, older_ms = 0, _MOST + 1, 0, None
        for number, at_ms in self._known.items():
            if at_ms is not None and abs(at_ms - hour) <= NEAR_MS:
                return number
            if at_ms is not None and at_ms > hour:
                newer, newer_ms = max((newer, newer_ms), (number, at_ms))
            elif number < older:
                older, older_ms = number, at_ms
        span = older - newer
        if not newer or span < 2:
            return None
        if older_ms is not None:
            step = round((newer_ms - hour) * span / (newer_ms - older_ms))
            return newer + min(max(step, 1), span - 1)
        step = max(1, round((newer_ms - hour) / HOUR_MS))
        return newer + (step if step < span else span // 2)


def nearest(at_ms: int) -> int:
    """Return the full hour that is nearest to a moment."""
    return (at_ms + HOUR_MS // 2) // HOUR_MS * HOUR_MS


def fitting(first_ms: int, end_ms: int, every_ms: int, since_ms: int) -> set[int]:
    """Return the full hours, not before `since`, that can take the places of readings: at most one each.

    The readings were due so often from `first` on, the last of them one such step before `end`.
    """
    before_ms = first_ms - 1
    places = max(1, round((end_ms - before_ms) / every_ms) - 1)
    found: dict[int, int] = {}
    for hour in range(nearest(max(before_ms, since_ms)), end_ms + HOUR_MS, HOUR_MS):
        place = (hour - before_ms + every_ms // 2) // every_ms
        due_ms = before_ms + place * every_ms
        if 1 <= place <= places:
            found[place] = min(found.get(place, hour), hour, key=lambda each: abs(each - due_ms))
    return set(found.values())
