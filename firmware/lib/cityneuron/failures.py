"""Starts in a row that failed within a minute, counted on flash: after three only the console is started."""

import json
from binascii import crc32

from micropython import const

from cityneuron.files import make_folders, read_object, remove, replace

_MOST = const(3)


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


def failed_starts(path, slots):
    """Return the FailedStarts of a board."""
    try:
        with open(path("settings.json"), "rb") as file:
            settings = crc32(file.read())
    except OSError:
        settings = 0
    return FailedStarts(path("data/failed"), "%s %s %d" % (slots.running, slots.version, settings))
