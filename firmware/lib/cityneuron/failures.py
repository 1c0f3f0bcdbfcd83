"""Starts in a row that failed within a minute, counted on flash: after three only the console is started.

A start that could not say why (watchdog, crash, reset) is told by main.py, which keeps `begun` until one ends
well.
"""

import json
from binascii import crc32

from micropython import const

import cityneuron
from cityneuron.clock import Clock
from cityneuron.files import make_folders, read_object, remove, replace
from cityneuron.health import Errors
from cityneuron.seldom import borrow

_MOST = const(3)
_PROVED_MS = const(60_000)
_WORDLESS = const("the start before ended without a word: watchdog, crash or reset")
_REMEDY = const("look at its supply and its newest sensor; else provision it again")


class FailedStarts:
    """Counts starts in a row that failed within a minute, and why; after three only the console is started.

    `state` says what runs (slot, version, settings): when it has changed, the count begins anew. Power cuts are
    no failures: mains that flicker must not silence a street.
    """

    def __init__(self, path, state):
        self._path = path
        self._state = state
        kept = read_object(path)
        self.count = kept.get("count", 0) if kept.get("state") == state else 0
        self.reason = kept.get("reason", "") if self.count else ""

    @property
    def too_many(self):
        return self.count >= _MOST

    def add(self, reason):
        self.count, self.reason = self.count + 1, reason
        make_folders(self._path)
        replace(self._path, json.dumps({"count": self.count, "state": self._state, "reason": reason[:200]}))

    def clear(self):
        """A start went well, or somebody wants another try."""
        if self.count:
            self.count = 0
            remove(self._path)


def failed_starts(board, log):
    """Return the FailedStarts of a board; the start before counts if it ended without a word."""
    failed = _of(board.path)
    if _starts(board.path) > 1:
        log(_WORDLESS)
        try:
            failed.add(_WORDLESS)
            replace(board.path("begun"), "1")
            _tell(board, _WORDLESS, _REMEDY, log)
        except OSError as error:
            log("the flash takes no note of it: %s" % error)
    return failed


def note(board, began, reason, remedy, log):
    """Note a failure; a flash that cannot even take that must not keep the node from starting again."""
    try:
        _tell(board, reason, remedy, log)
        if board.ticks_diff(board.ticks_ms(), began) < _PROVED_MS:
            _of(board.path).add(reason)
    except OSError as error:
        log("the flash takes no note of it: %s" % error)


def _of(path):
    slots = borrow("slots").Slots(path, cityneuron.FIRMWARE)
    try:
        with open(path("settings.json"), "rb") as file:
            settings = crc32(file.read())
    except OSError:
        settings = 0
    return FailedStarts(path("data/failed"), "%s %s %d" % (slots.running, slots.version, settings))


def _starts(path):
    try:
        with open(path("begun")) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _tell(board, reason, remedy, log):
    now_ms = Clock(board.ticks_ms, board.ticks_diff, 0).now_ms
    Errors(board.path("data/errors"), now_ms, log).note("start", reason, remedy)
