"""The sorts of faults: what each does, and how it is over. A new one is a function and a line."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt
from faults.laboratory import Inject, Laboratory
from faults.processes import ConfinedGateway, ProducerProcess
from faults.proxy import Proxy
from servers import Server

from edge.model.quality import Clock
from simulators.faults import Fault

WAKES_MS = 1_600_000_000_000
"""The date at which a clock without a battery begins, at every boot."""


async def gateway_kill(lab: Laboratory, fault: Fault) -> None:
    """SIGKILL of the gateway; it is started again after a while."""
    async with lab.locks["gateway"]:
        lab.gateway.kill()
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.start()


async def gateway_stop(lab: Laboratory, fault: Fault) -> None:
    """SIGTERM, as a service manager does; the exit code has to be 0."""
    async with lab.locks["gateway"]:
        stood = lab.gateway.stands
        code = await asyncio.to_thread(lab.gateway.stop)
        if code != 0 and stood:  # one that is still loading may end as any program does
            lab.troubles.append(f"the gateway ended with {code} on SIGTERM:\n{lab.gateway.log()[-2000:]}")
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.start()


async def _server(lab: Laboratory, name: str, server: Server, lasts_s: float, *, kill: bool) -> None:
    async with lab.locks[name]:
        await asyncio.to_thread(server.kill if kill else server.stop)
        await asyncio.sleep(lasts_s)
        await asyncio.to_thread(server.start)


async def broker_kill(lab: Laboratory, fault: Fault) -> None:
    """SIGKILL of Mosquitto: its sessions and queues are gone."""
    await _server(lab, "broker", lab.broker, fault.lasts_s, kill=True)


async def broker_stop(lab: Laboratory, fault: Fault) -> None:
    """SIGTERM of Mosquitto: it comes back with its queues."""
    await _server(lab, "broker", lab.broker, fault.lasts_s, kill=False)


async def store_kill(lab: Laboratory, fault: Fault) -> None:
    """SIGKILL of InfluxDB."""
    await _server(lab, "store", lab.store, fault.lasts_s, kill=True)


async def store_away(lab: Laboratory, fault: Fault) -> None:
    """InfluxDB is stopped for a while."""
    await _server(lab, "store", lab.store, fault.lasts_s, kill=False)


async def _freeze(lab: Laboratory, name: str, thing: Server | ConfinedGateway, lasts_s: float) -> None:
    async with lab.locks[name]:
        os.kill(thing.pid, signal.SIGSTOP)
        await asyncio.sleep(lasts_s)
        os.kill(thing.pid, signal.SIGCONT)


async def gateway_frozen(lab: Laboratory, fault: Fault) -> None:
    """SIGSTOP of the gateway, as on a machine that swaps: connections stand, nobody answers."""
    await _freeze(lab, "gateway", lab.gateway, fault.lasts_s)


async def broker_frozen(lab: Laboratory, fault: Fault) -> None:
    """SIGSTOP of Mosquitto."""
    await _freeze(lab, "broker", lab.broker, fault.lasts_s)


async def store_frozen(lab: Laboratory, fault: Fault) -> None:
    """SIGSTOP of InfluxDB: requests are taken and answered much later, when the gateway has given them up."""
    await _freeze(lab, "store", lab.store, fault.lasts_s)


@asynccontextmanager
async def _producer(lab: Laboratory, fault: Fault) -> AsyncIterator[ProducerProcess]:
    index = fault.target % len(lab.producers)
    async with lab.locks[f"producer {index}"]:
        yield lab.producers[index]


async def power_cut(lab: Laboratory, fault: Fault) -> None:
    """SIGKILL of nodes: what was in their RAM is gone, and they boot anew."""
    async with _producer(lab, fault) as producer:
        await producer.cut_power()
        await asyncio.sleep(fault.lasts_s)
        await producer.start()


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


async def clock_jump(lab: Laboratory, fault: Fault) -> None:
    """The clock of running nodes is set back by 1 to 20 s, believed, and set right again."""
    async with _producer(lab, fault) as producer:
        back_ms = -1_000 * (1 + round(19 * fault.strength))
        await producer.order("clock", offset_ms=back_ms, state=Clock.SYNCED)
        await asyncio.sleep(fault.lasts_s)
        await producer.order("clock", offset_ms=0, state=Clock.SYNCED)


async def clock_lost(lab: Laboratory, fault: Fault) -> None:
    """A power cut, and the clock begins at the same date as at every boot, until it is set."""
    async with _producer(lab, fault) as producer:
        await producer.cut_power()
        await producer.start(wakes_ms=WAKES_MS)
        await asyncio.sleep(fault.lasts_s)
        await producer.order("clock", offset_ms=0, state=Clock.SYNCED)


async def clock_1970(lab: Laboratory, fault: Fault) -> None:
    """The clock of running nodes falls back to 1970: readings that no chart can show are kept, and counted."""
    async with _producer(lab, fault) as producer:
        true_ms = (await producer.order("time"))["time_ms"]
        await producer.order("clock", offset_ms=-true_ms, state=Clock.UNKNOWN)
        await asyncio.sleep(fault.lasts_s)
        await producer.order("clock", offset_ms=0, state=Clock.SYNCED)


async def _say(lab: Laboratory, messages: list[tuple[str, bytes]]) -> None:
    """Publish as a stranger; what a dying broker did not take is left unsaid."""
    try:
        async with lab.stranger("stranger") as client:
            for topic, payload in messages:
                await client.publish(topic, payload, qos=1)
    except aiomqtt.MqttError:
        pass  # nobody promised that a stranger is heard


async def duplicates(lab: Laboratory, fault: Fault) -> None:
    """Packs of the last minutes are delivered again, in disorder."""
    async with lab.locks["stranger"]:
        chance = random.Random(fault.target)
        heard = list(lab.heard)
        await _say(lab, chance.sample(heard, min(len(heard), 20 + round(180 * fault.strength))))
        await asyncio.sleep(fault.lasts_s)


async def reorder(lab: Laboratory, fault: Fault) -> None:
    """Packs of some nodes overtake one another."""
    async with _producer(lab, fault) as producer:
        await producer.order("disorder", on=True, seed=fault.target)
        await producer.order("flood", node=fault.target, count=200)
        await asyncio.sleep(fault.lasts_s)
        await producer.order("disorder", on=False, seed=0)


async def flood(lab: Laboratory, fault: Fault) -> None:
    """One node makes 500 to 3,000 readings at once."""
    async with _producer(lab, fault) as producer:
        await producer.order("flood", node=fault.target, count=500 + round(2_500 * fault.strength))
        await asyncio.sleep(fault.lasts_s)


async def hostile(lab: Laboratory, fault: Fault) -> None:
    """Payloads that are no readings, on the topics of real nodes and others."""
    async with lab.locks["stranger"]:
        chance = random.Random(fault.target)
        names = lab.nodes_of(fault.target % len(lab.producers))
        leaves = ("data", "replay", "birth", "death", "ack")
        topics = [f"cn/v1/{name}/{leaf}" for name in [*names, "nobody", "No Body", "数据"] for leaf in leaves]
        await _say(lab, [(chance.choice(topics), _garbage(lab, chance)) for _ in range(40)])
        await asyncio.sleep(fault.lasts_s)


def _garbage(lab: Laboratory, chance: random.Random) -> bytes:
    """Return bytes that decode as nothing that a node says. Forged readings are a matter of passwords."""
    whole = chance.choice(lab.heard)[1] if lab.heard else b"\x87\x01\x01"
    return chance.choice(
        [
            whole[: chance.randrange(1, len(whole))],  # torn
            whole + b"\x00",
            b"\x87\x02" + whole[2:],  # of another version
            b"\x9f" * 1_000,  # nested without an end
            b"\x1b" + b"\xff" * 8,
            b"{" + chance.randbytes(40),
            '{"level_m": NaN, "node": "\u202e"}'.encode(),
            b"\xff" * chance.randrange(1, 5_000),
        ]
    )


async def disk_full(lab: Laboratory, fault: Fault) -> None:
    """The file system of the gateway's journal has no byte left, then has room again."""
    async with lab.locks["gateway"]:
        await asyncio.to_thread(lab.gateway.disk.fill)
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.disk.clear()


async def disk_full_kill(lab: Laboratory, fault: Fault) -> None:
    """The gateway is killed while its disk is full, and started on the full disk; it may refuse, not forget."""
    async with lab.locks["gateway"]:
        await asyncio.to_thread(lab.gateway.disk.fill)
        await asyncio.sleep(fault.lasts_s / 2)
        lab.gateway.kill()
        lab.gateway.start()
        await asyncio.sleep(fault.lasts_s / 2)
        lab.gateway.disk.clear()
        if lab.gateway.ended:  # as a service manager does
            lab.gateway.start()


async def journal_lost(lab: Laboratory, fault: Fault) -> None:
    """The gateway is killed and gets a new, empty disk: nodes still have what they were acknowledged."""
    async with lab.locks["gateway"]:
        lab.gateway.kill()
        for path in lab.gateway.disk.inside.glob("journal.db*"):
            path.unlink()
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.start()


async def journal_torn(lab: Laboratory, fault: Fault) -> None:
    """The gateway is killed, and the end of its write-ahead log never reached the disk."""
    async with lab.locks["gateway"]:
        lab.gateway.kill()
        log = lab.gateway.disk.inside / "journal.db-wal"
        if log.exists():
            os.truncate(log, int(log.stat().st_size * fault.strength))
        (log.parent / "journal.db-shm").unlink(missing_ok=True)
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.start()


async def journal_flipped(lab: Laboratory, fault: Fault) -> None:
    """The gateway is killed, and some bytes of its journal are not what was written."""
    async with lab.locks["gateway"]:
        lab.gateway.kill()
        chance = random.Random(fault.target)
        files = [
            path for name in ("", "-wal") if (path := lab.gateway.disk.inside / f"journal.db{name}").exists()
        ]
        with chance.choice(files).open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            for _ in range(1 + round(7 * fault.strength)):
                file.seek(chance.randrange(max(1, size)))
                file.write(chance.randbytes(1))
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.start()


SORTS: dict[str, Inject] = {
    "gateway_kill": gateway_kill,
    "gateway_stop": gateway_stop,
    "broker_kill": broker_kill,
    "broker_stop": broker_stop,
    "store_kill": store_kill,
    "store_away": store_away,
    "gateway_frozen": gateway_frozen,
    "broker_frozen": broker_frozen,
    "store_frozen": store_frozen,
    "power_cut": power_cut,
    "wan_cut": wan_cut,
    "wan_late": wan_late,
    "wan_half_open": wan_half_open,
    "wan_slow": wan_slow,
    "wan_reset": wan_reset,
    "node_link_cut": node_link_cut,
    "node_link_half_open": node_link_half_open,
    "gateway_link_cut": gateway_link_cut,
    "clock_jump": clock_jump,
    "clock_lost": clock_lost,
    "clock_1970": clock_1970,
    "duplicates": duplicates,
    "reorder": reorder,
    "flood": flood,
    "hostile": hostile,
    "disk_full": disk_full,
    "disk_full_kill": disk_full_kill,
    "journal_lost": journal_lost,
    "journal_torn": journal_torn,
    "journal_flipped": journal_flipped,
}
