"""What went wrong with a node, on flash: its last errors, and its starts that failed."""

import json
from binascii import crc32

from micropython import const

from cityneuron.files import make_folders, read_object, remove, replace

_KEPT = const(20)
_RECORD_BYTES = const(256)
_MOST_TEXT = const(80)
_TOLD = const(5)  # errors in a status
_MOST_FAILED = const(3)


class Errors:
    """The last 20 errors that differ, in a ring file of 256-byte records.

    An error that is in the ring already (numbers aside) is not written again: one that comes every minute
    for years costs no flash.
    """

    def __init__(self, path, now_ms, log=print):
        self._path = path
        self._now_ms = now_ms
        self._log = log
        self._marks = [0] * _KEPT
        self._count = 0
        make_folders(path)
        for number, row in self._rows():
            self._marks[number % _KEPT] = _mark(row["stage"], row["text"])
            self._count = max(self._count, number + 1)

    def note(self, stage, text, remedy=""):
        """Keep what failed, at which stage, and what to do."""
        text = str(text)[:_MOST_TEXT]
        mark = _mark(stage, text)
        if mark in self._marks:
            return
        number, self._count = self._count, self._count + 1
        self._marks[number % _KEPT] = mark
        row = {"n": number, "ms": self._now_ms(), "stage": stage, "text": text, "remedy": remedy[:_MOST_TEXT]}
        raw = json.dumps(row).encode()
        while len(raw) >= _RECORD_BYTES:  # many bytes a character
            longest = "text" if len(row["text"]) > len(row["remedy"]) else "remedy"
            row[longest] = row[longest][: len(row[longest]) // 2]
            raw = json.dumps(row).encode()
        try:
            self._write(number % _KEPT, raw)
        except OSError as error:
            self._log("an error could not be kept: %s" % error)

    def last(self, most=_TOLD):
        """Return the last ones, the newest first, as {"stage", "text", "remedy", "ms"}."""
        rows = sorted(self._rows(), key=lambda row: -row[0])[:most]
        return [{key: row[key] for key in ("stage", "text", "remedy", "ms")} for _, row in rows]

    def _write(self, place, raw):
        try:
            file = open(self._path, "r+b")
        except OSError:
            file = open(self._path, "wb")
        with file:
            end = file.seek(0, 2)
            while end < place * _RECORD_BYTES:  # the file was lost meanwhile
                end += file.write(b" " * (_RECORD_BYTES - 1) + b"\n")
            file.seek(place * _RECORD_BYTES)
            file.write(raw + b" " * (_RECORD_BYTES - 1 - len(raw)) + b"\n")

    def _rows(self):
        """Return (number, row) of all records that make sense."""
        found = []
        try:
            with open(self._path, "rb") as file:
                while True:
                    raw = file.read(_RECORD_BYTES)
                    if not raw:
                        break
                    try:
                        row = json.loads(raw)
                        found.append((row["n"], row))
                    except (ValueError, KeyError, TypeError):
                        pass  # an empty or torn record
        except OSError:
            pass  # none yet
        return found


def _mark(stage, text):
    """Return a number for an error in which digits do not count; never 0."""
    return crc32(bytes(byte for byte in (stage + text).encode() if not 0x30 <= byte <= 0x39)) or 1


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
        return self.count >= _MOST_FAILED

    def add(self, reason):
        self.count, self.reason = self.count + 1, reason
        make_folders(self._path)
        replace(self._path, json.dumps({"count": self.count, "state": self._state, "reason": reason[:200]}))

    def clear(self):
        """A start went well, or somebody wants another try."""
        if self.count:
            self.count = 0
            remove(self._path)


def failed_starts(path, slots):
    """Return the FailedStarts of a board."""
    try:
        with open(path("settings.json"), "rb") as file:
            settings = crc32(file.read())
    except OSError:
        settings = 0
    return FailedStarts(path("data/failed"), "%s %s %d" % (slots.running, slots.version, settings))
