"""Live readings, one by one, each sensed at the moment it is sent; and when each can be seen in the store.

The store is asked from outside, so the age is an upper bound: it holds the time that the answer took, and what
passed since the question before.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from multiprocessing.connection import Connection

from bench.fleet import BOOT, COLUMNS, KIND, USUAL, Fleet
from bench.load import PUBACK_BYTES, connect, packet
from bench.rigs import Rig
from edge.model.quality import Clock
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Pack, encode_pack

FLEET = Fleet(count=20, first=900_000, site="live")
ASK_EVERY_S = 0.01
_ROW = [0, *(round(value * 10**column.decimals) for value, column in zip(USUAL, COLUMNS, strict=True))]
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _send(port: int, per_s: float, pipe: Connection) -> None:
    """The sender's process: births, then a reading every 1/per_s seconds until told to end."""
    sock = connect(port, "live")
    names = FLEET.names()
    for mid, message in enumerate(FLEET.births(), 1):
        sock.sendall(packet(message, mid, retain=True))
    sock.recv(4 * len(names), socket.MSG_WAITALL)
    pipe.send(None)
    pipe.recv()
    sock.setblocking(False)
    seqs = dict.fromkeys(names, 0)
    number, heard, last_ms, stamps, begun = 0, 0, 0, [], time.monotonic()
    while not pipe.poll():
        time.sleep(max(0.0, begun + number / per_s - time.monotonic()))
        name = names[number % len(names)]
        last_ms = max(last_ms + 1, time.time_ns() // 1_000_000)  # no two of a millisecond: it is their name
        body = encode_pack(Pack(KIND.schema, BOOT, seqs[name], last_ms, Clock.SYNCED, [_ROW]))
        seqs[name] += 1
        number += 1
        sock.sendall(packet((topic(name, Leaf.DATA), body), (number + 100) % 65_535 + 1))
        stamps.append(last_ms)
        if number % 10 == 0:
            heard += _swallow(sock)
            pipe.send(stamps)
            stamps = []
    pipe.send(stamps)
    sock.setblocking(True)
    sock.settimeout(60)
    while (
        heard < PUBACK_BYTES * number
    ):  # a socket closed before its answers are read is reset: its last are lost
        heard += len(sock.recv(1 << 16))
    pipe.send(None)


def _swallow(sock: socket.socket) -> int:
    """Read acknowledgements that have come; return their bytes."""
    try:
        return len(sock.recv(1 << 16))
    except BlockingIOError:
        return 0


class Live:
    """Sends live readings while it is open, and notes how old each was when the store first showed it."""

    def __init__(self, rig: Rig, per_s: float) -> None:
        self._url, self.ages_s, self.sent = rig.store.url, dict[int, float](), list[int]()
        self._unseen: dict[int, None] = {}
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_send, args=(rig.broker.port, per_s, theirs), daemon=True)
        self._process.start()
        self._pipe.recv()
        self._changed = threading.Condition()
        self._over = False
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._watch)]

    def start(self) -> None:
        """Begin to send and to ask; the births are with the broker already."""
        self._pipe.send("go")
        for thread in self._threads:
            thread.start()

    def stop(self, within_s: float = 120.0) -> None:
        """Send no more; return when the store has shown all, or complain."""
        self._pipe.send("end")
        self._threads[0].join()
        with self._changed:
            shown = self._changed.wait_for(lambda: not self._unseen, within_s)
            self._over = True
        self._threads[1].join()
        self._process.join()
        if not shown:
            raise SystemExit(f"{len(self._unseen)} of {len(self.sent)} live readings never came to the store")

    def first_after(self, stamp_ms: int, within_s: float = 600.0) -> float:
        """Wait until a reading sensed after `stamp_ms` is in the store; return how long after it that was."""

        def found() -> list[float]:
            return [stamp / 1000 + age_s for stamp, age_s in self.ages_s.items() if stamp > stamp_ms]

        with self._changed:
            if not self._changed.wait_for(found, within_s):
                raise SystemExit("no new reading comes to the store")
            return min(found()) - stamp_ms / 1000

    def ages(self, from_ms: int = 0, to_ms: int = 2**63) -> list[float]:
        """Return the ages in seconds of the readings sensed within a time."""
        with self._changed:
            return [age_s for stamp, age_s in self.ages_s.items() if from_ms <= stamp < to_ms]

    def _listen(self) -> None:
        while (stamps := self._pipe.recv()) is not None:
            with self._changed:
                self.sent += stamps
                self._unseen.update(dict.fromkeys(stamp for stamp in stamps if stamp not in self.ages_s))

    def _watch(self) -> None:
        while not self._over:
            begun = time.monotonic()
            with self._changed:
                since_ms = next(iter(self._unseen), None)
            stamps = self._ask(since_ms) if since_ms is not None else []
            now_s = time.time()
            with self._changed:
                for stamp in stamps:
                    if stamp not in self.ages_s:
                        self.ages_s[stamp] = now_s - stamp / 1000
                        self._unseen.pop(stamp, None)
                self._changed.notify_all()
            took_s = time.monotonic() - begun
            time.sleep(max(ASK_EVERY_S - took_s, 2 * took_s if took_s > ASK_EVERY_S else 0.002))

    def _ask(self, since_ms: int) -> list[int]:
        """Return the times of the live readings in the store since a time; none while it is away."""
        q = (
            f'SELECT "{KIND.headline}" FROM "{KIND.name}"'
            f" WHERE site = '{FLEET.site}' AND time >= {since_ms}ms"
        )
        form = urllib.parse.urlencode({"db": "city", "q": q, "epoch": "ms"}).encode()
        try:
            with _HTTP.open(f"{self._url}/query", form, timeout=60) as reply:
                (result,) = json.load(reply)["results"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return []
        return [row[0] for series in result.get("series", ()) for row in series["values"]]
