"""`select` of a virtual board: a poll that also sees Ctrl-C. asyncio waits in it."""

import bridge
import uselect
from uselect import *  # noqa: F403


class poll:
    def __init__(self):
        self._poll = uselect.poll()
        bridge.watch(self._poll)
        self.register, self.unregister, self.modify = (
            self._poll.register,
            self._poll.unregister,
            self._poll.modify,
        )

    def poll(self, timeout=-1):
        return [tuple(ready) for ready in self.ipoll(timeout)]

    def ipoll(self, timeout=-1, flags=0):
        self._ready = self._poll.ipoll(timeout, flags)
        return self

    def __iter__(self):
        return self

    def __next__(self):
        ready = next(self._ready)
        if bridge.is_wire(ready[0]):
            bridge.look()
        return ready
