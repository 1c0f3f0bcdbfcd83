"""What ends a node's life as it is: an update, the end of a trial, the factory reset. Borrowed for it."""

import asyncio
import json

from micropython import const

import cityneuron
from cityneuron.commands import DONE
from cityneuron.errors import NodeError, Restart
from cityneuron.files import exists, remove, replace
from cityneuron.seldom import borrow

_FORGOTTEN = const(("node.key", "node.crt", "ca.crt", "settings.json", "data/changed.json"))


def order(path, arguments):
    """Let the next start fetch an update into the idle slot. Raises NodeError or OSError."""
    slots = _slots(path)
    if slots.idle is None:
        raise NodeError("this node runs from a folder of sources", "provision it; then it has slots")
    if slots.on_trial or exists(path("data/update.json")):
        raise NodeError("an update is under way or on trial", "wait for its end")
    job = {name: arguments.get(name) for name in ("url", "version", "force")}  # the rest is in the bundle
    job.update(stage="fetch", starts=0)
    replace(path("data/update.json"), json.dumps(job))


def tell_slot(operations):
    """Let the node know which slot it runs from, and whether that is on trial."""
    slots = _slots(operations.board.path)
    operations.node.slot, operations.node.trial = slots.running, slots.on_trial


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
    path, image = operations.board.path, image_of(operations.board)
    return borrow("updater", "replies").Updater(_slots(path), path, image, operations.log)


def _slots(path):
    return borrow("slots").Slots(path, cityneuron.FIRMWARE)


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
