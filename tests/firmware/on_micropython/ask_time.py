"""Asks time servers (arguments: host:port ...; "twice" first: two times); prints it, or why not."""

import asyncio
import sys
import time

from cityneuron.clock import Clock, Servers
from cityneuron.errors import ClockError

BUILT_MS = 1_763_683_200_000


async def main():
    arguments = sys.argv[1:]
    times = 2 if arguments[0] == "twice" else 1
    clock = Clock(time.ticks_ms, time.ticks_diff, BUILT_MS)
    asked = Servers(arguments[times - 1 :], clock, lambda bits: time.ticks_us() & (1 << bits) - 1, BUILT_MS)
    for _ in range(times):
        try:
            print("time", await asked.ask(), "host", time.time_ns() // 1_000_000)
        except ClockError as error:
            print(error.message)


asyncio.run(main())
