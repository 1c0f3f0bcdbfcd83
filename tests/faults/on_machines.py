"""Faults of machines: the gateway, the broker, the store, and the disk of the gateway."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

from faults.laboratory import Laboratory
from faults.processes import ConfinedGateway
from servers import Server

from simulators.faults import Fault


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


async def disk_full(lab: Laboratory, fault: Fault) -> None:
    """The file system of the gateway's journal has no byte left, then has room again."""
    async with lab.locks["gateway"]:
        await asyncio.to_thread(lab.gateway.disk.fill)
        await asyncio.sleep(fault.lasts_s)
        await _make_room(lab)


async def disk_full_kill(lab: Laboratory, fault: Fault) -> None:
    """The gateway is killed while its disk is full, and started on the full disk; it may refuse, not forget."""
    async with lab.locks["gateway"]:
        await asyncio.to_thread(lab.gateway.disk.fill)
        await asyncio.sleep(fault.lasts_s / 2)
        lab.gateway.kill()
        lab.gateway.start()
        await asyncio.sleep(fault.lasts_s / 2)
        await _make_room(lab)


async def _make_room(lab: Laboratory) -> None:
    """Give a full disk room again; a gateway that refused to start on it is started, as a service manager does.

    One that was just starting when the disk was filled may refuse as well.
    """
    lab.gateway.disk.clear()
    async with asyncio.timeout(30):
        while not (lab.gateway.ended or lab.gateway.at_work):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.1)
    if lab.gateway.ended:
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


def flip(journal: Path, chance: random.Random, strength: float) -> None:
    """Change 1 to 8 bytes of a journal or of its log."""
    files = [path for name in ("", "-wal") if (path := journal.with_name(journal.name + name)).exists()]
    with chance.choice(files).open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for _ in range(1 + round(7 * strength)):
            file.seek(chance.randrange(max(1, size)))
            file.write(chance.randbytes(1))


async def journal_flipped(lab: Laboratory, fault: Fault) -> None:
    """The gateway is killed, and some bytes of its journal are not what was written."""
    async with lab.locks["gateway"]:
        lab.gateway.kill()
        flip(lab.gateway.disk.inside / "journal.db", random.Random(fault.target), fault.strength)
        await asyncio.sleep(fault.lasts_s)
        lab.gateway.start()
