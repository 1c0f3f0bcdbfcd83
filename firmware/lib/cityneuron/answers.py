"""What the console answers to a line. Borrowed for each."""

import json

from micropython import const

from cityneuron.commands import LATER, is_coroutine
from cityneuron.console import LeaveToRepl
from cityneuron.errors import NodeError

_HELP = const("""\
status [--json]  how the node is      sample    a reading now
errors           the last errors      settings  without secrets
identify [s]     blink                reboot    start anew
reset yes        forget settings and identity; readings stay
repl             stop the node, leave to the REPL (as Ctrl-C)""")


class Answers:
    """`actions` are those of the commands; what is not in it, this node cannot do now."""

    def __init__(self, actions, errors, write):
        self._actions = actions
        self._errors = errors
        self._write = write

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
            raise LeaveToRepl("the node stops; a reset starts it, or its watchdog after two minutes")
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
