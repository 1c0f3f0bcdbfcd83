"""Decodes driver vectors; argument: a JSON file of [{"driver", "hex", "values" or "error"}]."""

import json
import sys
from binascii import unhexlify

from cityneuron.errors import SensorError

with open(sys.argv[1]) as file:
    vectors = json.load(file)
for vector in vectors:
    name = vector["driver"]
    driver = getattr(__import__("drivers." + name), name)
    try:
        found = {"values": list(driver.decode(unhexlify(vector["hex"])))}
    except SensorError as error:
        found = {"error": error.message}
    if "values" in vector:
        assert found == {"values": vector["values"]}, (vector["name"], found)
        assert len(vector["values"]) == len(driver.COLUMNS)
    else:
        assert vector["error"] in found.get("error", ""), (vector["name"], found)
    print("ok", vector["name"])
