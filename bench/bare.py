"""The bare writer: the same lines, made beforehand, posted to the store by something that does nothing else."""

from __future__ import annotations

import http.client
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from bench.fleet import Course
from edge.protocol.wire import decode_birth
from gateway.intake import Intake

BATCH_LINES = 5_000


def bodies(course: Course) -> list[bytes]:
    """Return the requests: the lines that the gateway makes of these packs."""
    births = {name.split("/")[2]: decode_birth(payload) for name, payload in course.fleet.births()}
    intakes = {str(node.id): Intake(node, births[node.id]) for node in course.fleet.nodes()}
    now_ms = course.start_ms + 86_400_000
    found, lines = [], []
    for name, pack in course.packs():
        lines += intakes[name].read(pack, pack.seq0, pack.seq0 + len(pack.rows), now_ms)[0]
        if len(lines) >= BATCH_LINES:
            found.append("\n".join(lines).encode())
            lines = []
    return [*found, "\n".join(lines).encode()] if lines else found


def post(url: str, requests: list[bytes], writers: int) -> float:
    """Post all bodies over so many connections; return the seconds until the last was confirmed."""
    shares = [requests[index::writers] for index in range(writers)]
    begun = time.monotonic()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(lambda share: _post(url, share), shares))
    return time.monotonic() - begun


def _post(url: str, requests: list[bytes]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    for body in requests:
        connection.request("POST", "/write?db=city&precision=ns", body)
        answer = connection.getresponse()
        words = answer.read()
        if answer.status != 204:
            raise SystemExit(f"the store refuses the bare writer: {answer.status} {words[:200]!r}")
    connection.close()


def _work(url: str, course: Course, warm: Course | None, writers: int, pipe: Connection) -> None:
    requests = bodies(course)
    if warm:
        post(url, bodies(warm), 1)
    pipe.send(0.0)
    pipe.recv()
    begun_cpu_s = time.process_time()
    pipe.send((post(url, requests, writers), time.process_time() - begun_cpu_s))


class Bare:
    """The bare writer in a process of its own, ready to go."""

    def __init__(self, url: str, course: Course, writers: int, warm: Course | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(url, course, warm, writers, theirs), daemon=True)
        self._process.start()
        self._pipe.recv()

    def run(self) -> tuple[float, float]:
        """Write everything; return wall and CPU seconds."""
        self._pipe.send("go")
        wall_s, cpu_s = self._pipe.recv()
        self._process.join()
        return wall_s, cpu_s
