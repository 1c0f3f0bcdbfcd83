"""What a node is and where it reports: settings.json on flash, read once; and the numbers kept beside it."""

import json
import os

from micropython import const

from cityneuron import Chosen
from cityneuron.changes import CHANGEABLE, changed
from cityneuron.errors import SettingsError
from cityneuron.files import replace

_DEFAULTS = {
    "period_ms": 60_000,
    "capacity_rows": 64,
    "outbox_kb": 256,
    "pack_rows": 30,
    "broker_port": 8883,
    "broker_user": None,
    "broker_password": None,
    "broker_tls": True,
    "keep_alive_s": 60,
    "ack_timeout_s": 30,
    "wifi_ssid": None,
    "wifi_password": None,
    "ntp_hosts": None,  # the gateway's (the broker's) host, then pool.ntp.org; "host:port" where it is not 123
    "sleep": False,  # deep sleep between readings
    "report_every": 1,  # of so many wakes one speaks; the others only measure
    "awake_s": 45,  # a wake that delivers nothing ends so late
    "watch": None,  # the quantity whose rise quickens the period
    "watch_rise_per_min": 0,  # scaled like its column: of level_m millimetres
    "fast_period_ms": None,
    "low_battery_mv": None,
    "slow_period_ms": None,
    "supply_warning_pin": None,  # a pin that falls before the supply does: what is in RAM goes to flash
    "lamp": None,
}
_REQUIRED = const(("node", "kind", "broker_host", "sensors"))
_LIMITS = {
    "period_ms": CHANGEABLE["period_ms"],
    "capacity_rows": (8, 20_000),
    "outbox_kb": (0, 4_096),
    "report_every": (1, 1_000),
    "awake_s": (5, 600),
    "watch_rise_per_min": (0, 1_000_000),
    "pack_rows": (1, 200),
    "broker_port": (1, 65_535),
    "keep_alive_s": (5, 3_600),
    "ack_timeout_s": (1, 3_600),
}
_BOOT_STEP = const(10_000)
_MOST_STARTS = const(100_000_000_000)  # what is above is no count of ours


def checked(values):
    """Return the values of all settings, given and default, or raise SettingsError."""
    for name in _REQUIRED:
        if not values.get(name):
            raise SettingsError("settings lack %r" % name, "provision the node, or add it to settings.json")
    if "ntp_host" in values:  # what it was called
        values["ntp_hosts"] = [values.pop("ntp_host")]
    for name in values:
        if name not in _DEFAULTS and name not in _REQUIRED:
            raise SettingsError("settings know no %r" % name, "see firmware/settings.sample.json")
    found = dict(_DEFAULTS)  # type: dict
    found.update(values)
    for name, limits in _LIMITS.items():
        if not _fits(name, found[name]):
            raise SettingsError(
                "%s is %s, not within %d to %d" % ((name, found[name]) + limits), "correct settings.json"
            )
    if found["sleep"] and found["lamp"]:
        raise SettingsError("a node that sleeps cannot keep a lamp", "set sleep to false")
    if found["ntp_hosts"] is None:
        found["ntp_hosts"] = [found["broker_host"], "pool.ntp.org"]
    return found


def load(path, changed_path=None):
    """Return the Chosen of a file, with what was changed from afar over it, or raise SettingsError."""
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError:
        raise SettingsError("%s is missing" % path, "provision the node")
    except ValueError:
        raise SettingsError("%s is no JSON" % path, "provision the node again")
    if type(values) is not dict:
        raise SettingsError("%s is no JSON object" % path, "provision the node again")
    values.update(changed(changed_path))
    return Chosen(checked(values))


def _fits(name, value):
    low, high = _LIMITS[name]
    return type(value) is int and low <= value <= high


def read_number(path):
    """Return the integer kept in a file; 0 when there is none or a power cut left it empty."""
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def next_boot(path, log, highest=0):
    """Count this start on flash and return its number, which no other start has.

    It is above `highest`, the boot of a reading that is kept: that holds though the count was lost.

    The count stands in two files that are written in turn: a torn write leaves the start before. Four random
    digits follow it (start 12 may be boot 120417), which keep two starts apart that had to take one count.
    """
    files = (path, path + ".2")
    counts = [_starts(file, log) for file in files]
    start = max(max(counts), highest // _BOOT_STEP) + 1
    try:
        replace(files[counts.index(min(counts))], str(start))
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
