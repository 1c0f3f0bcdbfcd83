"""What flash holds of commands: read at the start, and when a reply is said again. Borrowed for it."""

import os
from binascii import crc32
from struct import unpack

from micropython import const

from cityneuron import pack
from cityneuron.commands import ACCEPTED, DONE, FAILED, KEPT
from cityneuron.errors import NodeError
from cityneuron.files import make_folders
from cityneuron.seldom import borrow

_HEAD_BYTES = const(8)
_MOST_BYTES = const(960)


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
            borrow("replies").finish(commands, place, DONE, None)
        elif name != "update":  # an update's last word is the updater's
            error = NodeError("the node restarted while it did this", "see whether it was done; ask anew")
            borrow("replies").finish(commands, place, FAILED, borrow("replies").explained(error))


def said(commands, place):
    """Return the reply that a place keeps, or None."""
    return _read(commands, place)[1]


def _read(commands, place):
    """Return (number, reply) of a place; (0, None) when it is empty or damaged."""
    try:
        size = os.stat(commands.path(place))[6]
        with open(commands.path(place), "rb") as file:
            raw = file.read(min(size, _HEAD_BYTES + _MOST_BYTES))  # no room for the largest, it is seldom there
    except OSError:
        return 0, None
    if len(raw) > _HEAD_BYTES:
        number, check = unpack(">II", raw[:_HEAD_BYTES])
        if check == crc32(raw[_HEAD_BYTES:]):
            return number, raw[_HEAD_BYTES:]
    commands.log("command in place %d is damaged: forgotten" % place)
    return 0, None
