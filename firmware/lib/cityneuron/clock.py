"""The node's wall clock: monotonic ticks over a base that a sync sets, and how far it can be trusted."""

from micropython import const

from cityneuron.seldom import borrow

SYNCED, ESTIMATED, UNKNOWN = const(0), const(1), const(2)
NAMES = ("synced", "estimated", "unknown")
_TRUST_MS = const(86_400_000)  # a crystal of 50 ppm drifts 4 s a day; after that the time is an estimate


class Clock:
    """Starts at `floor_ms` (the later of build time and last persisted time), unknown until the first set().

    After a deep sleep it goes on: `floor_ms` is then the time at which the node was to wake, and `slept` says
    that the clock had been set before, so that it is an estimate.
    """

    def __init__(self, ticks_ms, ticks_diff, floor_ms, slept=False):
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._last = ticks_ms()
        self._base_ms = floor_ms
        self._uptime_ms = 0
        self._slept = slept
        self._synced_at_ms = None

    def uptime_ms(self):
        """Milliseconds since the start. Ticks wrap after some days: call it at least once a day."""
        now = self._ticks_ms()
        self._uptime_ms += self._ticks_diff(now, self._last)
        self._last = now
        return self._uptime_ms

    def now_ms(self):
        """Milliseconds since 1970, UTC, whatever the board's own epoch is."""
        return self._base_ms + self.uptime_ms()

    @property
    def state(self):
        if self._synced_at_ms is None:
            return ESTIMATED if self._slept else UNKNOWN
        return SYNCED if self.uptime_ms() - self._synced_at_ms < _TRUST_MS else ESTIMATED

    def age_ms(self):
        """Return how long ago the clock was set in this run, or None."""
        return None if self._synced_at_ms is None else self.uptime_ms() - self._synced_at_ms

    def set(self, epoch_ms):
        """Take the true time; return by how much it differs from what this clock said."""
        delta_ms = epoch_ms - self.now_ms()
        self._base_ms += delta_ms
        self._synced_at_ms = self._uptime_ms
        return delta_ms


class Servers:
    """The time servers of a node, asked in order; what asks them (ntp.py) is in memory only meanwhile.

    `clock` measures how long an answer took; no answer before `earliest_ms` is believed.
    """

    def __init__(self, hosts, clock, getrandbits, earliest_ms):
        self.hosts, self.clock, self.getrandbits, self.earliest_ms = hosts, clock, getrandbits, earliest_ms
        self.shunned_until_ms = [0] * len(hosts)

    async def ask(self):
        """Return the time, epoch ms. Raises ClockError with all reasons."""
        return await borrow("ntp").ask(self)
