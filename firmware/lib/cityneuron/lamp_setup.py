"""A lamp from the settings and from what it was told before: needed at the start only, and let go then.

    "lamp": {"output": "0-10v", "bus": "pwm1",
             "lat_udeg": 31295000, "lon_udeg": 121525000, "utc_offset_min": 480}

and "inverted": false where level 0 of the output is darkness.
"""

import json

from cityneuron.errors import NodeError, SettingsError
from cityneuron.outputs import FULL, Pwm, Relay, ZeroToTen
from cityneuron.schedule import checked

OUTPUTS: dict = {"pwm": Pwm, "0-10v": ZeroToTen, "relay": Relay}
DEFAULT_TABLE = (("sunset", FULL), ("sunrise", 0))
_PLACE = (("lat_udeg", 90_000_000), ("lon_udeg", 180_000_000), ("utc_offset_min", 840))


def parts(entry, board, log):
    """Return (output, place, path, what was kept) of the setting `lamp`. Raises SettingsError."""
    if type(entry) is not dict or entry.get("output") not in OUTPUTS or "bus" not in entry:
        raise SettingsError("the lamp lacks output or bus", "output is one of " + ", ".join(sorted(OUTPUTS)))
    for name, most in _PLACE:
        if type(entry.get(name)) is not int or abs(entry[name]) > most:
            raise SettingsError(
                "%s of the lamp is %r" % (name, entry.get(name)), "give its place; see docs/hardware.md"
            )
    output = OUTPUTS[entry["output"]](board.bus(entry["bus"]), entry.get("inverted", True))
    output.set(FULL)  # before anything that can fail
    path = board.path("data/lamp.json")
    return output, tuple([entry[name] for name, _ in _PLACE]), path, kept(path, log)


def kept(path, log):
    """Return what a lamp was told before: {"table", "told", "until_ms"}; sunset to sunrise if nothing."""
    found = {"table": checked(DEFAULT_TABLE), "told": None, "until_ms": 0}
    try:
        with open(path) as file:
            before = json.load(file)
        table, told, until_ms = checked(before["table"]), before["told"], before["until_ms"]
    except OSError:
        return found  # nothing was ever told
    except (ValueError, KeyError, TypeError, NodeError) as error:
        log("lamp: what was kept cannot be used (%r); it burns from sunset to sunrise" % error)
        return found
    found["table"] = table
    if type(until_ms) is int and type(told) is int and 0 <= told <= FULL:
        found["told"], found["until_ms"] = told, until_ms
    return found
