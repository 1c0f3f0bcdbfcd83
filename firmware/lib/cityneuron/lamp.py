"""The lamp: follows a table by sun and clock without a network, and is lit whenever something is wrong.

It is lit at the start, while the time is unknown, when the table cannot be used, and when its task ends. The
wiring must do the same for a board that hangs: see docs/hardware.md.
"""

import asyncio
import json
import os

from micropython import const

from cityneuron.clock import UNKNOWN
from cityneuron.errors import NodeError
from cityneuron.seldom import borrow

FULL = const(100)
_MOST_MINUTES = const(10_080)  # a week
_LOOK_EVERY_MS = const(5_000)


def build(entry, board, clock, log):
    """Return the Lamp of a node's setting `lamp`, lit. Raises SettingsError."""
    output, place, path, kept = borrow("lamp_setup", "schedule", "sun", "fixed").parts(entry, board, log)
    return Lamp(output, clock, place, path, log, kept)


class Lamp:
    """Moves an output towards what the schedule or a command wants, in steps that no eye minds.

    As a sensor of its node it gives `lamp_on` and `dim_pct`. `place`: see schedule.py. What a command sets is
    kept in the file `path`; `kept` is what it held: {"table", "told", "until_ms"}.
    """

    columns = (("lamp_on", 0), ("dim_pct", 0))
    name = "lamp"
    warm_up_ms = 0

    def __init__(self, output, clock, place, path, log, kept, step_pct=2, step_ms=100):
        self.output, self._clock, self._place, self.path, self._log = output, clock, place, path, log
        self._step_pct, self._step_ms = step_pct, step_ms
        self.level_pct = self._wanted = FULL
        output.set(FULL)
        self.table, self._told, self._until_ms = kept["table"], kept["told"], kept["until_ms"]
        self._is_told_now = False
        self._looked_ms = None
        self._last_fault = ""
        self._scheduled = FULL
        self._from_s = self.to_s = 0  # while the schedule's last answer holds

    @property
    def actions(self):
        """Commands and what does them."""
        return {"lamp": self.lamp, "schedule": self.schedule}

    def lamp(self, args):
        """Dim to level_pct for so many minutes (0: until told); without a level the schedule holds again."""
        told, minutes = args.get("level_pct"), args.get("minutes", 0)
        if told is not None and (type(told) is not int or not 0 <= told <= FULL):
            raise NodeError("level_pct is %r" % (told,), "give 0 to 100, or none to return to the schedule")
        if type(minutes) is not int or not 0 <= minutes <= _MOST_MINUTES:
            raise NodeError("minutes is %r" % (minutes,), "give 0 to %d; 0: until told" % _MOST_MINUTES)
        self._told, self._is_told_now = told, True
        self._until_ms = self._clock.now_ms() + 60_000 * minutes if minutes else 0
        self._keep()
        self._looked_ms = None
        return {"level_pct": self.target_pct()}

    def schedule(self, args):
        """Take another table, or just say which one holds."""
        if "table" in args:
            self.table = _schedule().checked(args["table"])
            self._keep()
            self._looked_ms, self.to_s = None, 0
        return {"table": self.table}

    def target_pct(self):
        """Return the level that is wanted now."""
        is_dated = self._clock.state != UNKNOWN
        now_ms = self._clock.now_ms()
        if self._told is not None and (is_dated or self._is_told_now):
            if not self._until_ms or now_ms < self._until_ms:
                return self._told
            self._told = None
            self._keep()
        if not is_dated:
            return FULL
        now_s = now_ms // 1000
        if not self._from_s <= now_s < self.to_s:
            self._scheduled, self.to_s = _schedule().level_at(self.table, self._place, now_s)
            self._from_s = now_s
        return self._scheduled

    def step(self):
        """Move one step; whatever fails on the way, the lamp is lit."""
        try:
            now_ms = self._clock.uptime_ms()
            if self._looked_ms is None or now_ms - self._looked_ms >= _LOOK_EVERY_MS:
                self._looked_ms = now_ms
                self._wanted = self.target_pct()
                self._last_fault = ""
        except Exception as error:  # also a fault of ours: a dark street is worse than a lit one
            self._wanted = FULL
            if str(error) != self._last_fault:
                self._last_fault = str(error)
                self._log("lamp: %s; it is lit" % error)
        if self.level_pct != self._wanted:
            most = self._step_pct
            self.level_pct += min(max(self._wanted - self.level_pct, -most), most)
            self.output.set(self.level_pct)

    async def run(self):
        """Work until cancelled; leave the lamp lit."""
        try:
            while True:
                self.step()
                await asyncio.sleep_ms(self._step_ms)
        finally:
            self.level_pct = FULL
            self.output.set(FULL)

    async def wake(self):
        """As every sensor; it needs none."""

    async def read(self):
        """Return (lamp_on, dim_pct)."""
        return (1 if self.level_pct else 0, self.level_pct)

    def _keep(self):
        kept = {"table": self.table, "told": self._told, "until_ms": self._until_ms}
        try:
            with open(self.path + ".new", "w") as file:
                json.dump(kept, file)
            os.rename(self.path + ".new", self.path)
        except OSError as error:  # it holds until the next start, which is better than not at all
            self._log("lamp: what was told could not be kept: %s" % error)


def _schedule():
    return borrow("schedule", "sun", "fixed")
