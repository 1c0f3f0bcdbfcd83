"""What is done to a node by command or at the console, each a function of (operations, arguments).

Borrowed for each deed, so that the room is free again.
"""

import asyncio

from micropython import const

from cityneuron.commands import LATER
from cityneuron.seldom import borrow

_BLINK_MS = const(250)
_IDENTIFY_S = const(30)


def status(operations, arguments):
    return borrow("brief").shortened(operations.actions["status"](arguments), borrow("replies").fits)


def settings(operations, arguments):
    shown = operations.actions["settings"](arguments)
    return borrow("brief").shortened_settings(shown, borrow("replies").fits)


def identify(operations, arguments):
    """Blink, so that it is found among others."""
    tasks = operations.tasks
    if "identify" in tasks:
        tasks["identify"].cancel()
    blinking = _blink(operations.board.led, arguments.get("seconds") or _IDENTIFY_S)
    tasks["identify"] = asyncio.create_task(blinking)
    operations.log("here I am")


def reboot(operations, _):
    operations.restart("as asked")
    return LATER


def reset(operations, arguments):
    """Forget settings and identity."""
    return borrow("turns").reset(operations, arguments)


async def _blink(led, seconds):
    try:
        for _ in range(seconds * 1000 // (2 * _BLINK_MS)):
            led(True)
            await asyncio.sleep_ms(_BLINK_MS)
            led(False)
            await asyncio.sleep_ms(_BLINK_MS)
    finally:
        led(False)
