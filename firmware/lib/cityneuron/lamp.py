"""The lamp: follows a table by sun and clock without a network, and is lit whenever something is wrong.

It is lit at the start, while the time is unknown, when the table cannot be used, and when its task ends. The
wiring must do the same for a board that hangs: see docs/hardware.md.
"""

import asyncio
import json
import os

from micropython import const

from cityneuron import sun
from cityneuron.clock import UNKNOWN
from cityneuron.errors import NodeError, SettingsError

FULL = const(100)
DEFAULT_TABLE = (("sunset", FULL), ("sunrise", 0))
_MOST_ENTRIES = const(24)
_MOST_MINUTES = const(10_080)  # a week
_DAY_S = const(86_400)
_LOOK_EVERY_MS = const(5_000)
_CLOCK, _SUNRISE, _SUNSET = const(0), const(1), const(2)
_HELP = "give [[when, level]...], when = sunset, sunrise, sunset-20, sunrise+15 or 23:00, level 0 to 100"


class Pwm:
    """Dims by the share of time that the output is on. `inverted`: duty 0 is full light, as after a reset."""

    def __init__(self, pwm, inverted=True):
        self._pwm = pwm
        self._inverted = inverted

    def set(self, level_pct):
        duty = 65_535 * level_pct // FULL
        self._pwm.duty_u16(65_535 - duty if self._inverted else duty)


class ZeroToTen(Pwm):
    """0-10 V (IEC 60929 annex E) by PWM and a filter: 1 V is the least light, below it the lamp is off.

    `inverted`: a transistor pulls the line down; a line that nobody pulls stands at 10 V: full light.
    """

    def set(self, level_pct):
        super().set(max(level_pct, 10) if level_pct else 0)


class Relay:
    """On or off. `inverted`: the lamp hangs at the normally closed contact, so a dead coil leaves it lit."""

    def __init__(self, pin, inverted=True):
        self._pin = pin
        self._inverted = inverted

    def set(self, level_pct):
        self._pin.value((level_pct > 0) != self._inverted)


OUTPUTS = {"pwm": Pwm, "0-10v": ZeroToTen, "relay": Relay}
_PLACE = {"lat_udeg": 90_000_000, "lon_udeg": 180_000_000, "utc_offset_min": 840}


def build(entry, board, clock, log):
    """Return the Lamp of a node's setting `lamp`, lit. Raises SettingsError.

    {"output": "0-10v", "bus": "pwm1", "lat_udeg": 31295000, "lon_udeg": 121525000, "utc_offset_min": 480}, and
    "inverted": false where level 0 of the output is darkness.
    """
    if type(entry) is not dict or entry.get("output") not in OUTPUTS or "bus" not in entry:
        raise SettingsError("the lamp lacks output or bus", "output is one of " + ", ".join(sorted(OUTPUTS)))
    for name, most in _PLACE.items():
        if type(entry.get(name)) is not int or abs(entry[name]) > most:
            raise SettingsError(
                "%s of the lamp is %r" % (name, entry.get(name)), "give its place; see docs/hardware.md"
            )
    output = OUTPUTS[entry["output"]](board.bus(entry["bus"]), entry.get("inverted", True))
    place = tuple([entry[name] for name in ("lat_udeg", "lon_udeg", "utc_offset_min")])
    return Lamp(output, clock, place, board.path("data/lamp.json"), log)


class Schedule:
    """When the lamp has which level, at a place. Pure: the caller gives the time."""

    def __init__(self, table, latitude, longitude, utc_offset_min):
        if type(table) not in (list, tuple) or not 0 < len(table) <= _MOST_ENTRIES:
            raise NodeError("a schedule has 1 to %d entries" % _MOST_ENTRIES, _HELP)
        self.table = [[when, level] for when, level in (_pair(entry) for entry in table)]
        self._entries = [_parsed(when) + (level,) for when, level in self.table]
        self._latitude, self._longitude, self._utc_offset_s = latitude, longitude, 60 * utc_offset_min
        self._day, self._sun = None, None

    def level_at(self, time_s):
        """Return the level of the entry that came last; by the sun alone where it neither rises nor sets."""
        day = sun.day_of(time_s, self._longitude)
        if day != self._day:
            near = (day - 1, day, day + 1)
            self._sun = [sun.events(one, self._latitude, self._longitude) for one in near]
            self._day = day
        clock_day = (time_s + self._utc_offset_s) // _DAY_S
        best_s, best = None, None
        for base, minutes, level in self._entries:
            for index in range(3):
                if base == _CLOCK:
                    at_s = (clock_day + index - 1) * _DAY_S - self._utc_offset_s
                else:
                    at_s = self._sun[index][base - 1]
                if at_s is None:
                    continue
                at_s += 60 * minutes
                if at_s <= time_s and (best_s is None or at_s >= best_s):
                    best_s, best = at_s, level
        if best is None or self._is_without_sun():
            return 0 if sun.is_up(time_s, self._latitude, self._longitude) else FULL
        return best

    def _is_without_sun(self):
        by_sun = any(base != _CLOCK for base, _, _ in self._entries)
        return by_sun and all(event is None for pair in self._sun for event in pair)


def _pair(entry):
    if type(entry) not in (list, tuple) or len(entry) != 2:
        raise NodeError("%r is no entry of a schedule" % (entry,), _HELP)
    if type(entry[1]) is not int or not 0 <= entry[1] <= FULL:
        raise NodeError("%r is no level" % (entry[1],), _HELP)
    return entry


def _parsed(when):
    """Return (what it counts from, minutes after it). Raises NodeError."""
    for word, base in (("sunrise", _SUNRISE), ("sunset", _SUNSET)):
        if type(when) is str and when.startswith(word):
            sign, digits = when[len(word) : len(word) + 1], when[len(word) + 1 :]
            if not sign:
                return base, 0
            if sign in "+-" and digits.isdigit() and int(digits) < 720:
                return base, int(digits) if sign == "+" else -int(digits)
    hour, colon, minute = when.partition(":") if type(when) is str else ("", "", "")
    if (
        colon
        and hour.isdigit()
        and minute.isdigit()
        and len(minute) == 2
        and int(hour) < 24
        and int(minute) < 60
    ):
        return _CLOCK, 60 * int(hour) + int(minute)
    raise NodeError("%r is no time of a schedule" % (when,), _HELP)


class Lamp:
    """Moves an output towards what the schedule or a command wants, in steps that no eye minds.

    As a sensor of its node it gives `lamp_on` and `dim_pct`. `place`: (latitude, longitude) in millionths of a
    degree, minutes from UTC to the wall clock. What a command sets is kept in the file `path`.
    """

    COLUMNS = columns = (("lamp_on", 0), ("dim_pct", 0))
    name = "lamp"
    warm_up_ms = 0

    def __init__(self, output, clock, place, path, log, step_pct=2, step_ms=100):
        self._output, self._clock, self._place, self._path, self._log = output, clock, place, path, log
        self._step_pct, self._step_ms = step_pct, step_ms
        self.level_pct = self._wanted = FULL
        output.set(FULL)
        self._told, self._until_ms = None, 0
        self._is_told_now = False
        self._looked_ms = None
        self._last_fault = ""
        self._schedule = self._scheduled(DEFAULT_TABLE)
        self._load()

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
            self._schedule = self._scheduled(args["table"])
            self._keep()
            self._looked_ms = None
        return {"table": self._schedule.table}

    def target_pct(self):
        """Return the level that is wanted now."""
        is_dated = self._clock.state != UNKNOWN
        now_ms = self._clock.now_ms()
        if self._told is not None and (is_dated or self._is_told_now):
            if not self._until_ms or now_ms < self._until_ms:
                return self._told
            self._told = None
            self._keep()
        return self._schedule.level_at(now_ms // 1000) if is_dated else FULL

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
            self._output.set(self.level_pct)

    async def run(self):
        """Work until cancelled; leave the lamp lit."""
        try:
            while True:
                self.step()
                await asyncio.sleep_ms(self._step_ms)
        finally:
            self.level_pct = FULL
            self._output.set(FULL)

    async def wake(self):
        """As every sensor; it needs none."""

    async def read(self):
        """Return (lamp_on, dim_pct)."""
        return (1 if self.level_pct else 0, self.level_pct)

    def _scheduled(self, table):
        return Schedule(table, *self._place)

    def _load(self):
        try:
            with open(self._path) as file:
                kept = json.load(file)
            self._schedule = self._scheduled(kept["table"])
            told, until_ms = kept["told"], kept["until_ms"]
            if type(until_ms) is int and type(told) is int and 0 <= told <= FULL:
                self._told, self._until_ms = told, until_ms
        except OSError:
            pass  # nothing was ever told
        except (ValueError, KeyError, TypeError, NodeError) as error:
            self._log("lamp: what was kept cannot be used (%r); it burns from sunset to sunrise" % error)

    def _keep(self):
        kept = {"table": self._schedule.table, "told": self._told, "until_ms": self._until_ms}
        try:
            with open(self._path + ".new", "w") as file:
                json.dump(kept, file)
            os.rename(self._path + ".new", self._path)
        except OSError as error:  # it holds until the next start, which is better than not at all
            self._log("lamp: what was told could not be kept: %s" % error)
