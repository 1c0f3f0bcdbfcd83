"""Commands from afar: each is done once, and what became of it can be said again, also after a restart.

    cmd [1, id, name, {argument: value}, expires_ms]  ->  take()  ->  reply [1, id, status, detail]

It is the twin of edge/protocol/command.py; tests/vectors/commands.json pins both. That a command is begun is
written to flash before it is done: after a power cut it counts as begun, and is not done a second time.
"""

import asyncio
import os
from binascii import crc32
from struct import pack as to_bytes
from struct import unpack

from micropython import const

from cityneuron import pack
from cityneuron.clock import SYNCED
from cityneuron.errors import NodeError, PackError
from cityneuron.files import make_folders, replace
from cityneuron.seldom import borrow

DONE, ACCEPTED, REFUSED, EXPIRED, FAILED = const(0), const(1), const(2), const(3), const(4)
MOST_BYTES = const(960)
_KEPT = const(16)
_HEAD_BYTES = const(8)
_MOST_TEXT = const(64)
_LARGEST = 1 << 53
LATER = object()  # what an action returns whose last word comes later, by finish()


class Refused(NodeError):
    """A command that makes no sense to this node, or not now."""


def is_coroutine(result):
    return hasattr(result, "send")


def explained(error):
    """Return an error as the detail of a reply."""
    detail = {"error": str(getattr(error, "message", "") or error or type(error).__name__)[:200]}
    if getattr(error, "remedy", ""):
        detail["remedy"] = error.remedy[:200]
    return detail


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


def write_reply(writer, ident, status, detail):
    """Write `[1, id, status, detail]`, with the keys of maps in CBOR's canonical order."""
    writer.clear()
    writer.array(4)
    writer.integer(pack.VERSION)
    writer.integer(ident)
    writer.integer(status)
    _write(writer, detail)


def _write(writer, value):
    if value is None:
        writer.null()
    elif isinstance(value, (bool, int)):
        writer.integer(int(value))
    elif isinstance(value, str):
        writer.text(value)
    elif isinstance(value, (list, tuple)):
        writer.array(len(value))
        for item in value:
            _write(writer, item)
    elif isinstance(value, dict):
        writer.map(len(value))
        for key in sorted(value, key=_canonical):
            writer.text(key)
            _write(writer, value[key])
    else:
        raise PackError("a reply cannot say a %s" % type(value).__name__)


def _canonical(key):
    raw = key.encode()
    return len(raw), raw


def fits(detail):
    """Whether a reply can say this."""
    try:
        write_reply(pack.Writer(MOST_BYTES), _LARGEST, DONE, detail)
    except PackError:
        return False
    return True


def _is_id(value):
    return type(value) is int and 1 <= value <= _LARGEST


class Commands:
    """Takes commands, calls `actions[name](arguments)`, and keeps the last 16 replies in a folder on flash.

    An action returns the reply's detail, a coroutine that will, or LATER; it raises Refused or NodeError.
    """

    def __init__(self, actions, clock, folder, log=print):
        self._actions = actions
        self._clock = clock
        self._folder = folder
        self._log = log
        self._writer = pack.Writer(MOST_BYTES)
        self._ids = [0] * _KEPT
        self._numbers = [0] * _KEPT  # counted over all commands: where the oldest is overwritten next
        self._begun = {}  # place -> name, of those without a last word
        self._tasks = {}
        self._unsaid = []
        self.bad_messages = 0
        self.changed = lambda: None  # called when next_reply() has something
        make_folders(folder + "/0")
        for place in range(_KEPT):
            self._load(place)
        self._resume()

    def take(self, payload):
        """Return the reply to publish; None when it comes later by next_reply(), or this is no command."""
        try:
            ident, name, arguments, expires_ms = read_command(payload)
        except PackError as error:
            self.bad_messages += 1
            self._log("bad command: %s" % error)
            return None
        if ident in self._ids:
            place = self._ids.index(ident)
            if place in self._unsaid:
                self._unsaid.remove(place)
            return self._read(place)[1]
        if self._clock.state == SYNCED and self._clock.now_ms() > expires_ms:
            return self._reply(ident, EXPIRED, None)
        fault = self._why_not(name, arguments)
        if fault:
            return self._reply(ident, REFUSED, explained(fault))
        return self._do(ident, name, arguments)

    def next_reply(self):
        """Return a reply that has become due since the command was taken, or None."""
        while self._unsaid:
            reply = self._read(self._unsaid.pop(0))[1]
            if reply:
                return reply
        return None

    def finish(self, name, status, detail=None):
        """Give the last word on commands of this name whose action returned LATER."""
        for place in [place for place in self._begun if self._begun[place] == name]:
            self._finish(place, status, detail)

    def _why_not(self, name, arguments):
        if name not in self._actions:
            return Refused("this node cannot do %s" % name, "it has no part for it, or is to be updated")
        fault = borrow("arguments").fault(name, arguments)
        return Refused(fault) if fault else None

    def _do(self, ident, name, arguments):
        place = self._oldest()
        self._ids[place] = ident
        self._numbers[place] = max(self._numbers) + 1
        begun = self._keep(place, ACCEPTED, {"name": name})
        if begun is None:
            error = NodeError("the flash takes no command", "look at its room")
            return self._reply(ident, FAILED, explained(error))
        self._begun[place] = name
        try:
            result = self._actions[name](arguments)
        except Exception as error:  # a fault of the action must not silence the command
            return self._close(place, REFUSED if isinstance(error, Refused) else FAILED, explained(error))
        if result is LATER:
            return begun
        if is_coroutine(result):
            self._tasks[place] = asyncio.create_task(self._await(place, result))
            return None
        return self._close(place, DONE, result)

    def _oldest(self):
        """Return the place to use next; what is not finished keeps its own as long as there is another."""
        free = [place for place in range(_KEPT) if place not in self._begun] or list(range(_KEPT))
        return min(free, key=lambda place: self._numbers[place])

    async def _await(self, place, coroutine):
        try:
            status, detail = DONE, await coroutine
        except Exception as error:
            status, detail = REFUSED if isinstance(error, Refused) else FAILED, explained(error)
        self._finish(place, status, detail)

    def _finish(self, place, status, detail):
        self._close(place, status, detail)
        self._unsaid.append(place)
        self.changed()

    def _close(self, place, status, detail):
        """Keep the last word and return it as bytes; on a flash that is full it is said but not kept."""
        self._begun.pop(place, None)
        self._tasks.pop(place, None)
        reply = self._keep(place, status, detail)
        return self._reply(self._ids[place], status, detail) if reply is None else reply

    def _reply(self, ident, status, detail):
        try:
            write_reply(self._writer, ident, status, detail)
        except PackError as error:
            self._log("reply to command %d: %s" % (ident, error))
            too_long = explained(NodeError("the answer does not fit a reply", "read it at the console"))
            write_reply(self._writer, ident, FAILED, too_long)
        return bytes(self._writer.payload())

    def _keep(self, place, status, detail):
        reply = self._reply(self._ids[place], status, detail)
        try:
            replace(self._file(place), to_bytes(">II", self._numbers[place], crc32(reply)) + reply)
        except OSError as error:
            self._log("command %d is not on flash: %s" % (self._ids[place], error))
            return None
        return reply

    def _file(self, place):
        return "%s/%d" % (self._folder, place)

    def _read(self, place):
        """Return (number, reply) of a place; (0, None) when it is empty or damaged."""
        try:
            size = os.stat(self._file(place))[6]
            with open(self._file(place), "rb") as file:
                raw = file.read(
                    min(size, _HEAD_BYTES + MOST_BYTES)
                )  # no room for the largest, it is seldom there
        except OSError:
            return 0, None
        if len(raw) > _HEAD_BYTES:
            number, check = unpack(">II", raw[:_HEAD_BYTES])
            if check == crc32(raw[_HEAD_BYTES:]):
                return number, raw[_HEAD_BYTES:]
        self._log("command in place %d is damaged: forgotten" % place)
        return 0, None

    def _load(self, place):
        number, reply = self._read(place)
        if reply is None:
            return
        _, ident, status, detail = pack.decode(reply)
        self._ids[place], self._numbers[place] = ident, number
        if status == ACCEPTED:
            self._begun[place] = detail["name"]

    def _resume(self):
        """Say what became of commands that a restart cut off; an update's last word is the updater's."""
        for place, name in list(self._begun.items()):
            if name == "reboot":
                self._finish(place, DONE, None)
            elif name != "update":
                error = NodeError("the node restarted while it did this", "see whether it was done; ask anew")
                self._finish(place, FAILED, explained(error))
