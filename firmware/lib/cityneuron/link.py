"""A small MQTT 3.1.1 client: QoS 1 both ways, last will, keep-alive. One message is under way at a time.

It is ours because umqtt blocks, and because every byte it allocates is known: one buffer in, one buffer out.
A packet that is too long or not allowed ends the connection; what was not acknowledged is sent again after.
"""

import asyncio

from micropython import const

from cityneuron.errors import LinkDown

_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)
_PINGREQ = const(b"\xc0\x00")
_DISCONNECT = const(b"\xe0\x00")


class Backoff:
    """Waiting times that double up to a limit, with jitter so that a city does not return at one instant."""

    def __init__(self, first_ms, limit_ms, getrandbits):
        self._first_ms = first_ms
        self._limit_ms = limit_ms
        self._getrandbits = getrandbits
        self._next_ms = first_ms

    def reset(self):
        self._next_ms = self._first_ms

    def wait_ms(self):
        """Return the next wait: between half and all of the current step."""
        step = self._next_ms
        self._next_ms = min(2 * step, self._limit_ms)
        return step // 2 + (step - step // 2) * self._getrandbits(8) // 255


class Link:
    """One connection, from the log-in (login.py) on: serve() and keep_alive() as tasks beside publish()."""

    def __init__(self, stream, on_message, keep_alive_s=60, timeout_ms=15_000, largest_bytes=1024):
        self._stream = stream
        self._on_message = on_message
        self._keep_alive_s = keep_alive_s
        self._timeout_ms = timeout_ms
        self._in = memoryview(bytearray(largest_bytes))
        self._head = bytearray(5)
        self._sending = asyncio.Lock()
        self._answered = asyncio.Event()
        self._waiting_for = None
        self._packet_id = 0
        self._heard = self._said = False
        self.error = None

    async def publish(self, topic, payload, retain=False):
        """Hand a message to the broker and wait for its PUBACK, or raise LinkDown."""
        packet_id = self._next_id()
        head = _string(topic) + bytes((packet_id >> 8, packet_id & 0xFF))
        await self._ask(0x33 if retain else 0x32, head, payload, packet_id)

    async def subscribe(self, topic):
        """Ask for a topic at QoS 1, or raise LinkDown."""
        packet_id = self._next_id()
        await self._ask(0x82, bytes((packet_id >> 8, packet_id & 0xFF)) + _string(topic), b"\x01", packet_id)

    async def serve(self):
        """Take what the broker sends until the connection ends; the reason is in `error` then."""
        try:
            while True:
                kind, length = await self._receive()
                self._heard = True
                await self._take(kind, length)
        except LinkDown as error:
            self.fail(error)
        except (OSError, EOFError) as error:
            self.fail(LinkDown("the connection broke: %s" % (str(error) or "end of stream")))

    async def keep_alive(self):
        """Send PINGREQ when the line is quiet; give up after 1.5 times the keep-alive without a word."""
        half_ms, silent = self._keep_alive_s * 500, 0
        while self.error is None:
            await asyncio.sleep_ms(half_ms)
            heard, said = self._heard, self._said
            self._heard = self._said = False  # before the ping: a quick broker answers while it is written
            silent = 0 if heard else silent + 1
            if silent >= 3:
                self.fail(LinkDown("the broker is silent", "check the network"))
            elif not (said and heard):
                await self._send_quietly(_PINGREQ)

    def fail(self, error):
        """Note why the connection is over and wake whoever waits."""
        if self.error is None:
            self.error = error
        self._answered.set()

    async def close(self):
        """Take leave if the connection still stands (the will stays quiet then), and free the socket."""
        if self.error is None:
            self.fail(LinkDown("closed"))
            await self._send_quietly(_DISCONNECT)
        try:
            await self._stream.wait_closed()
        except OSError:
            pass  # it was broken already

    async def _ask(self, first, head, payload, packet_id):
        if self.error is not None:
            raise self.error
        self._waiting_for = packet_id
        self._answered.clear()
        try:
            await self._send(first, head, payload)
            await asyncio.wait_for_ms(self._answered.wait(), self._timeout_ms)
        except asyncio.TimeoutError:
            self.fail(LinkDown("the broker does not acknowledge", "look at the broker's log"))
        except OSError as error:
            self.fail(LinkDown("the connection broke: %s" % error))
        if self.error is not None:
            raise self.error

    def _next_id(self):
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id

    async def _send_quietly(self, packet):
        try:
            await self._sending.acquire()
            try:
                self._stream.write(packet)
                await asyncio.wait_for_ms(self._stream.drain(), self._timeout_ms)
            finally:
                self._sending.release()
        except (OSError, asyncio.TimeoutError) as error:
            self.fail(LinkDown("the connection broke: %s" % error))

    async def _send(self, first, head, payload=b""):
        await self._sending.acquire()
        try:
            self._stream.write(self._fixed_head(first, len(head) + len(payload)))
            self._stream.write(head)
            self._stream.write(payload)
            await self._stream.drain()
            self._said = True
        finally:
            self._sending.release()

    def _fixed_head(self, first, length):
        self._head[0] = first
        at = 1
        while True:
            self._head[at] = length & 0x7F | (0x80 if length > 0x7F else 0)
            length >>= 7
            at += 1
            if not length:
                return memoryview(self._head)[:at]

    async def _receive(self):
        """Read one packet; return its first byte and the length of its body, which stands in the buffer."""
        await self._fill(1)
        first, length, shift = self._in[0], 0, 0
        while True:
            await self._fill(1)
            length |= (self._in[0] & 0x7F) << shift
            if not self._in[0] & 0x80:
                break
            shift += 7
            if shift > 21:
                raise LinkDown("the broker sent a length that is not allowed")
        if length > len(self._in):
            raise LinkDown("the broker sent %d bytes, this node takes %d" % (length, len(self._in)))
        await self._fill(length)
        return first, length

    async def _fill(self, length):
        at = 0
        while at < length:
            got = await self._stream.readinto(self._in[at:length])
            if got == 0:
                raise EOFError
            at += got or 0  # None: a TLS record is not complete yet

    async def _take(self, first, length):
        if first & 0xF0 == _PUBLISH:
            await self._take_publish(first, length)
        elif (first == _PUBACK and length == 2) or (first == _SUBACK and length == 3):
            packet_id = self._in[0] << 8 | self._in[1]
            if not packet_id:
                raise LinkDown("the broker acknowledged number 0")
            if first == _SUBACK and self._in[2] == 0x80:
                raise LinkDown("the broker refuses a subscription", "check the broker's access list")
            if packet_id == self._waiting_for:
                self._waiting_for = None
                self._answered.set()
        elif first != _PINGRESP or length:
            raise LinkDown("the broker sent packet 0x%02x of %d bytes" % (first, length))

    async def _take_publish(self, first, length):
        """Take a message; QoS 2 was never asked for."""
        topic_end = 2 + (self._in[0] << 8 | self._in[1]) if length >= 2 else length + 1
        qos = first >> 1 & 3
        start = topic_end + (2 if qos else 0)
        if start > length or qos > 1:
            raise LinkDown("the broker sent a message that is not allowed")
        if not _is_topic(self._in[2:topic_end]):
            raise LinkDown("the broker sent a topic that is not allowed")
        if qos and not (self._in[topic_end] or self._in[topic_end + 1]):
            raise LinkDown("the broker sent message number 0")
        self._on_message(bytes(self._in[2:topic_end]), self._in[start:length])
        if qos:
            await self._send_quietly(bytes((_PUBACK, 2, self._in[topic_end], self._in[topic_end + 1])))


def _is_topic(topic):
    """Whether bytes can be a topic's name (MQTT 3.1.1, 1.5.3 and 3.3.2.1): no wildcard, no control character,
    no surrogate, no non-character at the end of the basic plane."""
    before = last = 0
    for byte in topic:
        if byte < 0x20 or byte == 0x7F or byte == 0x2B or byte == 0x23:
            return False
        if (last == 0xC2 and byte < 0xA0) or (last == 0xED and byte >= 0xA0):
            return False
        if before == 0xEF and last == 0xBF and byte >= 0xBE:
            return False
        before, last = last, byte
    return last > 0


def _string(value):
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return bytes((len(raw) >> 8, len(raw) & 0xFF)) + raw
