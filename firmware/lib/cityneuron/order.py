"""A command is read, judged, marked on flash, done and answered. Borrowed by Commands when one comes."""

import asyncio
import os
from binascii import crc32
from struct import pack as to_bytes
from struct import unpack

from micropython import const

from cityneuron import pack
from cityneuron.clock import SYNCED
from cityneuron.commands import ACCEPTED, DONE, EXPIRED, FAILED, KEPT, LATER, REFUSED, Refused, is_coroutine
from cityneuron.errors import NodeError, PackError
from cityneuron.files import make_folders, replace
from cityneuron.replies import MOST_BYTES, explained, write_reply
from cityneuron.seldom import borrow

_HEAD_BYTES = const(8)
_MOST_TEXT = const(64)
_LARGEST = const(1 << 53)


def read_command(payload):
    """Return (id, name, arguments, expires_ms), or raise PackError."""
    body = pack.decode(payload)
    if type(body) is not list or not body or type(body[0]) is not int or body[0] != pack.VERSION:
        raise PackError("not a command of version %d" % pack.VERSION, "update the node")
    if len(body) != 5:
        raise PackError("a command has 5 elements, not %d" % len(body))
    _, ident, name, arguments, expires_ms = body
    if not _is_id(ident) or not _is_id(expires_ms):
        raise PackError("id or end of the command is no number of 53 bits")
    if type(name) is not str or not 1 <= len(name) <= _MOST_TEXT:
        raise PackError("the command's name is no text of 1 to %d characters" % _MOST_TEXT)
    if type(arguments) is not dict:
        raise PackError("the arguments are no map")
    return ident, name, arguments, expires_ms


def _is_id(value):
    return type(value) is int and 1 <= value <= _LARGEST


def load(commands):
    """Read what is on flash, and say what became of commands that a restart cut off."""
    make_folders(commands.folder + "/0")
    for place in range(KEPT):
        number, reply = _read(commands, place)
        if reply is None:
            continue
        _, ident, status, detail = pack.decode(reply)
        commands.ids[place], commands.numbers[place] = ident, number
        if status == ACCEPTED:
            commands.begun[place] = detail["name"]
    for place, name in list(commands.begun.items()):
        if name == "reboot":
            finish(commands, place, DONE, None)
        elif name != "update":  # an update's last word is the updater's
            error = NodeError("the node restarted while it did this", "see whether it was done; ask anew")
            finish(commands, place, FAILED, explained(error))


def take(commands, payload):
    """Return the reply to publish; None when it comes later, or this is no command."""
    try:
        ident, name, arguments, expires_ms = read_command(payload)
    except PackError as error:
        commands.bad_messages += 1
        commands.log("bad command: %s" % error)
        return None
    if ident in commands.ids:
        place = commands.ids.index(ident)
        if place in commands.unsaid:
            commands.unsaid.remove(place)
        return said(commands, place)
    if commands.clock.state == SYNCED and commands.clock.now_ms() > expires_ms:
        return _reply(commands, ident, EXPIRED, None)
    fault = _why_not(commands, name, arguments)
    if fault:
        return _reply(commands, ident, REFUSED, explained(fault))
    return _do(commands, ident, name, arguments)


def said(commands, place):
    """Return the reply that a place keeps, or None."""
    return _read(commands, place)[1]


def finish(commands, place, status, detail):
    """Give the last word on the command in a place."""
    _close(commands, place, status, detail)
    commands.unsaid.append(place)
    commands.changed()


def _why_not(commands, name, arguments):
    if name not in commands.actions:
        return Refused("this node cannot do %s" % name, "it has no part for it, or is to be updated")
    fault = borrow("arguments").fault(name, arguments)
    return Refused(fault) if fault else None


def _do(commands, ident, name, arguments):
    place = _oldest(commands)
    commands.ids[place] = ident
    commands.numbers[place] = max(commands.numbers) + 1
    begun = _keep(commands, place, ACCEPTED, {"name": name})
    if begun is None:
        error = NodeError("the flash takes no command", "look at its room")
        return _reply(commands, ident, FAILED, explained(error))
    commands.begun[place] = name
    try:
        result = commands.actions[name](arguments)
    except Exception as error:  # a fault of the action must not silence the command
        return _close(commands, place, REFUSED if isinstance(error, Refused) else FAILED, explained(error))
    if result is LATER:
        return begun
    if is_coroutine(result):
        commands.tasks[place] = asyncio.create_task(_await(commands, place, result))
        return None
    return _close(commands, place, DONE, result)


def _oldest(commands):
    """Return the place to use next; what is not finished keeps its own as long as there is another."""
    free = [place for place in range(KEPT) if place not in commands.begun] or list(range(KEPT))
    return min(free, key=lambda place: commands.numbers[place])


async def _await(commands, place, coroutine):
    try:
        status, detail = DONE, await coroutine
    except Exception as error:
        status, detail = REFUSED if isinstance(error, Refused) else FAILED, explained(error)
    finish(commands, place, status, detail)


def _close(commands, place, status, detail):
    """Keep the last word and return it as bytes; on a flash that is full it is said but not kept."""
    commands.begun.pop(place, None)
    commands.tasks.pop(place, None)
    reply = _keep(commands, place, status, detail)
    return _reply(commands, commands.ids[place], status, detail) if reply is None else reply


def _reply(commands, ident, status, detail):
    writer = pack.Writer(MOST_BYTES)
    try:
        write_reply(writer, ident, status, detail)
    except PackError as error:
        commands.log("reply to command %d: %s" % (ident, error))
        too_long = explained(NodeError("the answer does not fit a reply", "read it at the console"))
        write_reply(writer, ident, FAILED, too_long)
    return bytes(writer.payload())


def _keep(commands, place, status, detail):
    reply = _reply(commands, commands.ids[place], status, detail)
    try:
        replace(_file(commands, place), to_bytes(">II", commands.numbers[place], crc32(reply)) + reply)
    except OSError as error:
        commands.log("command %d is not on flash: %s" % (commands.ids[place], error))
        return None
    return reply


def _file(commands, place):
    return "%s/%d" % (commands.folder, place)


def _read(commands, place):
    """Return (number, reply) of a place; (0, None) when it is empty or damaged."""
    try:
        size = os.stat(_file(commands, place))[6]
        with open(_file(commands, place), "rb") as file:
            raw = file.read(min(size, _HEAD_BYTES + MOST_BYTES))  # no room for the largest, it is seldom there
    except OSError:
        return 0, None
    if len(raw) > _HEAD_BYTES:
        number, check = unpack(">II", raw[:_HEAD_BYTES])
        if check == crc32(raw[_HEAD_BYTES:]):
            return number, raw[_HEAD_BYTES:]
    commands.log("command in place %d is damaged: forgotten" % place)
    return 0, None
