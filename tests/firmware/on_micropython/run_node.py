"""Runs a node with commands and console; prints its ledger when it changes, its heap when the peak rises.

A collection after every 512 bytes keeps garbage out of the figure: what is left is what the node needs. With
the argument "echo" every command is answered with its own bytes, the second byte being the count of commands.
"""

import asyncio
import gc
import sys

from boards.unix import Board
from cityneuron import start
from cityneuron.seldom import borrow
from cityneuron.slots import Slots


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


async def watch(outbox):
    peak, ledger = 0, None
    while True:
        used = gc.mem_alloc()
        if used > peak:
            peak = used
            print("heap", peak)
        counts = (outbox.produced, outbox.acknowledged, outbox.held, outbox.dropped)
        if counts != ledger:
            ledger = counts
            print("ledger", *counts)
        await asyncio.sleep_ms(3)


async def main():
    board = Board()
    slots = Slots(board.path)
    for name in start.SELDOM:
        borrow(name, "replies")
    node = borrow("app").build(board, print)
    operations = start.Operations(board, node, slots)
    if "echo" in sys.argv:
        node.commands.take = Echo().take
    gc.threshold(512)
    await asyncio.gather(node.work(), operations.run(), watch(node.outbox))


asyncio.run(main())
