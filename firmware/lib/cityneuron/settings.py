"""What a node is and where it reports: settings.json on flash, read once; and the numbers kept beside it."""

import json
import os

from cityneuron.errors import SettingsError

_DEFAULTS = {
    "period_ms": 60_000,
    "capacity_rows": 512,
    "pack_rows": 30,
    "broker_port": 8883,
    "broker_user": None,
    "broker_password": None,
    "broker_tls": True,
    "keep_alive_s": 60,
    "ack_timeout_s": 30,
    "wifi_ssid": None,
    "wifi_password": None,
    "ntp_host": "pool.ntp.org",
}
_REQUIRED = ("node", "kind", "broker_host", "sensors")
_LIMITS = {
    "period_ms": (20, 86_400_000),
    "capacity_rows": (8, 20_000),
    "pack_rows": (1, 200),
    "broker_port": (1, 65_535),
    "keep_alive_s": (5, 3_600),
    "ack_timeout_s": (1, 3_600),
}
_BOOT_STEP = 10_000
_MOST_STARTS = 100_000_000_000  # what is above is no count of ours


class Settings:
    """The settings as attributes: settings.period_ms, settings.sensors..."""

    def __init__(self, values):
        for name in _REQUIRED:
            if not values.get(name):
                raise SettingsError("settings lack %r" % name, "provision the node, or add it to settings.json")
        for name in values:
            if name not in _DEFAULTS and name not in _REQUIRED:
                raise SettingsError("settings know no %r" % name, "see firmware/settings.sample.json")
        for name, (low, high) in _LIMITS.items():
            value = values.get(name, _DEFAULTS[name])
            if type(value) is not int or not low <= value <= high:
                raise SettingsError(
                    "%s is %s, not within %d to %d" % (name, value, low, high), "correct settings.json"
                )
        for name in _DEFAULTS:
            setattr(self, name, values.get(name, _DEFAULTS[name]))
        for name in _REQUIRED:
            setattr(self, name, values[name])


def load(path):
    """Return the Settings of a file, or raise SettingsError."""
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError:
        raise SettingsError("%s is missing" % path, "provision the node")
    except ValueError:
        raise SettingsError("%s is no JSON" % path, "provision the node again")
    if type(values) is not dict:
        raise SettingsError("%s is no JSON object" % path, "provision the node again")
    return Settings(values)


def read_number(path):
    """Return the integer kept in a file; 0 when there is none or a power cut left it empty."""
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def keep_number(path, number):
    """Write an integer so that a power cut leaves the old or the new one."""
    with open(path + ".new", "w") as file:
        file.write(str(number))
    os.rename(path + ".new", path)


def next_boot(path, log):
    """Count this start on flash and return its number, which no other start has.

    The count stands in two files that are written in turn: a torn write leaves the start before. Four random
    digits follow it (start 12 may be boot 120417), which keep two starts apart that had to take one count.
    """
    files = (path, path + ".2")
    counts = [_starts(file, log) for file in files]
    start = max(counts) + 1
    try:
        keep_number(files[counts.index(min(counts))], start)
    except OSError as error:
        log("start %d could not be counted on flash: %s" % (start, error))
    return start * _BOOT_STEP + int.from_bytes(os.urandom(4), "big") % _BOOT_STEP


def _starts(path, log):
    try:
        with open(path) as file:
            starts = int(file.read())
    except OSError:
        return 0  # not yet written
    except ValueError:
        starts = 0
    if 0 < starts < _MOST_STARTS:
        return starts
    log("%s holds no count of starts" % path)
    return 0
