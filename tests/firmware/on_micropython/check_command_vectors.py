"""Reads every shared command and writes every shared reply; argument: the vectors' file."""

import json
import sys
from binascii import hexlify, unhexlify

from cityneuron import order, pack, replies

writer = pack.Writer(replies.MOST_BYTES)
with open(sys.argv[1]) as file:
    vectors = json.load(file)
for vector in vectors:
    value, raw = vector["value"], unhexlify(vector["hex"])
    if vector["message"] == "cmd":
        read = order.read_command(raw)
        assert read == (value["id"], value["name"], value["arguments"], value["expires_ms"]), vector["name"]
    else:
        replies.write_reply(writer, value["id"], value["status"], value["detail"])
        found = hexlify(writer.payload()).decode()
        assert found == vector["hex"], "%s: wrote %s" % (vector["name"], found)
    print("ok", vector["name"])
