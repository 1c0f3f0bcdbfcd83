"""How often a node measures and speaks: faster when the water rises, slower when the battery is low. Pure.

Of all reasons the strongest holds: a low battery slows everything but a rise; a rise quickens everything.
"""

from micropython import const

_FAST_FOR_MS = const(600_000)  # so long after the last quick rise: the crest comes after the steepest part
_COMPARED_OVER_MS = const(50_000)  # readings closer than that differ by waves


def rises(before, before_ms, value, now_ms, limit_per_min):
    """Whether a value (scaled integers) rose by at least `limit_per_min` a minute since `before`."""
    if before is None or value is None or not limit_per_min or now_ms <= before_ms:
        return False
    return (value - before) * 60_000 >= limit_per_min * (now_ms - before_ms)


def _millivolts(value, decimals):
    """Return a battery's voltage in mV from a scaled integer of volts, or None."""
    if value is None:
        return None
    return value * 1000 // 10**decimals


def period_ms(normal, fast, slow, quick, mv, low):
    """Return the period to the next reading. `fast`, `slow`, `low` may be None: not wanted."""
    if quick and fast is not None:
        return min(normal, fast)
    if low is not None and slow is not None and mv is not None and mv < low:
        return max(normal, slow)
    return normal


class Pace:
    """Remembers what the next period depends on: the watched value, when it last rose quickly, the battery."""

    def __init__(self, settings, columns):
        self._fast_ms, self._slow_ms = settings.fast_period_ms, settings.slow_period_ms
        self._rise_per_min, self._low_mv = settings.watch_rise_per_min, settings.low_battery_mv
        names = [name for name, _ in columns]
        self._watched = names.index(settings.watch) if settings.watch in names else None
        self._battery = names.index("battery_v") if "battery_v" in names else None
        self._battery_decimals = columns[self._battery][1] if self._battery is not None else 0
        self.normal_ms = settings.period_ms
        self.battery_mv = None
        self.value, self.value_ms = None, 0
        self.fast_until_ms = 0

    def note(self, row, now_ms):
        """Take a reading; `now_ms` is monotonic over sleeps."""
        if self._battery is not None:
            self.battery_mv = _millivolts(row[self._battery], self._battery_decimals)
        if self._watched is None or row[self._watched] is None:
            return
        if self.value is not None and 0 <= now_ms - self.value_ms < _COMPARED_OVER_MS:
            return
        if rises(self.value, self.value_ms, row[self._watched], now_ms, self._rise_per_min):
            self.fast_until_ms = now_ms + _FAST_FOR_MS
        self.value, self.value_ms = row[self._watched], now_ms

    def rising(self, now_ms):
        return now_ms < self.fast_until_ms

    def period_ms(self, now_ms):
        """Return the period that holds now."""
        return period_ms(
            self.normal_ms, self._fast_ms, self._slow_ms, self.rising(now_ms), self.battery_mv, self._low_mv
        )
