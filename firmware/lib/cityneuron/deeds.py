"""What is done to a node by command or at the console, each a function of (operations, arguments).

Borrowed for each deed, so that the room is free again.
"""

import asyncio

from micropython import const

from cityneuron.commands import LATER
from cityneuron.seldom import borrow

_IDENTIFY_S = const(30)
_SHORTER = (
    lambda status: [error.pop("ms", None) for error in status.get("errors", ())],
    lambda status: status.update(errors=status.get("errors", ())[:1]),
    lambda status: [sensor.pop("values", None) for sensor in status.get("sensors", ())],
    lambda status: [error.pop("remedy", None) for error in status.get("errors", ())],
    lambda status: status.update(sensors=[row for row in status.get("sensors", ()) if not row.get("ok")][:4]),
    lambda status: status.update(errors=[], sensors=[]),
)


def status(operations, arguments):
    return shortened(operations.actions["status"](arguments), borrow("replies").fits)


def settings(operations, arguments):
    shown = operations.actions["settings"](arguments)
    return shortened_settings(shown, borrow("replies").fits)


def identify(operations, arguments):
    """Blink, so that it is found among others."""
    tasks = operations.tasks
    if "identify" in tasks:
        tasks["identify"].cancel()
    blinking = operations.blink(arguments.get("seconds") or _IDENTIFY_S)
    tasks["identify"] = asyncio.create_task(blinking)
    operations.log("here I am")


def reboot(operations, _):
    operations.restart("as asked")
    return LATER


def reset(operations, arguments):
    """Forget settings and identity."""
    return borrow("turns").reset(operations, arguments)


def shortened(status, fits):
    """Return a status that `fits(status)`: what a reader misses least is left out first."""
    status = dict(status)
    for name in ("errors", "sensors"):
        status[name] = [dict(row) for row in status.get(name, ())]
    for shorter in _SHORTER:
        if fits(status):
            break
        shorter(status)
    return status


def shortened_settings(shown, fits):
    """Return settings that fit: of the sensors the drivers only, if need be."""
    if not fits(shown):
        shown["sensors"] = [row.get("driver") for row in shown.get("sensors", ())]
    return shown
