"""What people do to a running node, from afar and over USB: commands, updates, the console, the factory reset.

One object joins them to a node; the node itself knows nothing of slots and consoles. What is done stands in
deeds.py and turns.py, which are in memory only meanwhile.
"""

import asyncio
import sys

from micropython import const

from cityneuron.commands import FAILED, LATER, Commands
from cityneuron.console import LeaveToRepl, Lines
from cityneuron.errors import Restart
from cityneuron.files import exists
from cityneuron.health import Errors
from cityneuron.seldom import borrow

_GRACE_MS = const(3_000)  # for a reply to go out before the restart
_BLINK_MS = const(250)
_PROVED_MS = const(60_000)


class Operations:
    """Give it a Node before that runs; then run() works beside the node's own work.

    It sets the node's `commands`, `errors`, `slot`, `trial` and `on_proof`. By command it offers what is in the
    node's `actions`, and besides: identify, reboot, update, reset.
    """

    def __init__(self, board, node, log=print, stdin=None, grace_ms=_GRACE_MS):
        self.board, self.node, self.log, self.grace_ms = board, node, log, grace_ms
        self.tasks = {}  # by the name of the deed
        self._stdin = stdin
        self._ending, self._end = asyncio.Event(), None
        node.errors = Errors(board.path("data/errors"), node.clock.now_ms, log)
        node.on_proof = self._prove
        borrow("turns").tell_slot(self)
        self.actions = dict(node.actions)
        for name in ("identify", "reboot", "reset"):
            self.actions[name] = self._deed(name)
        remote = dict(self.actions)
        remote["update"] = self._update
        for name in ("status", "settings"):
            remote[name] = self._deed(name)
        node.commands = Commands(remote, node.clock, board.path("data/commands"), log)
        node.commands.changed = node.conversation.wake

    def end(self, why):
        """Let run() raise this, once replies are out and readings on flash."""
        self._end = why
        self._ending.set()

    def restart(self, why):
        self.end(Restart(why))

    async def blink(self, seconds):
        """Let the board's light blink: here, since deeds.py is not to stay in memory for it."""
        led = self.board.led
        try:
            for number in range(seconds * 1000 // _BLINK_MS):
                led(number % 2 == 0)
                await asyncio.sleep_ms(_BLINK_MS)
        finally:
            led(False)

    async def run(self):
        """Work beside the node; ends by raising Restart or LeaveToRepl."""
        tasks = [asyncio.create_task(one) for one in (self._answer(), self._stand_a_minute())]
        try:
            self._resume_update()
            await self._ending.wait()
            await asyncio.sleep_ms(self.grace_ms)
            await self.node.stop()
        finally:
            for task in tasks:
                task.cancel()
        raise self._end

    def _update(self, arguments):
        """The next start fetches it: here there may be no room for the code that does."""
        borrow("turns").order(self.board.path, arguments)
        self.restart("to fetch an update")
        return LATER

    def _deed(self, name):
        return lambda arguments: getattr(borrow("deeds"), name)(self, arguments)

    async def _answer(self):
        stream = self._stdin or getattr(sys.stdin, "buffer", sys.stdin)
        try:
            await Lines(self.actions, self.node.errors, self.log).run(stream)
        except LeaveToRepl as error:
            self.end(error)

    async def _stand_a_minute(self):
        await asyncio.sleep_ms(_PROVED_MS)
        self.node.went_well()

    def _prove(self):
        """A reading of this start is on the gateway's disk: what is on trial stays, and a birth says so."""
        self.node.went_well()
        if self.node.trial:
            borrow("turns").end_trial(self)

    def _resume_update(self):
        """Say how the update ended that came before this start, if one did."""
        if exists(self.board.path("data/update.json")):
            borrow("turns").resume_update(self)
        else:
            unbegun = {"error": "the node restarted before it was begun"}
            self.node.commands.finish("update", FAILED, unbegun)
