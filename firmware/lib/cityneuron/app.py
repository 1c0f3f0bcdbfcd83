"""From a board and its settings to a running node: the one place where the parts are chosen."""

import asyncio

from cityneuron import settings
from cityneuron.clock import Clock
from cityneuron.node import Node
from cityneuron.sampler import Sampler
from drivers.instrument import instruments

BUILD_TIME_MS = 1_763_683_200_000  # no reading is older than the firmware: 2025-11-21


def build(board, log):
    """Return the Node of a board. Counts the start. Raises SettingsError."""
    chosen = settings.load(board.path("settings.json"))
    boot = settings.next_boot(board.path("boot"), log)
    floor_ms = max(BUILD_TIME_MS, settings.read_number(board.path("time")))
    clock = Clock(board.ticks_ms, board.ticks_diff, floor_ms)
    board.configure(chosen)
    sampler = Sampler(instruments(board, chosen.sensors))
    log("%s, boot %d, %s, %d columns" % (chosen.node, boot, board.NAME, len(sampler.columns)))
    return Node(chosen, boot, board, clock, sampler, log)


def run(board, log=print):
    """Build the node and work until it fails."""
    asyncio.run(build(board, log).run())
