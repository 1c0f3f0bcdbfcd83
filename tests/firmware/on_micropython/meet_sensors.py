"""Lets the real drivers read models of sensors that live in the test's own process.

A line of input is a task: {"entry", "period_ms", "reads", "wake", "between"}. What the bus does goes out as
`> ...` and is answered by a line; what a reading gave comes as `values ...` or `error ...`. Time is simulated:
a sleep returns at once and moves the clock.
"""

import asyncio
import json
import sys
from binascii import hexlify, unhexlify

from cityneuron.errors import NodeError
from drivers import rain
from drivers.instrument import instruments

_sleep_ms = asyncio.sleep_ms
now_ms = 0


async def sleep_ms(ms):
    global now_ms
    now_ms += ms
    await _sleep_ms(0)


asyncio.sleep_ms = sleep_ms


def ask(*words):
    print(">", *words)
    answer = sys.stdin.readline().strip()
    if answer == "nobody":
        raise OSError(19)
    return answer


class Uart:
    """The part of machine.UART that drivers use."""

    def __init__(self, period_ms):
        self._received = b""
        self._period_ms, self._due_ms = period_ms, now_ms

    def any(self):
        if self._period_ms and now_ms >= self._due_ms:
            self._due_ms = now_ms + self._period_ms
            self._received += unhexlify(ask("uart", ""))
        return len(self._received)

    def read(self, length):
        taken, self._received = self._received[:length], self._received[length:]
        return taken

    def write(self, raw):
        self._received += unhexlify(ask("uart", hexlify(raw).decode()))
        return len(raw)


class I2c:
    def readfrom_mem(self, address, register, length):
        return unhexlify(ask("i2c", address, "%02x" % register, length))

    def writeto_mem(self, address, register, raw):
        ask("i2c", address, "%02x" % register + hexlify(raw).decode(), 0)

    def writeto(self, address, raw):
        ask("i2c", address, hexlify(raw).decode(), 0)

    def readfrom(self, address, length):
        return unhexlify(ask("i2c", address, "", length))


class OneWire:
    def reset(self):
        self._written = b""
        try:
            ask("onewire", "", 0)
        except OSError:
            return False
        return True

    def writebyte(self, byte):
        self._written += bytes((byte,))

    def readinto(self, raw):
        raw[:] = unhexlify(ask("onewire", hexlify(self._written).decode(), len(raw)))


class Adc:
    def read_uv(self):
        return int(ask("microvolts"))


class Pin:
    IRQ_FALLING = 2
    watched = handler = None
    _told = 0

    def value(self):
        return int(ask("pin"))

    def irq(self, handler, trigger):
        assert trigger == self.IRQ_FALLING
        self.handler = handler
        Pin.watched = self

    def fall(self):
        """Tell of the pulses since the last call, half a minute each."""
        global now_ms
        pulses = int(ask("pulses"))
        for _ in range(pulses - self._told):
            now_ms += 30_000
            self.handler(self)
        self._told = pulses


class Board:
    """Buses whose other end is the test."""

    def __init__(self, period_ms):
        self._period_ms = period_ms

    def bus(self, name):
        kinds = {
            "uart1": lambda: Uart(self._period_ms),
            "i2c": I2c,
            "onewire": OneWire,
            "adc1": Adc,
            "pin1": Pin,
        }
        return kinds[name]()

    def ticks_ms(self):
        return now_ms

    def ticks_diff(self, a, b):
        return a - b


board_clock = Board(None)
rain.ticks_ms, rain.ticks_diff = board_clock.ticks_ms, board_clock.ticks_diff


async def work(task):
    global now_ms
    (instrument,) = instruments(Board(task["period_ms"]), [task["entry"]])
    for _ in range(task["reads"]):
        if task["entry"]["driver"] == "rain":
            Pin.watched.fall()
        for _ in range(task["between"]):
            await _sleep_ms(0)  # whoever listens in the background goes on
        try:
            if task["wake"]:
                await instrument.wake()
        except OSError:
            pass  # its reading will say so
        now_ms += instrument.warm_up_ms if task["wake"] else 0
        try:
            print("values", json.dumps(list(await instrument.read())))
        except NodeError as error:
            print("error", json.dumps([error.message, error.remedy]))
    print("columns", json.dumps(instrument.columns))


async def main():
    while line := sys.stdin.readline():
        await work(json.loads(line))


asyncio.run(main())
