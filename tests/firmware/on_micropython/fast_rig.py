"""A day in seconds: asyncio's clock jumps to the next timer whenever nothing is to be done, and the broker and
the gateway are played in this process, byte by byte, behind the node's own MQTT client.
"""

import asyncio
import os
import time

from acks import write_ack

from cityneuron import pack
from cityneuron.errors import ClockError, LinkDown

_PERIOD = 1 << 30  # ticks wrap here


class Time:
    """Stands in for the scheduler's clock and its poll. `now_ms` counts from 0 and does not wrap."""

    map = ()  # what is polled: nothing

    def __init__(self):
        self._ahead_ms = 0
        self._start = time.ticks_ms()
        asyncio.core.ticks = self.ticks_ms
        asyncio.core._io_queue = self

    def ticks_ms(self):
        return (time.ticks_ms() + self._ahead_ms) & (_PERIOD - 1)

    def now_ms(self):
        return time.ticks_diff(time.ticks_ms(), self._start) + self._ahead_ms

    def wait_io_event(self, wait_ms):
        if wait_ms > 0:
            self._ahead_ms += wait_ms

    def remove(self, _task):
        pass


class Gateway:
    """Counts what arrives, acknowledges it when `acknowledges`, and hangs up when `up` is False."""

    def __init__(self):
        self.up = self.acknowledges = True
        self.births = self.connections = self.deaths = 0
        self.seen = {}  # boot -> a bit a number
        self.copies = self.replies = 0
        self.upto = {}
        self.stream = None
        self._writer = pack.Writer(256)

    async def connect(self, _host, _port):
        if not self.up:
            raise OSError(111)
        self.connections += 1
        self.stream = Stream(self)
        return self.stream, self.stream

    def hang_up(self):
        self.up = False
        if self.stream is not None:
            self.stream.end()

    def take(self, topic, payload):
        leaf = topic.split("/")[-1]
        if leaf in ("data", "replay"):
            _, _, boot, seq0, _, _, rows = pack.decode(payload)
            self._note(boot, seq0, len(rows))
            return self._ack(topic, boot) if self.acknowledges else None
        self.births += leaf == "birth"
        self.replies += leaf == "reply"
        return None

    def missing(self, boot, end):
        """Return how many numbers of a boot below `end` never came."""
        return sum(1 for seq in range(end) if not self._has(boot, seq))

    def _has(self, boot, seq):
        seen = self.seen.get(boot, b"")
        return seq < 8 * len(seen) and seen[seq >> 3] >> (seq & 7) & 1

    def _note(self, boot, seq0, rows):
        seen = self.seen.setdefault(boot, bytearray(256))
        for seq in range(seq0, seq0 + rows):
            self.copies += self._has(boot, seq)
            seen[seq >> 3] |= 1 << (seq & 7)

    def _ack(self, topic, boot):
        upto = self.upto.get(boot, 0)
        while self._has(boot, upto):
            upto += 1
        self.upto[boot] = upto
        write_ack(self._writer, boot, upto, [])
        name = (topic[: topic.rfind("/")] + "/ack").encode()
        body = bytes((len(name) >> 8, len(name) & 0xFF)) + name + bytes(self._writer.payload())
        return bytes((0x30, len(body))) + body


class Stream:
    """The broker's end of a connection: answers each packet that the client writes."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._out = bytearray()  # to the client
        self._in = bytearray()
        self._ready = asyncio.Event()
        self._over = False

    def write(self, data):
        self._in.extend(data)
        while self._packet():
            pass

    async def drain(self):
        if self._over:
            raise OSError(104)

    async def readinto(self, buffer):
        while not self._out and not self._over:
            self._ready.clear()
            await self._ready.wait()
        count = min(len(buffer), len(self._out))
        buffer[:count] = self._out[:count]
        self._out = self._out[count:]
        return count

    async def readexactly(self, count):
        found, at = bytearray(count), 0
        while at < count:
            got = await self.readinto(memoryview(found)[at:])
            if not got:
                raise EOFError
            at += got
        return bytes(found)

    def end(self):
        self._over = True
        self._ready.set()

    async def wait_closed(self):
        self._over = True

    def _packet(self):
        """Take one packet out of what was written; return whether there was a whole one."""
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(self._in):
                return False
            length |= (self._in[at] & 0x7F) << shift
            at += 1
            shift += 7
            if not self._in[at - 1] & 0x80:
                break
        if len(self._in) < at + length:
            return False
        first, body = self._in[0], bytes(self._in[at : at + length])
        self._in = self._in[at + length :]
        self._answer(first & 0xF0, body)
        return True

    def _answer(self, kind, body):
        if kind == 0x10:
            self._out.extend(b"\x20\x02\x00\x00")
        elif kind == 0x80:
            self._out.extend(b"\x90\x03" + body[:2] + b"\x01")
        elif kind == 0xC0:
            self._out.extend(b"\xd0\x00")
        elif kind == 0x30:
            end = 2 + (body[0] << 8 | body[1])
            answer = self._gateway.take(body[2:end].decode(), body[end + 2 :])
            self._out.extend(b"\x40\x02" + body[end : end + 2])
            if answer:
                self._out.extend(answer)
        self._ready.set()


class Servers:
    """Time servers that give the time, or None."""

    def __init__(self, clock, epoch_ms):
        self._clock, self._epoch_ms = clock, epoch_ms

    async def ask(self):
        if self._epoch_ms is None:
            raise ClockError("no answer")
        return self._epoch_ms + self._clock.uptime_ms()


class Board:
    """A board without hardware: its flash is a folder, its network is there when `is_joined`."""

    NAME = "rig"

    def __init__(self, fast, folder):
        self._folder = folder
        self.ticks_ms = fast.ticks_ms
        self.is_joined = True
        self.fed = 0
        self.set_to_ms = None
        self.kept_bytes = b""

    def ticks_diff(self, later, earlier):
        return time.ticks_diff(later, earlier)

    def getrandbits(self, bits):
        return (1 << bits) // 2

    def serial(self):
        return "rig"

    def path(self, name):
        return self._folder + "/" + name

    def configure(self, settings):
        self.settings = settings

    def bus(self, _name):
        return None

    async def join_network(self):
        if not self.is_joined:
            raise LinkDown("no Wi-Fi", "move the aerial")

    def set_time(self, epoch_ms):
        self.set_to_ms = epoch_ms

    def feed_watchdog(self):
        self.fed += 1

    def flash_free(self):
        stat = os.statvfs(self._folder)
        return stat[0] * stat[3]

    def rssi_dbm(self):
        return -60

    def on_supply_warning(self, callback):
        self.warn = callback

    def kept(self):
        return self.kept_bytes

    def keep(self, data):
        self.kept_bytes = data
