"""Faults of lines: from the gateway to the store, from a node or the gateway to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from faults.laboratory import Laboratory
from faults.proxy import Proxy

from simulators.faults import Fault


@asynccontextmanager
async def _wan(lab: Laboratory) -> AsyncIterator[Proxy]:
    async with lab.locks["wan"]:
        try:
            yield lab.wan
        finally:
            lab.wan.heal()


async def wan_cut(lab: Laboratory, fault: Fault) -> None:
    """The line to the store breaks; connections are refused."""
    async with _wan(lab) as line:
        line.cut()
        await asyncio.sleep(fault.lasts_s)


async def wan_late(lab: Laboratory, fault: Fault) -> None:
    """Everything on the line to the store is late by up to a second."""
    async with _wan(lab) as line:
        line.line.late_s = 0.1 + 0.9 * fault.strength
        await asyncio.sleep(fault.lasts_s)


async def wan_half_open(lab: Laboratory, fault: Fault) -> None:
    """The line to the store takes everything and delivers nothing: only a time-out tells."""
    async with _wan(lab) as line:
        line.half_open()
        await asyncio.sleep(fault.lasts_s)


async def wan_slow(lab: Laboratory, fault: Fault) -> None:
    """The line to the store carries 2 to 20 kB a second."""
    async with _wan(lab) as line:
        line.line.bytes_per_s = 2_000 + 18_000 * fault.strength
        await asyncio.sleep(fault.lasts_s)


async def wan_reset(lab: Laboratory, fault: Fault) -> None:
    """The line to the store is reset again and again, in the middle of requests and answers."""
    async with _wan(lab) as line:
        line.line.late_s = 0.02  # so that there is a middle
        for _ in range(1 + round(fault.lasts_s / 0.15)):
            line.break_all()
            await asyncio.sleep(0.15)


async def node_link_cut(lab: Laboratory, fault: Fault) -> None:
    """Some nodes lose the broker; connections are refused."""
    index = fault.target % len(lab.node_lines)
    async with lab.locks[f"line {index}"]:
        lab.node_lines[index].cut()
        await asyncio.sleep(fault.lasts_s)
        lab.node_lines[index].heal()


async def node_link_half_open(lab: Laboratory, fault: Fault) -> None:
    """Nodes speak to a broker that hears nothing."""
    index = fault.target % len(lab.node_lines)
    async with lab.locks[f"line {index}"]:
        lab.node_lines[index].half_open()
        await asyncio.sleep(fault.lasts_s)
        lab.node_lines[index].heal()


async def gateway_link_cut(lab: Laboratory, fault: Fault) -> None:
    """The gateway loses the broker."""
    async with lab.locks["gateway line"]:
        lab.gateway_line.cut()
        await asyncio.sleep(fault.lasts_s)
        lab.gateway_line.heal()
