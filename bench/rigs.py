"""A broker, a store and a gateway, real and fresh, in a folder that goes away with them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import servers

from bench.fleet import KIND
from bench.load import Load
from edge.model.errors import CityError
from edge.model.node import Node
from gateway.app import JOURNAL
from gateway.statement import read_accounts

WITHIN_S = 900.0
POLL_S = 0.05
CITYNEURON = Path(sys.executable).with_name("cityneuron")
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Registered(Protocol):
    """Nodes that a gateway is to know."""

    def nodes(self) -> Sequence[Node]:
        """Return them as they are registered."""


class GatewayProcess:
    """`cityneuron gateway run`, as users start it."""

    def __init__(
        self, folder: Path, broker: servers.Mosquitto, store_url: str, fleets: Sequence[Registered],
        mqtt: str = "", sources: str = "",
    ) -> None:  # fmt: skip
        folder.mkdir()
        self.folder, self.journal = folder, folder / "data" / JOURNAL
        nodes = [node.to_dict() for fleet in fleets for node in fleet.nodes()]
        (folder / "nodes.json").write_text(json.dumps({"nodes": nodes}))
        self._config = folder / "gateway.toml"
        self._config.write_text(
            f'[gateway]\nid = "gw-{folder.name}"\ndata_dir = "{folder / "data"}"\n'
            f'[mqtt]\nurl = "{broker.url}"\n{mqtt}\n'
            f'[store]\nurl = "{store_url}"\napi = "v1"\n[nodes]\nfile = "{folder / "nodes.json"}"\n'
            f"[forward]\nretry_delay_s = 0.2\nlongest_delay_s = 1.0\n{sources}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; it must run."""
        assert self._process is not None and self._process.poll() is None, self.log()[-3000:]
        return self._process.pid

    def start(self) -> None:
        """Start it (again) with the data that it has; return at once."""
        command = [str(CITYNEURON), "gateway", "run", "--config", str(self._config)]
        with (self.folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def until_connected(self) -> None:
        """Wait until it listens to the broker."""
        wait_for(lambda: self.pid > 0 and "connected to" in self.log(), "the gateway is connected")

    def kill(self) -> None:
        """SIGKILL: nothing can be tidied up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(120)
        self._process = None

    def log(self) -> str:
        """What it said."""
        path = self.folder / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def knows(self, count: int) -> bool:
        """Whether so many nodes stand in its ledger."""
        try:
            return sum(name.startswith("n-") for name in read_accounts(self.journal)) >= count
        except CityError:  # not made yet
            return False

    def taken(self) -> int:
        """How many readings it took in so far, from the ledger on its disk."""
        found = read_accounts(self.journal)
        return sum(counts.produced for name, counts in found.items() if name.startswith("n-"))

    def disk_bytes(self) -> int:
        """What its data occupy."""
        return sum(file.stat().st_size for file in self.journal.parent.iterdir())


class Rig:
    """Mosquitto and InfluxDB as deployed, and gateways that belong to them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cityneuron-bench-"))
        self.broker = servers.Mosquitto(self.folder / "mosquitto")
        self.store = servers.InfluxDB(self.folder / "influxdb")
        self._gateways: list[GatewayProcess] = []
        self._loads: list[Load] = []

    def __enter__(self) -> Self:
        self.broker.start()
        self.store.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for load in self._loads:
            load.end()
        for gateway in self._gateways:
            gateway.kill()
        self.broker.kill()
        self.store.kill()
        shutil.rmtree(self.folder)

    def gateway(
        self, name: str, fleets: Sequence[Registered], mqtt: str = "", sources: str = ""
    ) -> GatewayProcess:
        """Start a gateway and wait until it listens; `mqtt` is added to that table, `sources` at the end."""
        gateway = GatewayProcess(self.folder / name, self.broker, self.store.url, fleets, mqtt, sources)
        self._gateways.append(gateway)
        gateway.start()
        gateway.until_connected()
        return gateway

    def load(self, load: Load) -> Load:
        """Take a generator into care."""
        self._loads.append(load)
        return load

    def points_written(self) -> int:
        """How many points the store was given since it started: a cheap question."""
        with _HTTP.open(f"{self.store.url}/debug/vars", timeout=60) as reply:
            found = json.load(reply)
        return int(found["write"]["values"]["pointReq"])

    def readings_stored(self) -> int:
        """How many readings the store has: an exact and dear question."""
        rows = self.store.rows(f'SELECT count("{KIND.headline}") FROM "{KIND.name}"')
        return int(rows[0]["count"]) if rows else 0

    def until_stored(self, readings: int, points: int | None = None) -> float:
        """Wait until the store has exactly so many readings; return time.monotonic() of that moment.

        While it works it is asked the cheap question only: how many points it was given. `points` is that
        number where it differs from the readings.
        """
        moment = 0.0

        def given() -> bool:
            nonlocal moment
            moment = time.monotonic()
            return self.points_written() >= (points or readings)

        wait_for(given, f"the store was given {points or readings} points")
        if self.readings_stored() == readings:
            return moment

        def there() -> bool:
            nonlocal moment
            moment = time.monotonic()
            return self.readings_stored() == readings

        wait_for(there, f"the store has {readings} readings")
        return moment


def wait_for(holds: Callable[[], bool], what: str, every_s: float = POLL_S, within_s: float = WITHIN_S) -> None:
    """Ask other processes until something holds: they have no event to wait for."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up waiting until {what}")
        time.sleep(every_s)


def end_in_order() -> None:
    """Turn SIGTERM into an exit, so that no server outlives its bench."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
