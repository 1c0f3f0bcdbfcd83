"""When a lamp has which level: a table by sun and clock, at a place. Needed a few times an hour, else let go.

A place is (latitude, longitude, minutes from UTC to the wall clock), angles in millionths of a degree.
"""

from micropython import const

from cityneuron import sun
from cityneuron.errors import NodeError

FULL = const(100)
_MOST_ENTRIES = const(24)
_DAY_S = const(86_400)
_HOLDS_S = const(3_600)  # at most: then the sun is looked at again
_CLOCK = const(0)
_SUNRISE = const(1)
_SUNSET = const(2)
_HELP = const("give [[when, level]...], when = sunset, sunrise, sunset-20, sunrise+15 or 23:00, level 0 to 100")


def checked(table):
    """Return the table as lists, or raise NodeError."""
    if type(table) not in (list, tuple) or not 0 < len(table) <= _MOST_ENTRIES:
        raise NodeError("a schedule has 1 to %d entries" % _MOST_ENTRIES, _HELP)
    for when, _ in (_pair(entry) for entry in table):
        _parsed(when)
    return [[when, level] for when, level in table]


def level_at(table, place, time_s):
    """Return the level of the entry that came last, and until when it holds.

    Where the sun neither rises nor sets it decides alone.
    """
    latitude, longitude, utc_offset_min = place
    day, clock_day = sun.day_of(time_s, longitude), (time_s + 60 * utc_offset_min) // _DAY_S
    days = [sun.events(day + shift, latitude, longitude) for shift in (-1, 0, 1)]
    best_s, best, until_s, by_sun = None, None, time_s + _HOLDS_S, False
    for when, level in table:
        base, minutes = _parsed(when)
        by_sun = by_sun or base != _CLOCK
        for index in range(3):
            if base == _CLOCK:
                at_s = (clock_day + index - 1) * _DAY_S - 60 * utc_offset_min
            else:
                at_s = days[index][base - 1]
            if at_s is None:
                continue
            at_s += 60 * minutes
            if at_s > time_s:
                until_s = min(until_s, at_s)
            elif best_s is None or at_s >= best_s:
                best_s, best = at_s, level
    without_sun = by_sun and all(event is None for pair in days for event in pair)
    if best is None or without_sun:
        best = 0 if sun.is_up(time_s, latitude, longitude) else FULL
    return best, until_s


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
