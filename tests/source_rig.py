"""A real gateway with foreign sources, for tests: what the store has of each node, and the account of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import servers

from gateway.account import Counts
from gateway.app import JOURNAL, Gateway, run_gateway
from gateway.config import load_config
from gateway.sources.messages import HttpMessages, MqttMessages
from gateway.sources.tcp import Stream
from gateway.statement import read_accounts

HEAD = """\
[gateway]
id = "gw-test"
data_dir = "{folder}"
[mqtt]
url = "{mqtt}"
[store]
url = "{store}"
api = "v1"
database = "city"
[nodes]
admit_any = true
"""
WITHIN_S = 20


class Street:
    """A gateway with the [[source]] tables given, a broker and a store, all real; it may be started anew."""

    def __init__(
        self, folder: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB, sources: str
    ) -> None:
        self.folder = folder
        self.influxdb = influxdb
        self._config = folder / "gateway.toml"
        head = HEAD.format(folder=folder, mqtt=mosquitto.url, store=influxdb.url)
        self._config.write_text(head + sources, encoding="utf-8")

    @contextlib.asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """Run the gateway while the block lasts; again, it goes on with the same journal."""
        started: asyncio.Future[Gateway] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_gateway(load_config(self._config), started.set_result))
        try:
            gateway = await started
            for transport in gateway.foreign.transports.values():
                if isinstance(transport, Stream | HttpMessages | MqttMessages) and transport.trouble != "":
                    async with asyncio.timeout(WITHIN_S):
                        await transport.listening.wait()
            yield gateway
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def accounts(self) -> dict[str, Counts]:
        """Return the account of every node, as it is on disk."""
        return read_accounts(self.folder / JOURNAL)

    async def until(self, node: str, holds: Callable[[Counts], bool]) -> Counts:
        """Return a node's account once it is as wanted; the test fails when that takes too long."""
        account: Counts | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                while account is None or not holds(account):
                    account = self.accounts().get(node, account)
                    await asyncio.sleep(0.05)
                return account
        raise AssertionError(f"{node} never came to that: {account}")

    def rows(self, kind: str, node: str) -> list[dict[str, Any]]:
        """Return what the store has of a node, oldest first."""
        found: list[dict[str, Any]] = self.influxdb.rows(f"SELECT * FROM \"{kind}\" WHERE node = '{node}'")
        return found
