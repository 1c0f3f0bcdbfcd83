"""Faults of room: the store is away, and the gateway's journal comes to the end of what it may have.

What it lets go then depends on when it looks, so these have a scenario of their own. Each reading that goes
has to be counted with its reason: the audit accepts as many as the ledger says, and not one more.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from faults.laboratory import Laboratory
from faults.processes import MB

from simulators.faults import Fault

KINDS = ("streetlight", "water_level")
"""Of low and of high priority; the nodes that are no guests are between them."""
BURST = 2_000
MOST_BURSTS = 40
BURSTS_BEYOND = 4
ROOM_MB = 4
"""So much more than the gateway wants to keep free is left when the disk is nearly full."""


def _dropped(account: dict[str, Any]) -> int:
    return sum(row["dropped"] for row in account["nodes"])


async def _fill_backlog(lab: Laboratory, fault: Fault) -> None:
    """Let nodes of all priorities speak until the gateway lets something go, and some time longer."""
    before = _dropped(await lab.look())
    index = fault.target % len(lab.producers)
    speakers = [(lab.guest(kind).producer, lab.guest(kind).name) for kind in KINDS]
    speakers.append((index, lab.producers[index].speaking[0]))
    began = 0
    for _ in range(MOST_BURSTS):
        for producer, node in speakers:
            async with lab.locks[f"producer {producer}"]:
                await lab.producers[producer].order("burst", node=node, count=BURST)
        with contextlib.suppress(TimeoutError):
            await lab.until(lambda account: _dropped(account) > before, within_s=1.0)
            began += 1
        if began == BURSTS_BEYOND:
            return
    lab.troubles.append("the backlog passed its limit, and nothing was let go")


async def backlog_limit(lab: Laboratory, fault: Fault) -> None:
    """The store is away until the backlog passes the gateway's limit: it thins out, then drops by priority."""
    lab.short_of_room = True
    async with lab.locks["store"]:
        await asyncio.to_thread(lab.store.stop)
        await _fill_backlog(lab, fault)
        await asyncio.to_thread(lab.store.start)


async def disk_nearly_full(lab: Laboratory, fault: Fault) -> None:
    """The store is away, and something else takes nearly all room of the gateway's disk."""
    lab.short_of_room = True
    async with lab.locks["store"], lab.locks["gateway"]:
        await asyncio.to_thread(lab.store.stop)
        await asyncio.to_thread(lab.gateway.disk.crowd, round(lab.backlog["keep_free_mb"] + ROOM_MB) * MB)
        await _fill_backlog(lab, fault)
        lab.gateway.disk.clear()
        await asyncio.to_thread(lab.store.start)
