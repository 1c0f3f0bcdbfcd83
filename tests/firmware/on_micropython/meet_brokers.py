"""Opens connection after connection to a broker that misbehaves; arguments: port and how many connections."""

import asyncio
import gc
import sys

from cityneuron import login
from cityneuron.errors import LinkDown
from cityneuron.link import Link


async def meet(port):
    try:
        stream = await login.enter("127.0.0.1", port, login.connect("node", 60), timeout_ms=5_000)
    except LinkDown as error:
        return error.message
    link = Link(stream, lambda _topic, _payload: None, timeout_ms=5_000)
    await link.serve()
    await link.close()
    return link.error.message


async def main():
    port, connections = int(sys.argv[1]), int(sys.argv[2])
    for number in range(connections):
        reason = await meet(port)
        gc.collect()
        if number == 10:
            before = gc.mem_alloc()
        print("met", reason)
    print("grown", gc.mem_alloc() - before)


asyncio.run(main())
