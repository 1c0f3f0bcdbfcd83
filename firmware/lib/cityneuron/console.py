"""The console over USB: a line in, lines out, beside a node that works on.

Log lines are plain text on the same stream; `status --json` answers in one line. Ctrl-C reaches the REPL at any
time. The stream comes by argument (on a board `sys.stdin.buffer`), so that a test can type.
"""

import asyncio
import json

from micropython import const

from cityneuron.commands import LATER, is_coroutine
from cityneuron.errors import NodeError

_LONGEST = const(120)
_HELP = """\
status [--json]  how the node is      sample    a reading now
errors           the last errors      settings  without secrets
identify [s]     blink                reboot    start anew
reset yes        forget settings and identity; readings stay
repl             stop the node, leave to the REPL (as Ctrl-C)"""


class LeaveToRepl(Exception):
    """Somebody at the console wants Python."""


class Console:
    """`actions` are those of the commands; what is not in it, this node cannot do now."""

    def __init__(self, actions, errors, write=print):
        self._actions = actions
        self._errors = errors
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
                    await self.answer(bytes(self._line[:length]))
            elif self._length < _LONGEST:
                self._line[self._length] = one[0]
                self._length += 1
            else:
                self._length = _LONGEST + 1

    async def answer(self, line):
        """Do what a line says; every line gets an answer."""
        try:
            words = str(line, "utf-8").split()
        except UnicodeError:
            words = ["?"]
        if not words:
            return
        word, rest = words[0], words[1:]
        if word == "repl":
            raise LeaveToRepl("the node stops; `import main` or a reset starts it")
        if word == "help":
            self._write(_HELP)
        elif word == "errors":
            self._show({"errors": self._errors.last(20)})
        elif word == "reset" and rest != ["yes"]:
            self._write("this forgets settings and identity; if you mean it: reset yes")
        elif word in ("status", "sample", "identify", "settings", "reboot", "reset"):
            await self._do(word, rest)
        else:
            self._write("no such line: %s; try help" % word[:20])

    async def _do(self, word, rest):
        action = self._actions.get(word)
        if action is None:
            self._write("not now: %s" % word)
            return
        arguments = {"seconds": int(rest[0])} if word == "identify" and rest and rest[0].isdigit() else {}
        try:
            result = action(arguments)
            if is_coroutine(result):
                result = await result
        except (NodeError, OSError) as error:
            self._write("%s failed: %s; %s" % (word, error, getattr(error, "remedy", "")))
            return
        if rest == ["--json"]:
            self._write(json.dumps(result))
        elif result is None or result is LATER:
            self._write("%s: done" % word if result is None else "%s: under way" % word)
        else:
            self._show(result)

    def _show(self, result):
        """Write a map a line an entry, lists of maps a line a map."""
        if not isinstance(result, dict):
            self._write(str(result))
            return
        for name, value in result.items():
            if isinstance(value, (list, tuple)):
                self._write("%s: %d" % (name, len(value)))
                for row in value:
                    self._write("  " + (_joined(row) if isinstance(row, dict) else str(row)))
            else:
                self._write("%s: %s" % (name, _joined(value) if isinstance(value, dict) else value))


def _joined(row):
    return "  ".join(
        "%s %s" % (key, _joined(value) if isinstance(value, dict) else value) for key, value in row.items()
    )
