"""The load generator: packets made before the clock starts, sent over raw sockets in a QoS 1 window.

It runs in a process of its own. During a run it costs a few socket calls for each chunk of messages, so that it
stays faster than whoever is measured; bench/throughput.py measures that too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from bench.fleet import Course, Fleet, Message

CONNECTIONS = 4
WINDOW = 2_000  # messages under way on one connection
CHUNK = 100  # messages in one write
ACKS = b"cn/v1/+/ack"
PUBACK_BYTES = 4
WITHIN_S = 900.0
SLICE_S = 0.005  # how finely a paced load is cut


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What to send, and how fast: messages a second, or 0 for as fast as the broker takes them."""

    port: int
    births: Fleet | None = None
    courses: tuple[Course, ...] = ()
    pace: float = 0.0
    start_s: float = 0.0  # a paced course begins at this time


@dataclass(slots=True)
class _Lane:
    """One connection and what it still has to send."""

    sock: socket.socket
    chunks: deque[tuple[int, bytes]] = field(default_factory=deque)
    rest: bytes = b""
    under_way: int = 0
    unread: int = 0

    @property
    def idle(self) -> bool:
        return not (self.chunks or self.rest or self.under_way)


def packet(message: Message, mid: int, *, retain: bool = False) -> bytes:
    """Return a PUBLISH at QoS 1."""
    name, payload = message[0].encode(), message[1]
    length = 2 + len(name) + 2 + len(payload)
    head = bytearray([0x32 | retain])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head) + len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + payload


def chunks(messages: Iterable[Message], size: int, *, retain: bool = False) -> list[deque[tuple[int, bytes]]]:
    """Return for each connection its chunks of packets, joined, each with its number of messages.

    Message i goes to connection i % CONNECTIONS, so that a node keeps to one while the number of nodes is a
    multiple of it.
    """
    lanes: list[list[bytes]] = [[] for _ in range(CONNECTIONS)]
    for number, message in enumerate(messages):
        lane = lanes[number % CONNECTIONS]
        lane.append(packet(message, len(lane) % 65_535 + 1, retain=retain))
    return [
        deque((len(lane[at : at + size]), b"".join(lane[at : at + size])) for at in range(0, len(lane), size))
        for lane in lanes
    ]


def connect(port: int, client_id: str) -> socket.socket:
    """Return a connection to the broker, greeted."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client_id.encode()
    sock.sendall(
        bytes([0x10, 12 + len(name)]) + b"\x00\x04MQTT\x04\x02\x00\x00\x00" + bytes([len(name)]) + name
    )
    if sock.recv(4, socket.MSG_WAITALL) != b"\x20\x02\x00\x00":
        raise SystemExit("the broker refuses the generator")
    return sock


class _Sender:
    """Sends chunks over its lanes; a further connection hears the acknowledgements that nodes would get."""

    def __init__(self, port: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._lanes = [_Lane(connect(port, f"load-{index}")) for index in range(CONNECTIONS)]
        self._ears = connect(port, "load-ears")
        self._ears.sendall(bytes([0x82, 5 + len(ACKS), 0, 1, 0, len(ACKS)]) + ACKS + b"\x00")
        for lane in self._lanes:
            lane.sock.setblocking(False)
            self._selector.register(lane.sock, selectors.EVENT_READ, lane)
        self._ears.setblocking(False)
        self._selector.register(self._ears, selectors.EVENT_READ, None)

    def send(self, work: list[deque[tuple[int, bytes]]], due: Callable[[], int] | None = None) -> None:
        """Send all chunks. `due` tells how many messages may have been sent on each lane by now."""
        sent = [0] * CONNECTIONS
        for lane, todo in zip(self._lanes, work, strict=True):
            lane.chunks = todo
        while not all(lane.idle for lane in self._lanes):
            limit = due() if due else 0
            for index, lane in enumerate(self._lanes):
                while lane.chunks and not lane.rest and lane.under_way + lane.chunks[0][0] <= WINDOW:
                    if due and sent[index] + lane.chunks[0][0] > limit:
                        break
                    count, lane.rest = lane.chunks.popleft()
                    lane.under_way += count
                    sent[index] += count
                    self._push(lane)
            self.listen(SLICE_S / 2 if due else 1.0)

    def listen(self, for_s: float) -> None:
        """Take what the broker says and go on with what was left unsent."""
        for key, events in self._selector.select(for_s):
            if key.data is None:
                self._ears.recv(1 << 18)
                continue
            if events & selectors.EVENT_WRITE:
                self._push(key.data)
            if events & selectors.EVENT_READ:
                self._pull(key.data)

    def _push(self, lane: _Lane) -> None:
        with contextlib.suppress(BlockingIOError):
            lane.rest = lane.rest[lane.sock.send(lane.rest) :]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if lane.rest else 0)
        if self._selector.get_key(lane.sock).events != wanted:
            self._selector.modify(lane.sock, wanted, lane)

    def _pull(self, lane: _Lane) -> None:
        data = lane.sock.recv(1 << 16)
        if not data:
            raise SystemExit("the broker closed the generator's connection")
        lane.unread += len(data)
        lane.under_way -= lane.unread // PUBACK_BYTES
        lane.unread %= PUBACK_BYTES


def _work(order: Order, pipe: Connection) -> None:
    """The generator's process: make packets, say so, wait for the word, send, say how it went, hear on."""
    size = CHUNK if not order.pace else max(1, int(order.pace / CONNECTIONS * SLICE_S))
    births = chunks(order.births.births(), CHUNK, retain=True) if order.births else None
    courses = [chunks(course.messages_of(), size) for course in order.courses]
    sender = _Sender(order.port)
    pipe.send("ready")
    while True:
        while not pipe.poll():
            sender.listen(0.05)
        word = pipe.recv()
        if word == "end":
            return
        todo = births if word == "births" else courses.pop(0)
        assert todo is not None
        begun, cpu_begun = time.monotonic(), time.process_time()
        if word == "go" and order.pace:
            begun += max(0.0, order.start_s - time.time())
            sender.send(todo, _pace(begun, order.pace / CONNECTIONS))
        else:
            sender.send(todo)
        pipe.send({"wall_s": time.monotonic() - begun, "cpu_s": time.process_time() - cpu_begun})


def _pace(begun: float, each_per_s: float) -> Callable[[], int]:
    return lambda: int((time.monotonic() - begun) * each_per_s)


class Load:
    """A generator's process, seen from who runs it."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(order, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._hear()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def births(self) -> None:
        """Send the births; return when the broker has them."""
        self._pipe.send("births")
        self._hear()

    def go(self) -> None:
        """Begin with the packs of the next course; return at once."""
        self._pipe.send("go")

    def done(self) -> dict[str, float]:
        """Wait until the broker has all packs; return the generator's wall and CPU seconds."""
        found: dict[str, float] = self._hear()
        return found

    def end(self) -> None:
        """Close its connections."""
        if self._process.is_alive():
            self._pipe.send("end")
            self._process.join()

    def _hear(self) -> Any:
        if not self._pipe.poll(WITHIN_S):
            raise SystemExit("the load generator does not answer")
        return self._pipe.recv()
