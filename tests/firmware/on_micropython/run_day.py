"""A node's day at accelerated time on a LittleFS flash: what it allocates, and that every reading arrives.

Arguments: a folder, and what happens: calm (an uneventful day), wifi (away from hour 1 to hour 25), silence
(the gateway acknowledges nothing for three hours), broker (hangs up every ten minutes). Prints its figures.
"""

import asyncio
import gc
import json
import sys

import fast_rig
import flash_rig
from troubles import Troubles

from cityneuron import link
from cityneuron.seldom import borrow

folder, event = sys.argv[1:]
HOUR_MS = 3_600_000
HOURS = 27 if event == "wifi" else 24
fast = fast_rig.Time()
flash = flash_rig.Flash(folder + "/day.img", 160)
flash_rig.format(flash)
flash_rig.mount(flash)
SETTINGS = {
    "node": "stage-0001",
    "kind": "water_level",
    "period_ms": 60_000,
    "broker_host": "gateway",
    "broker_tls": False,
    "sensors": [{"driver": "tide", "bus": "none", "datum_mm": 5200}],
}
with open("/flash/settings.json", "w") as file:
    json.dump(SETTINGS, file)


class Tide:
    """A driver: the distance from the sensor to the water, and a temperature."""

    COLUMNS = (("distance_m", 3), ("water_temperature_c", 2))
    count, hangs = 0, False

    @classmethod
    async def read(cls, _bus):
        while cls.hangs:
            await asyncio.sleep_ms(1_000)
        cls.count += 1
        return (2_000 + cls.count % 700, 1_850)


sys.modules["drivers.tide"] = Tide
drivers = __import__("drivers.instrument")
drivers.tide = Tide
board = fast_rig.Board(fast, "/flash")
gateway = fast_rig.Gateway()
link.asyncio.open_connection = gateway.connect


async def events():
    """Let happen what the argument says."""
    hour = 0
    while True:
        await asyncio.sleep_ms(HOUR_MS // 6)
        hour += 1
        if event == "wifi" and hour == 6:
            board.is_joined = False
            gateway.hang_up()
        if event == "wifi" and hour == 150:
            board.is_joined = gateway.up = True
        if event == "silence":
            gateway.acknowledges = not 30 <= hour < 48
        if event == "broker":
            gateway.hang_up()
            gateway.up = True


async def main():
    node = borrow("app").build(board, lambda line: None)
    node.errors = Troubles()
    node.conversation.servers = fast_rig.Servers(node.clock, 1_790_000_000_000)
    working = [asyncio.create_task(node.run()), asyncio.create_task(events())]
    allocated = [0] * HOURS
    for hour in range(HOURS):
        await asyncio.sleep_ms(HOUR_MS)
        gc.collect()
        gc.collect()
        allocated[hour] = gc.mem_alloc()
    outbox = node.outbox
    await asyncio.sleep_ms(200_000)
    end = outbox.next_seq - 2
    assert outbox.produced == outbox.acknowledged + outbox.held + outbox.dropped
    assert node.status()["clock"] == "synced" and board.fed > 8_000
    print(
        "produced", outbox.produced, "missing", gateway.missing(outbox.boot, end), "dropped", outbox.dropped,
        "held", outbox.held, "copies", gateway.copies, "connections", gateway.connections,
        "first", allocated[1], "last", allocated[-1], "highest", max(allocated),
    )  # fmt: skip
    assert not any(task.done() for task in working)
    await node.sample_now()
    assert outbox.unwritten
    board.warn(None)  # the supply is about to fail
    assert not outbox.unwritten
    Tide.hangs = True
    await asyncio.sleep_ms(HOUR_MS // 6)
    fed = board.fed
    await asyncio.sleep_ms(HOUR_MS // 6)
    assert board.fed == fed  # a sensor that never answers is left to the watchdog


asyncio.run(main())
