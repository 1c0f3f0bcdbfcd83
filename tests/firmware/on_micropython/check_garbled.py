"""Flips, cuts and invents frames: a driver answers with whole numbers or a SensorError, nothing else.

Arguments: the vectors' file, how many invented frames a driver. Prints `NAME flips cuts invented`.
"""

import json
import random
import sys
from binascii import unhexlify

from cityneuron.errors import SensorError

CHECKED = ("jsn_sr04t", "level_rs485", "pms5003", "pzem004t", "sds011", "mhz19", "ds18b20", "sps30", "scd4x")


def outcome(driver, raw, options):
    """Return the values or None for a SensorError; anything else is raised."""
    try:
        values = driver.decode(raw, options) if hasattr(driver, "OPTIONS") else driver.decode(raw)
    except SensorError as error:
        assert error.message and error.remedy, raw
        return None
    assert len(values) == len(driver.COLUMNS), raw
    assert all(value is None or type(value) is int for value in values), (raw, values)
    return values


def flips(raw):
    for bit in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


random.seed(7)
with open(sys.argv[1]) as file:
    vectors = [vector for vector in json.load(file) if "hex" in vector and "values" in vector]
for name in sorted({vector["driver"] for vector in vectors}):
    driver = getattr(__import__("drivers." + name), name)
    counts = [0, 0, 0]
    mine = [vector for vector in vectors if vector["driver"] == name]
    for vector in mine:
        raw, options = unhexlify(vector["hex"]), dict(getattr(driver, "OPTIONS", {}))
        options.update(vector.get("options", {}))
        for flipped in flips(raw):
            found = outcome(driver, flipped, options)
            assert found is None or name not in CHECKED, (vector["name"], flipped)
            counts[0] += 1
        for length in range(len(raw)):
            found = outcome(driver, raw[:length], options)
            assert found is None or name not in CHECKED, (vector["name"], length)
            counts[1] += 1
    for _ in range(int(sys.argv[2])):
        invented = bytes(random.getrandbits(8) for _ in range(random.getrandbits(6)))
        outcome(driver, invented, options)
        counts[2] += 1
    print(name, *counts)
