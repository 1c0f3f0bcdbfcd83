"""From a board and its settings to a running node: the one place where the parts are chosen."""

import asyncio

from cityneuron import settings
from cityneuron.clock import Clock
from cityneuron.errors import SettingsError
from cityneuron.node import Node
from cityneuron.sampler import Sampler, Sensor

BUILD_TIME_MS = 1_763_683_200_000  # no reading is older than the firmware: 2025-11-21


def build(board, log):
    """Return the Node of a board. Counts the start. Raises SettingsError."""
    chosen = settings.load(board.path("settings.json"))
    boot = settings.next_boot(board.path("boot"), log)
    floor_ms = max(BUILD_TIME_MS, settings.read_number(board.path("time")))
    clock = Clock(board.ticks_ms, board.ticks_diff, floor_ms)
    board.configure(chosen)
    sampler = Sampler([_sensor(board, entry) for entry in chosen.sensors])
    log("%s, boot %d, %s, %d columns" % (chosen.node, boot, board.NAME, len(sampler.columns)))
    return Node(chosen, boot, board, clock, sampler, log)


def _sensor(board, entry):
    try:
        name, bus = entry["driver"], entry["bus"]
    except (KeyError, TypeError):
        raise SettingsError("a sensor lacks driver or bus", "see firmware/settings.sample.json")
    try:
        driver = getattr(__import__("drivers." + name), name)
    except ImportError:
        raise SettingsError("no driver %r" % name, "see firmware/drivers")
    return Sensor(driver, board.bus(bus), entry.get("datum_mm"))


def run(board, log=print):
    """Build the node and work until it fails."""
    asyncio.run(build(board, log).run())
