"""Faults of nodes: power, clock, flash, and nodes that say too much or in disorder.

Each takes its producer before it waits for anything: a producer meets its faults in the order of the plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from faults.audit import OVERWRITTEN, POWER_CUT, Loss
from faults.laboratory import DRAIN_WITHIN_S, Laboratory
from faults.processes import ProducerProcess
from faults.readings import serial_of

from edge.boot import start_of
from edge.model.quality import Clock
from simulators.faults import Fault

WAKES_MS = 1_600_000_000_000
"""The date at which a clock without a battery begins, at every boot."""
YEAR_2000_MS = 946_684_800_000


@asynccontextmanager
async def _producer(lab: Laboratory, fault: Fault) -> AsyncIterator[ProducerProcess]:
    index = fault.target % len(lab.producers)
    async with lab.locks[f"producer {index}"]:
        yield lab.producers[index]


@asynccontextmanager
async def _apart(lab: Laboratory, producer: ProducerProcess) -> AsyncIterator[None]:
    """Deliver all that a producer's nodes hold, then cut their line: what they make now stays in their RAM."""
    async with lab.locks[f"line {producer.index}"]:
        if held := (await producer.order("drain", within_s=DRAIN_WITHIN_S))["held"]:
            lab.troubles.append(f"nodes could not hand over their readings before a cut: {held}")
        lab.node_lines[producer.index].cut()
        try:
            yield
        finally:
            lab.node_lines[producer.index].heal()


async def _lose_power(lab: Laboratory, fault: Fault, producer: ProducerProcess) -> None:
    """The power goes at a planned reading: with 1 to 10 of each node in RAM alone, which are lost."""
    count = 1 + int(10 * fault.strength)
    async with _apart(lab, producer):
        made = (await producer.order("make", count=count, within_s=count / lab.load.readings_per_s))["made"]
        await producer.cut_power()
    for node in producer.speaking:
        lab.planned.append(Loss(node, producer.boot, made[node] - count, made[node] - 1, POWER_CUT))


async def power_cut(lab: Laboratory, fault: Fault) -> None:
    """The power goes while the nodes hold readings that nobody has heard of; they boot anew."""
    async with _producer(lab, fault) as producer:
        await _lose_power(lab, fault, producer)
        await asyncio.sleep(fault.lasts_s)
        await producer.start()


async def _lose_power_mid_flow(lab: Laboratory, fault: Fault, producer: ProducerProcess) -> None:
    """The power goes while readings are under way: nobody can plan what is lost."""
    within_s = fault.lasts_s + 1.0
    await producer.order("flow", count=lab.readings_in(within_s) * 4, within_s=within_s)
    await asyncio.sleep(fault.lasts_s)
    lab.mid_flow |= {(node, producer.boot) for node in producer.names}
    await producer.cut_power()


async def power_cut_mid_flow(lab: Laboratory, fault: Fault) -> None:
    """The power goes while readings are under way; the nodes boot anew at once."""
    async with _producer(lab, fault) as producer:
        await _lose_power_mid_flow(lab, fault, producer)
        await producer.start()


async def boot_twice_mid_flow(lab: Laboratory, fault: Fault) -> None:
    """The same, and the boot counter had not reached the flash: the next boot may even have a lower number."""
    async with _producer(lab, fault) as producer:
        await _lose_power_mid_flow(lab, fault, producer)
        producer.forget_boot()
        await producer.start()


async def boot_twice(lab: Laboratory, fault: Fault) -> None:
    """A power cut, and the boot counter had not reached the flash: the next boot takes the same one again."""
    async with _producer(lab, fault) as producer:
        counter = start_of(producer.boot)
        await _lose_power(lab, fault, producer)
        producer.forget_boot()
        await asyncio.sleep(fault.lasts_s)
        await producer.start()
        if start_of(producer.boot) != counter:
            lab.troubles.append(f"boot {producer.boot} should have come with counter {counter} again")


async def flash_torn(lab: Laboratory, fault: Fault) -> None:
    """A power cut tears what was written last to the flash; the nodes must come up all the same."""
    async with _producer(lab, fault) as producer:
        await _lose_power(lab, fault, producer)
        producer.tear_flash(fault.strength)
        await asyncio.sleep(fault.lasts_s)
        await producer.start()


async def outbox_overflow(lab: Laboratory, fault: Fault) -> None:
    """A node is cut off for so long that its outbox overwrites the oldest: 1 to 200 readings are lost."""
    async with _producer(lab, fault) as producer:
        node, too_many = producer.speaking[-1], 1 + int(200 * fault.strength)
        async with _apart(lab, producer):
            count = lab.load.small_outbox_rows + too_many
            made = (await producer.order("burst", node=node, count=count))["made"][node]
            await asyncio.sleep(fault.lasts_s)
        await producer.order("drain", within_s=DRAIN_WITHIN_S)  # before the next reading overwrites one more
        first = made - count
        lab.planned.append(Loss(node, producer.boot, first, first + too_many - 1, OVERWRITTEN))


async def _with_clock(
    lab: Laboratory, fault: Fault, producer: ProducerProcess, off_ms: int, said: Clock
) -> None:
    """Make readings while the clock is wrong, then set it right."""
    await producer.order("clock", offset_ms=off_ms, state=said)
    await producer.order("make", count=lab.readings_in(fault.lasts_s), within_s=fault.lasts_s)
    await producer.order("clock", offset_ms=0, state=Clock.SYNCED)


async def clock_jump(lab: Laboratory, fault: Fault) -> None:
    """The clock of running nodes is set back by 1 to 20 s, believed, and set right again."""
    async with _producer(lab, fault) as producer:
        back_ms = -1_000 * (1 + round(19 * fault.strength))
        await _with_clock(lab, fault, producer, back_ms, Clock.SYNCED)


async def clock_lost(lab: Laboratory, fault: Fault) -> None:
    """A power cut, and the clock begins at the same date as at every boot, until it is set."""
    async with _producer(lab, fault) as producer:
        await _lose_power(lab, fault, producer)
        await producer.start(wakes_ms=WAKES_MS)
        await producer.order("make", count=lab.readings_in(fault.lasts_s), within_s=fault.lasts_s)
        await producer.order("clock", offset_ms=0, state=Clock.SYNCED)


async def clock_1970(lab: Laboratory, fault: Fault) -> None:
    """The clock of running nodes falls back to 1970: readings that no chart can show are kept, and counted."""
    async with _producer(lab, fault) as producer:
        true_ms = (await producer.order("time"))["time_ms"]
        await _with_clock(lab, fault, producer, -true_ms, Clock.UNKNOWN)


async def clock_2000(lab: Laboratory, fault: Fault) -> None:
    """The clock of running nodes falls back to the year 2000, where some chips begin."""
    async with _producer(lab, fault) as producer:
        true_ms = (await producer.order("time"))["time_ms"]
        await _with_clock(lab, fault, producer, YEAR_2000_MS - true_ms, Clock.UNKNOWN)


async def twins(lab: Laboratory, fault: Fault) -> None:
    """A second device calls itself as a node does, at its side: both stay connected, both are heard of."""
    async with _producer(lab, fault) as producer, AsyncExitStack() as still:
        for thing in (f"line {producer.index}", "broker", "gateway line", "gateway"):
            await still.enter_async_context(lab.locks[thing])  # whom a link loses then, the other one threw off
        intruder = lab.intrude(producer, producer.speaking[0])
        await intruder.start()
        await intruder.order("meet")
        before = [
            (await each.order("drain", within_s=DRAIN_WITHIN_S))["links"] for each in (producer, intruder)
        ]
        count, within_s = lab.readings_in(fault.lasts_s), fault.lasts_s
        await asyncio.gather(
            *(each.order("make", count=count, within_s=within_s) for each in (producer, intruder))
        )
        after = [(await each.order("drain", within_s=DRAIN_WITHIN_S))["links"] for each in (producer, intruder)]
        if before != after:
            lab.troubles.append(f"twins threw each other off: connections {before}, then {after}")
        await intruder.close()
        lab.troubles += await asyncio.to_thread(_unnamed, lab, producer.speaking[0], intruder.boot)


def _unnamed(lab: Laboratory, node: str, boot: int) -> list[str]:
    """Return what is wrong with the readings of an intruder that were not stored."""
    kept = [entry for entry in lab.gateway.quarantine(node) if entry["boot"] == boot]
    return [
        f"not kept as two_nodes_one_id, with both names: {entry}"
        for entry in kept
        if entry["reason"] != "two_nodes_one_id" or entry["detail"].count(serial_of(node, "")) < 2
    ]


async def reorder(lab: Laboratory, fault: Fault) -> None:
    """Packs of some nodes overtake one another."""
    async with _producer(lab, fault) as producer:
        await producer.order("disorder", on=True, seed=fault.target)
        await producer.order("burst", node=_roomy(lab, fault, producer), count=200)
        await producer.order("make", count=lab.readings_in(fault.lasts_s), within_s=fault.lasts_s)
        await producer.order("disorder", on=False, seed=0)


async def flood(lab: Laboratory, fault: Fault) -> None:
    """One node makes 500 to 3,000 readings at once."""
    async with _producer(lab, fault) as producer:
        count = 500 + round(2_500 * fault.strength)
        await producer.order("burst", node=_roomy(lab, fault, producer), count=count)
        await asyncio.sleep(fault.lasts_s)


def _roomy(lab: Laboratory, fault: Fault, producer: ProducerProcess) -> str:
    """Return a node whose outbox is not meant to overflow."""
    nodes = producer.speaking[:-1] if lab.load.small_outbox_rows else producer.speaking
    return nodes[fault.target // len(lab.producers) % len(nodes)]
