"""The two places of the firmware on flash, /a and /b: one runs, the other takes the next version.

slot.json says which is active and which is on trial; boot.py reads it, counts the starts of a trial and
returns from it (then `returned` names the slot that failed). This side begins, confirms and gives up trials.
"""

import json
import sys

from cityneuron import FIRMWARE
from cityneuron.files import read_object, replace


class Slots:
    """`path` turns a name into a path on flash; who knows the version spares reading the manifest."""

    def __init__(self, path, version=None):
        self._path = path
        self.running = self._running()
        state = read_object(path("slot.json"))
        self.on_trial = self.running is not None and state.get("trial") == self.running
        self._active = state.get("active") if self.on_trial else self.running
        self.returned = state.get("returned")
        self.version = version or self._told() or FIRMWARE

    def _running(self):
        for slot in ("a", "b"):
            if self.folder(slot) + "/lib" in sys.path:
                return slot
        return None  # started from a folder of sources

    def _told(self):
        """Return the version of the manifest: a list of all files, which takes room in memory."""
        return (
            read_object(self.folder(self.running) + "/manifest.json").get("version") if self.running else None
        )

    def folder(self, slot):
        return self._path(slot)

    @property
    def idle(self):
        """The slot that an update may write; None when the node runs without slots."""
        return {"a": "b", "b": "a"}.get(self.running)

    def begin_trial(self):
        """From the next start on the idle slot is tried."""
        self._keep(self.running, self.idle)

    def confirm(self):
        """The version that runs has proved itself."""
        self._keep(self.running, None)
        self.on_trial, self._active = False, self.running

    def give_up(self):
        """From the next start on the version before runs again."""
        self._keep(self._active, None, self.running)

    def _keep(self, active, trial, returned=None):
        state = {"active": active, "trial": trial, "boots": 0}
        if returned:
            state["returned"] = returned
        replace(self._path("slot.json"), json.dumps(state))
