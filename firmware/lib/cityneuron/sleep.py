"""A node that sleeps between readings: what it does when awake, and what it carries through the sleep.

    wake -> sample -> (every so often) connect, deliver, hear commands, take leave -> flash -> deep sleep

It goes on with its boot and its numbers as long as the memory that the sleep spares and the flash agree; after
anything else it begins a new boot. Leaving the broker first keeps the last will quiet.
"""

import asyncio
from binascii import crc32
from struct import pack, unpack

from micropython import const

from cityneuron.clock import UNKNOWN

_LAYOUT = const("<BQIIqBIiqq")
_VERSION = const(1)
_LISTEN_MS = const(1_500)  # the gateway says commands when it hears the node
_LEAST_SLEEP_MS = const(1_000)
_NO_VALUE = const(-0x80000000)


class Kept:
    """What outlives a deep sleep: the numbering, the time, the pace."""

    def __init__(self, boot, next_seq, told, wake_ms, clock_known, wakes, value, value_ms, fast_until_ms):
        self.boot = boot
        self.next_seq = next_seq
        self.told = told
        self.wake_ms = wake_ms
        self.clock_known = bool(clock_known)
        self.wakes = wakes
        self.value = None if value == _NO_VALUE else value
        self.value_ms = value_ms
        self.fast_until_ms = fast_until_ms

    def to_bytes(self):
        value = _NO_VALUE if self.value is None else self.value
        fields = pack(
            _LAYOUT, _VERSION, self.boot, self.next_seq, self.told, self.wake_ms, self.clock_known, self.wakes,
            value, self.value_ms, self.fast_until_ms,
        )  # fmt: skip
        return fields + pack("<I", crc32(fields))


def read_kept(raw):
    """Return what a sleep spared, or None: another version's, or noise after a loss of power."""
    if len(raw) < 5 or raw[0] != _VERSION or unpack("<I", raw[-4:])[0] != crc32(raw[:-4]):
        return None
    return Kept(*unpack(_LAYOUT, raw[:-4])[1:])


class Wake:
    """One time awake. `wakes` counts them."""

    def __init__(self, node, wakes):
        self._node = node
        self._wakes = wakes

    async def run(self):
        """Work, then sleep; returns only on a board that cannot sleep."""
        node = self._node
        tasks = [asyncio.create_task(node.obey()), asyncio.create_task(node.guard())]
        await node.sample_now()
        urgent = node.trial or node.pace.rising(node.clock.now_ms())  # a trial has few starts to prove itself
        if reports(self._wakes, node.settings.report_every, urgent):
            tasks.append(asyncio.create_task(node.conversation.talk()))
            await self._deliver()
            await node.stop()
        else:
            node.keep()
        for task in tasks:
            task.cancel()
        self._sleep()

    async def _deliver(self):
        """Wait until all is delivered and commands are done, at most `awake_s`."""
        node = self._node
        until_ms = node.settings.awake_s * 1000
        try:
            await asyncio.wait_for_ms(node.delivered.wait(), max(1, until_ms - node.clock.uptime_ms()))
        except asyncio.TimeoutError:
            return
        await asyncio.sleep_ms(_LISTEN_MS)
        while node.busy() and node.clock.uptime_ms() < until_ms:
            await asyncio.sleep_ms(100)

    def _sleep(self):
        node, clock, pace, outbox = self._node, self._node.clock, self._node.pace, self._node.outbox
        now_ms, awake_ms = clock.now_ms(), clock.uptime_ms()
        rest_ms = max(_LEAST_SLEEP_MS, sleep_ms(pace.period_ms(now_ms), awake_ms))
        if not outbox.unwritten:  # else the next start is a new boot: nothing is numbered twice
            kept = Kept(
                outbox.boot, outbox.next_seq, outbox.told, now_ms + rest_ms, clock.state != UNKNOWN,
                (self._wakes + 1) & 0xFFFFFFFF, pace.value, pace.value_ms, pace.fast_until_ms,
            )  # fmt: skip
            node.board.keep(kept.to_bytes())
        node.went_well()
        node.board.deep_sleep_ms(rest_ms)


def reports(wakes, every, urgent):
    """Whether a node that slept speaks at this wake: at each `every`-th, and whenever it is urgent."""
    return urgent or wakes % every == 0


def sleep_ms(period, awake_ms):
    """Return how long to sleep until the next beat; a wake that took longer than the period skips beats."""
    return period - awake_ms % period
