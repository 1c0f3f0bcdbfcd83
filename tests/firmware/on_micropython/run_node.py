"""Runs the node of firmware/main.py; prints its ledger when it changes and its heap when the peak rises.

A collection after every 2 KB keeps garbage out of the figure: what is left is what the node needs.
"""

import asyncio
import gc

from boards.unix import Board
from cityneuron import app


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
    node = app.build(Board(), print)
    gc.threshold(2048)
    await asyncio.gather(node.run(), watch(node.outbox))


asyncio.run(main())
