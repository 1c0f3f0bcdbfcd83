"""Runs the operations of a node that samples every 5 ms; stdin is its console."""

import asyncio

from boards.unix import Board
from cityneuron.clock import Clock
from cityneuron.console import LeaveToRepl
from cityneuron.errors import Restart
from cityneuron.operations import Operations


class Node:
    """What operations use of a node."""

    def __init__(self, clock):
        self.clock = clock
        self.samples, self.stopped = 0, False
        self.conversation = self
        self.actions = {
            "sample": self.sample_now,
            "status": self.status,
            "settings": lambda _: {
                "wifi_ssid": "city-iot",
                "sensors": [{"driver": "jsn_sr04t", "bus": "uart1"}],
            },
        }

    async def sample_now(self, _):
        await asyncio.sleep_ms(1)
        self.samples += 1
        return {"seq": self.samples}

    def status(self, _):
        row = {"name": "jsn_sr04t", "ok": True, "error": "", "values": {"level_m": "3.120"}}
        errors = self.errors.last()
        return {
            "node": "stage-0001",
            "slot": self.slot,
            "trial": self.trial,
            "errors": errors,
            "sensors": [row],
        }

    def wake(self):
        print("a reply waits")

    async def stop(self):
        self.stopped = True

    async def run(self):
        while True:
            self.samples += 1
            await asyncio.sleep_ms(5)


async def main():
    board = Board()
    board.led = lambda on: print("led", int(on))
    board.partition = lambda: None
    node = Node(Clock(board.ticks_ms, board.ticks_diff, 1_790_000_000_000))
    operations = Operations(board, node, grace_ms=10)
    node.errors.note("broker", "cannot reach gateway.local:8883", "check network")
    task = asyncio.create_task(node.run())
    print("ready")
    try:
        await operations.run()
    except Restart as why:
        print("restart", why)
    except LeaveToRepl:
        print("repl")
    print("stopped", node.stopped, "samples", node.samples)
    task.cancel()


asyncio.run(main())
