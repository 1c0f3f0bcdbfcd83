"""A city or a gateway as users start it, and nodes that talk: what the end-to-end tests stand on."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Mosquitto

from edge.agent import AgentConfig, NodeAgent, SystemTime
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.outbox import OutboxConfig
from edge.protocol.wire import Column
from gateway.account import Counts
from gateway.database import JournalError
from gateway.statement import read_accounts

CITYNEURON = Path(sys.executable).with_name("cityneuron")
T0_MS = 1_760_000_000_000
COLUMNS = (Column("level_m", 3), Column("battery_v", 2))
WITHIN_S = 60.0


def up(data: Path, *options: str) -> list[str | Path]:
    """Return the command."""
    return [CITYNEURON, "up", "--data", data, "--port", "0", *options]


@contextmanager
def living(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A city while it runs, with what it says of itself in run.json."""
    city = subprocess.Popen(up(data, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert city.stdout is not None
        for line in city.stdout:
            if b"Ctrl-C" in line:
                break
        else:
            pytest.fail("it ended before it said where the wall is")
        yield city, json.loads((data / "run.json").read_text())
    finally:
        if city.poll() is None:
            city.kill()
        city.communicate()


class GatewayProcess:
    """`cityneuron gateway run` in a process of its own; `journal` is its disk."""

    def __init__(self, folder: Path, broker: Mosquitto, store: str, nodes: Sequence[Node]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.journal = folder / "data" / "journal.db"
        self.config = folder / "gateway.toml"
        (folder / "nodes.json").write_text(json.dumps({"nodes": [node.to_dict() for node in nodes]}))
        self.config.write_text(
            f'[gateway]\nid = "gw-01"\ndata_dir = "{folder / "data"}"\n[mqtt]\nurl = "{broker.url}"\n'
            f'[nodes]\nfile = "{folder / "nodes.json"}"\n[store]\n{store}\n'
            "[forward]\nretry_delay_s = 0.1\nlongest_delay_s = 0.5\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again); it works on its own from here."""
        with (self.folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [CITYNEURON, "gateway", "run", "--config", self.config], stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL: nothing can be tidied up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as a service manager does; return the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(60)
        self._process = None
        return code

    def log(self) -> str:
        """What it said."""
        return (self.folder / "gateway.log").read_text(errors="replace")

    def accounts(self) -> dict[str, Counts]:
        """The account of every node, read as `cityneuron ledger` does."""
        try:
            return read_accounts(self.journal)
        except JournalError:  # not made yet
            return {}

    async def until(self, holds: Callable[[dict[str, Counts]], bool]) -> dict[str, Counts]:
        """Wait for a state of the account, asking the journal's file as another process may."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not holds(accounts := self.accounts()):  # noqa: ASYNC110 (another process: no event to wait for)
                    await asyncio.sleep(0.02)
                return accounts
        except TimeoutError:
            raise AssertionError(
                f"the account never came to that: {self.accounts()}\n{self.log()[-3000:]}"
            ) from None

    def ledger_command(self) -> dict[str, object]:
        """What `cityneuron ledger --json` prints."""
        command = [CITYNEURON, "ledger", "--json", "--data", self.journal.parent]
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
        return json.loads(done.stdout)  # type: ignore[no-any-return]


class Crowd:
    """Nodes that record as fast as told: the level of reading `seq` of node `i` is `seq` + `i` millimetres."""

    def __init__(self, broker: Mosquitto, count: int, *, boot: int = 1) -> None:
        self.nodes = [registered(f"node-{index:03}") for index in range(count)]
        config = AgentConfig(
            flush_s=0.05, pack_rows=20, outbox=OutboxConfig(resend_s=2.0, capacity_rows=100_000)
        )
        self.agents = [
            NodeAgent(node, COLUMNS, boot, SystemTime(), period_s=1, config=config) for node in self.nodes
        ]
        fast = LinkConfig(retry_first_s=0.1, retry_limit_s=0.5)
        address = BrokerAddress.parse(broker.url)
        self.links = [
            Link(self.agents[at : at + 10], address, client_id=f"crowd-{at}", config=fast)
            for at in range(0, count, 10)
        ]

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Connect all nodes, and let them go at the end."""
        async with asyncio.TaskGroup() as tasks:
            for link in self.links:
                tasks.create_task(link.run())
            yield
            for link in self.links:
                link.stop()

    async def record(self, readings: int) -> None:
        """Let every node make so many readings, with pauses for others to work."""
        loop = asyncio.get_running_loop()
        for _ in range(readings):
            for index, agent in enumerate(self.agents):
                seq = agent.outbox.next_seq
                agent.record(T0_MS + seq * 1000, Clock.SYNCED, (seq + index, 371), loop.time())
            await asyncio.sleep(0.002)

    async def drained(self) -> None:
        """Wait until every reading is acknowledged."""
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as tasks:
            for link in self.links:
                tasks.create_task(link.drain(WITHIN_S))

    def expected(self) -> dict[str, tuple[int, float]]:
        """Return count and sum of level_m of each node."""
        found = {}
        for index, agent in enumerate(self.agents):
            made = agent.outbox.next_seq
            found[str(agent.node.id)] = (made, sum(seq + index for seq in range(made)) / 1000)
        return found


def registered(name: str, kind: str = "water_level") -> Node:
    """Return a node as the registry has it."""
    return Node(id=node_id(name), kind=kind, label_en=name, label_zh=name, site=name, district="test")
