"""What the routes work with: one bundle, put together by the app and by tests."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from cloud.alerts.desk import Desk
from cloud.board import Board
from cloud.commands.queue import CommandQueue
from cloud.live import Live
from cloud.ota.depot import Depot
from cloud.ota.rollouts import Rollouts
from cloud.provision.config import ProvisionConfig
from cloud.provision.provisioner import Provisioner
from cloud.registry import Registry
from cloud.rollup.reader import Reader
from cloud.rollup.roller import Roller
from cloud.rules import CityRules
from cloud.state import node_state
from cloud.stores.protocol import Store
from edge.model.kinds import KINDS
from edge.model.node import Node

WRITES_AT_ONCE = 8  # a body may be 32 MB: what is beyond waits in its socket


def epoch_ms() -> int:
    """Return the time now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The cloud's parts as a request sees them."""

    name_en: str
    name_zh: str
    token: str
    timezone: ZoneInfo
    registry: Registry
    store: Store
    reader: Reader
    roller: Roller | None
    board: Board
    live: Live
    alerts: Desk
    city_rules: CityRules
    provision: ProvisionConfig
    provisioner: Provisioner
    commands: CommandQueue
    depot: Depot
    rollouts: Rollouts
    now_ms: Callable[[], int] = epoch_ms
    writes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITES_AT_ONCE))
    trials: set[str] = field(default_factory=set)
    """The nodes whose firmware is new to them; `look_at_trials` keeps it as the registry has it."""

    def told(self, node: Node) -> dict[str, object]:
        """Return a node as the API tells it: registered facts, state, time of the newest reading, trial."""
        newest = self.board.of(node.id)
        state = node_state(
            period_s=KINDS[node.kind].period_s,
            time_ms=newest.time_ms if newest else None,
            qc=newest.qc if newest else {},
            now_ms=self.now_ms(),
        )
        return {
            **node.to_dict(),
            "state": state.value,
            "time_ms": newest.time_ms if newest else None,
            "trial": node.id in self.trials,
        }

    async def look_at_trials(self) -> None:
        """Learn whose firmware is on trial, and tell the open pages where one began or ended."""
        found = await self.provisioner.on_trial()
        changed = self.trials ^ found
        if not changed:
            return
        self.trials.symmetric_difference_update(changed)
        self.live.nodes([self.told(node) for node in await self.registry.nodes() if node.id in changed])
