"""What people do to a running node, from afar and over USB: commands, updates, the console, the factory reset.

One object joins them to a node; the node itself knows nothing of slots and consoles.
"""

import asyncio
import sys

from micropython import const

from cityneuron import health
from cityneuron.commands import DONE, FAILED, LATER, Commands, fits
from cityneuron.console import LeaveToRepl, Lines
from cityneuron.errors import NodeError
from cityneuron.files import exists, remove
from cityneuron.seldom import borrow
from cityneuron.slots import Restart

_GRACE_MS = const(3_000)  # for a reply to go out before the restart
_PROVED_MS = const(60_000)
_BLINK_MS = const(250)
_IDENTIFY_S = const(30)
_FORGOTTEN = ("node.key", "node.crt", "ca.crt", "settings.json", "data/changed.json")


class Operations:
    """Give it a Node before that runs; then run() works beside the node's own work.

    It sets the node's `commands`, `errors`, `slot`, `trial` and `on_proof`. By command it offers what is in the
    node's `actions`, and besides: identify, reboot, update, reset.
    """

    def __init__(self, board, node, slots, log=print, stdin=None, grace_ms=_GRACE_MS):
        self._board, self._node, self._slots = board, node, slots
        self._log, self._stdin, self._grace_ms = log, stdin, grace_ms
        self._ending, self._end = asyncio.Event(), None
        self._blinking = self._forgetting = None
        self._failed = health.failed_starts(board.path, slots)
        node.errors = self._errors = health.Errors(board.path("data/errors"), node.clock.now_ms, log)
        node.slot, node.trial, node.on_proof = slots.running, slots.on_trial, self._prove
        self._actions = dict(node.actions, identify=self._identify, reboot=self._reboot, reset=self._reset)
        remote = dict(self._actions, update=self._update, status=self._status, settings=self._settings)
        node.commands = Commands(remote, node.clock, board.path("data/commands"), log)
        node.commands.changed = node.conversation.wake

    def restart(self, why):
        """Start anew, once replies are out and readings on flash."""
        self._end = Restart(why)
        self._ending.set()

    async def run(self):
        """Work beside the node; ends by raising Restart or LeaveToRepl."""
        tasks = [asyncio.create_task(one) for one in (self._answer(), self._stand_a_minute())]
        try:
            self._resume_update()
            await self._ending.wait()
            await asyncio.sleep_ms(self._grace_ms)
            await self._node.stop()
        finally:
            for task in tasks:
                task.cancel()
        raise self._end

    async def _answer(self):
        stream = self._stdin or getattr(sys.stdin, "buffer", sys.stdin)
        try:
            await Lines(self._actions, self._errors, self._log).run(stream)
        except LeaveToRepl as error:
            self._end = error
            self._ending.set()

    async def _stand_a_minute(self):
        await asyncio.sleep_ms(_PROVED_MS)
        self._failed.clear()

    def _prove(self):
        """A reading of this start is on the gateway's disk: what is on trial stays, and a birth says so."""
        if not self._slots.on_trial:
            return
        try:
            updater = self._updater()
            self._tell(updater, updater.confirm())
        except OSError as error:
            full = NodeError("the trial cannot be ended: %s" % error, "look at the flash's room")
            self._node.note("flash", full)
            return
        self._node.trial = False
        self._node.conversation.announce()

    def _updater(self):
        return borrow("updater").Updater(self._slots, self._board.path, image_of(self._board), self._log)

    def _resume_update(self):
        """Say how the update ended that came before this start, if one did."""
        if not exists(self._board.path("data/update.json")):
            self._node.commands.finish("update", FAILED, {"error": "the node restarted before it was begun"})
            return
        updater = self._updater()
        try:
            word = updater.outcome()
        except Restart as why:
            self.restart(why)
            return
        if word is not None:
            self._tell(updater, word)

    def _tell(self, updater, word):
        status, detail = word
        if status != DONE:
            self._errors.note("update", detail["error"], detail.get("remedy", ""))
        self._node.commands.finish("update", status, detail)
        updater.finish()

    def _update(self, arguments):
        self._updater().ask(arguments)
        self.restart("to fetch an update")
        return LATER

    def _status(self, arguments):
        return borrow("brief").shortened(self._actions["status"](arguments), fits)

    def _settings(self, arguments):
        return borrow("brief").shortened_settings(self._actions["settings"](arguments), fits)

    def _reboot(self, _):
        self.restart("as asked")
        return LATER

    def _reset(self, _):
        """Forget settings and identity, after the reply went out as this node's; readings stay."""
        self._forgetting = asyncio.create_task(self._forget())

    async def _forget(self):
        await asyncio.sleep_ms(self._grace_ms)
        forget(self._board.path)
        self.restart("settings and identity are forgotten")

    def _identify(self, arguments):
        if self._blinking is not None:
            self._blinking.cancel()
        self._blinking = asyncio.create_task(_blink(self._board.led, arguments.get("seconds") or _IDENTIFY_S))
        self._log("here I am")


async def _blink(led, seconds):
    try:
        for _ in range(seconds * 1000 // (2 * _BLINK_MS)):
            led(True)
            await asyncio.sleep_ms(_BLINK_MS)
            led(False)
            await asyncio.sleep_ms(_BLINK_MS)
    finally:
        led(False)


def image_of(board):
    """Return the board's other firmware partition; None where there is none."""
    partition = board.partition()
    if partition is None:
        return None
    try:
        return borrow("image").Image(partition)
    except OSError:
        return None


def forget(path):
    """The factory reset: settings and identity go, the key first; the readings stay."""
    for name in _FORGOTTEN:
        remove(path(name))
