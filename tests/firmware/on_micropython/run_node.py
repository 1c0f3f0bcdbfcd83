"""Runs a node from its own start; prints its ledger when it changes. With these arguments besides:

"heap": its heap when the peak rises (a collection after every 512 bytes keeps garbage out of it, and is slow)
"echo": every command is answered with its own bytes, the second byte being the count of commands
"""

import asyncio
import gc
import sys

from cityneuron import start


class Echo:
    """Commands that come back: at once the first time, later (from a coroutine) the second."""

    def __init__(self):
        self._count = 0

    def take(self, payload):
        self._count += 1
        reply = bytes((payload[0], self._count)) + payload[2:]
        return reply if self._count == 1 else self._later(reply)

    async def _later(self, reply):
        await asyncio.sleep_ms(1)
        return reply


class Watched(start.Operations):
    """The operations of a node that is looked at meanwhile."""

    async def run(self):
        if "echo" in sys.argv:
            self.node.commands.take = Echo().take
        if "heap" in sys.argv:
            gc.threshold(512)
        watching = asyncio.create_task(watch(self.node.outbox))
        try:
            await super().run()
        finally:
            watching.cancel()


async def watch(outbox):
    most = last = 0  # names of the firmware's own: others would count for its heap
    while True:
        now = gc.mem_alloc() if "heap" in sys.argv else 0
        if now > most:
            most = now
            print("heap", most)
        row = (outbox.produced, outbox.acknowledged, outbox.held, outbox.dropped)
        if row != last:
            last = row
            print("ledger", *row)
        await asyncio.sleep_ms(3)


start.Operations = Watched
start.run(pause_s=0)
