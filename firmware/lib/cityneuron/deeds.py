"""What is done to a node by command or at the console, each a function of (operations, arguments).

Borrowed for each deed, so that the room is free again.
"""

import asyncio

from micropython import const

from cityneuron.commands import DONE, LATER, fits
from cityneuron.errors import NodeError
from cityneuron.files import remove
from cityneuron.seldom import borrow
from cityneuron.slots import Restart

_BLINK_MS = const(250)
_IDENTIFY_S = const(30)
_FORGOTTEN = ("node.key", "node.crt", "ca.crt", "settings.json", "data/changed.json")


def status(operations, arguments):
    return borrow("brief").shortened(operations.actions["status"](arguments), fits)


def settings(operations, arguments):
    return borrow("brief").shortened_settings(operations.actions["settings"](arguments), fits)


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


def reset(operations, _):
    """Forget settings and identity, after the reply went out as this node's; readings stay."""
    operations.tasks["reset"] = asyncio.create_task(_reset(operations))


async def _reset(operations):
    await asyncio.sleep_ms(operations.grace_ms)
    forget(operations.board.path)
    operations.restart("settings and identity are forgotten")


def resume_update(operations):
    """Say how the update ended that came before this start, if one did."""
    updater = _updater(operations)
    try:
        word = updater.outcome()
    except Restart as why:
        operations.end(why)
        return
    if word is not None:
        _tell(operations, updater, word)


def end_trial(operations):
    """What is on trial has proved itself: it stays, and a birth says so."""
    node = operations.node
    try:
        updater = _updater(operations)
        _tell(operations, updater, updater.confirm())
    except OSError as error:
        node.note("flash", NodeError("the trial cannot be ended: %s" % error, "look at the flash's room"))
        return
    node.trial = False
    node.conversation.announce()


def _tell(operations, updater, word):
    outcome, detail = word
    if outcome != DONE:
        operations.node.errors.note("update", detail["error"], detail.get("remedy", ""))
    operations.node.commands.finish("update", outcome, detail)
    updater.finish()


def _updater(operations):
    image = image_of(operations.board)
    return borrow("updater").Updater(operations.slots, operations.board.path, image, operations.log)


def image_of(board):
    """Return the board's other firmware partition; None where there is none."""
    partition = board.partition()
    if partition is None:
        return None
    try:
        return borrow("image").Image(partition)
    except OSError:
        return None


def forget(path):
    """The factory reset: settings and identity go, the key first; the readings stay."""
    for name in _FORGOTTEN:
        remove(path(name))


async def _blink(led, seconds):
    try:
        for _ in range(seconds * 1000 // (2 * _BLINK_MS)):
            led(True)
            await asyncio.sleep_ms(_BLINK_MS)
            led(False)
            await asyncio.sleep_ms(_BLINK_MS)
    finally:
        led(False)
