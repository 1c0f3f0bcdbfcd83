"""The console over USB: a line in, lines out, beside a node that works on.

Log lines are plain text on the same stream; `status --json` answers in one line. Ctrl-C reaches the REPL at any
time. The stream comes by argument (on a board `sys.stdin.buffer`), so that a test can type.
"""

import asyncio

from micropython import const

from cityneuron.seldom import borrow

_LONGEST = const(120)


class LeaveToRepl(Exception):
    """Somebody at the console wants Python."""


class Lines:
    """Takes lines, and lets each be answered (answers.py says how)."""

    def __init__(self, actions, errors, write=print):
        self._given = (actions, errors, write)
        self._write = write
        self._line = bytearray(_LONGEST)
        self._length = 0

    async def run(self, stream):
        """Answer lines until the stream ends (a node without USB); raises LeaveToRepl."""
        reader = asyncio.StreamReader(stream)
        one = bytearray(1)
        while True:
            got = await reader.readinto(one)
            if got == 0:
                return
            if got is None:
                continue
            if one[0] in (10, 13):
                length, self._length = self._length, 0
                if length > _LONGEST:
                    self._write("that line is too long")
                elif length:
                    await borrow("answers").Answers(*self._given).answer(bytes(self._line[:length]))
            elif self._length < _LONGEST:
                self._line[self._length] = one[0]
                self._length += 1
            else:
                self._length = _LONGEST + 1
