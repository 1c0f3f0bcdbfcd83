"""Faults by strangers: what comes twice, what is no reading, and who spoils the store."""

from __future__ import annotations

import asyncio
import random

import aiomqtt
from faults.laboratory import Laboratory

from simulators.faults import Fault


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


async def store_type_conflict(lab: Laboratory, fault: Fault) -> None:
    """Somebody gave a field another type, so that the store refuses a node's lines; then it is repaired.

    What the store refused waits in quarantine with its words, and `cityneuron quarantine retry` brings it in.
    """
    guest = next(lab.guests)  # each has a measurement of its own, whose types can be spoiled once
    count = 20 + round(180 * fault.strength)
    async with lab.locks[f"producer {guest.producer}"]:
        async with lab.locks["store"]:
            await asyncio.to_thread(lab.store.write, f'{guest.kind},node=stranger power_w="broken"')
        await lab.producers[guest.producer].order("burst", node=guest.name, count=count)
        await lab.until_node(guest.name, quarantined=count)
        entries = await asyncio.to_thread(lab.gateway.quarantine, guest.name)
        lab.troubles += [
            f"quarantined for another reason: {entry}"
            for entry in entries
            if "type conflict" not in entry["detail"]
        ]
        async with lab.locks["store"]:
            await asyncio.to_thread(lab.store.query, "city", f"DROP MEASUREMENT {guest.kind}")
        async with lab.locks["gateway"]:
            await asyncio.to_thread(lab.gateway.retry, guest.name)
        await lab.until_node(guest.name, stored=count)
