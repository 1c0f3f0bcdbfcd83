"""Decodes driver vectors; argument: a JSON file of {"driver", "hex" or "raw", "options", "values" or "error"}.

`raw` are the numbers of a sensor that sends no bytes: microvolts, levels of a pin, tips and milliseconds.
"""

import json
import sys
from binascii import unhexlify

from cityneuron.errors import SensorError

with open(sys.argv[1]) as file:
    vectors = json.load(file)
for vector in vectors:
    name = vector["driver"]
    driver = getattr(__import__("drivers." + name), name)
    raw = unhexlify(vector["hex"]) if "hex" in vector else tuple(vector["raw"])
    arguments = [raw]
    if hasattr(driver, "OPTIONS"):
        options = dict(driver.OPTIONS)
        options.update(vector.get("options", {}))
        arguments.append(options)
    try:
        found = {"values": list(driver.decode(*arguments))}
    except SensorError as error:
        found = {"error": error.message}
        assert error.remedy and "\n" not in error.message + error.remedy, vector["name"]
    if "values" in vector:
        assert found == {"values": vector["values"]}, (vector["name"], found)
        assert len(vector["values"]) == len(driver.COLUMNS)
        assert all(value is None or type(value) is int for value in found["values"])
    else:
        assert vector["error"] in found.get("error", ""), (vector["name"], found)
    print("ok", vector["name"])
