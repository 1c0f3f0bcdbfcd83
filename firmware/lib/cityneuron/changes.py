"""Settings that were changed from afar: data/changed.json on flash, over what settings.json says."""

import json

from cityneuron.errors import SettingsError
from cityneuron.files import read_object, replace

CHANGEABLE = {"period_ms": (20, 86_400_000)}  # least, most


def keep_change(path, name, value):
    """Let a setting that was changed from afar outlive a restart. Raises OSError, or SettingsError."""
    if name not in CHANGEABLE or not _fits(name, value):
        raise SettingsError("%s cannot be set to %s" % (name, value), "give a value within its limits")
    values = changed(path)
    values[name] = value
    replace(path, json.dumps(values))


def changed(path):
    """Return the changes that make sense; a file that a power cut spoilt changes nothing."""
    values = read_object(path) if path else {}
    return {name: values[name] for name in CHANGEABLE if _fits(name, values.get(name))}


def _fits(name, value):
    low, high = CHANGEABLE[name]
    return type(value) is int and low <= value <= high
