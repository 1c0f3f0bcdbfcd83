"""Commands from afar: each is done once, and what became of it can be said again, also after a restart.

    cmd [1, id, name, {argument: value}, expires_ms]  ->  take()  ->  reply [1, id, status, detail]

It is the twin of edge/protocol/command.py; tests/vectors/commands.json pins both. That a command is begun is
written to flash before it is done: after a power cut it counts as begun, and is not done a second time.
Here is what must be known between two commands; what is done with one is in order.py, recall.py and replies.py.
"""

import asyncio
import gc

from micropython import const

from cityneuron.errors import NodeError
from cityneuron.seldom import borrow

DONE, ACCEPTED, REFUSED, EXPIRED, FAILED = const(0), const(1), const(2), const(3), const(4)
KEPT = const(16)
LATER = object()  # what an action returns whose last word comes later, by finish()


class Refused(NodeError):
    """A command that makes no sense to this node, or not now."""


def is_coroutine(result):
    return hasattr(result, "send")


class Commands:
    """Takes commands, calls `actions[name](arguments)`, and keeps the last 16 replies in a folder on flash.

    An action returns the reply's detail, a coroutine that will, or LATER; it raises Refused or NodeError.
    """

    def __init__(self, actions, clock, folder, log=print):
        self.actions = actions
        self.clock = clock
        self.folder = folder
        self.log = log
        self.ids = [0] * KEPT
        self.numbers = [0] * KEPT  # counted over all commands: where the oldest is overwritten next
        self.begun = {}  # place -> name, of those without a last word
        self.tasks = {}
        self.unsaid = []  # places whose last word is to be published
        self.bad_messages = 0
        self.changed = lambda: None  # called when next_reply() has something
        borrow("recall").load(self)

    def take(self, payload):
        """Return the reply to publish; None when it comes later by next_reply(), or this is no command."""
        todo = borrow("order", "replies").begin(self, payload)
        gc.collect()  # at this depth: further in, what one step left on the stack counts as used by the next
        if not isinstance(todo, tuple):
            return todo
        place, arguments, begun = todo
        try:
            result = self.actions[self.begun[place]](arguments)
        except Exception as error:  # a fault of the action must not silence the command
            return borrow("replies").failed(self, place, error)
        if result is LATER:
            return begun
        gc.collect()
        if is_coroutine(result):
            self.tasks[place] = asyncio.create_task(self._await(place, result))
            return None
        return borrow("replies").close(self, place, DONE, result)

    def next_reply(self):
        """Return a reply that has become due since the command was taken, or None."""
        while self.unsaid:
            reply = borrow("recall").said(self, self.unsaid.pop(0))
            if reply:
                return reply
        return None

    async def _await(self, place, coroutine):
        try:
            detail = await coroutine
        except Exception as error:
            borrow("replies").finish_failed(self, place, error)
        else:
            borrow("replies").finish(self, place, DONE, detail)

    def path(self, place):
        """Return the file of a place."""
        return "%s/%d" % (self.folder, place)

    def finish(self, name, status, detail=None):
        """Give the last word on commands of this name whose action returned LATER."""
        for place in [place for place in self.begun if self.begun[place] == name]:
            borrow("replies").finish(self, place, status, detail)
