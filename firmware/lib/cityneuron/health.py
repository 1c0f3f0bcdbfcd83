"""What went wrong with a node: its last errors, on flash. How they stand there, faults.py knows."""

from binascii import crc32

from micropython import const

from cityneuron.seldom import borrow

_KEPT = const(20)
_MOST_TEXT = const(80)
_TOLD = const(5)  # errors in a status


class Errors:
    """The last 20 errors that differ.

    An error that is kept already (numbers aside) is not written again: one that comes every minute for years
    costs no flash.
    """

    def __init__(self, path, now_ms, log=print):
        self._path = path
        self._now_ms = now_ms
        self._log = log
        self._marks = [0] * _KEPT
        self._count = 0
        for number, row in borrow("faults").rows(path, _KEPT):
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
        try:
            borrow("faults").write(self._path, number % _KEPT, row)
        except OSError as error:
            self._log("an error could not be kept: %s" % error)

    def last(self, most=_TOLD):
        """Return the last ones, the newest first, as {"stage", "text", "remedy", "ms"}."""
        return borrow("faults").last(self._path, self._count, min(most, _KEPT), _KEPT)


def _mark(stage, text):
    """Return a number for an error in which digits do not count; never 0."""
    return crc32(bytes(byte for byte in (stage + text).encode() if not 0x30 <= byte <= 0x39)) or 1
