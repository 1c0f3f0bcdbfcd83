"""Encodes and decodes every shared vector with the firmware's codec; argument: the vectors' file."""

import json
import sys
from binascii import hexlify, unhexlify

from acks import write_ack

from cityneuron import pack
from cityneuron.birth import write_birth


def write(writer, message, value):
    if message == "pack":
        rows = value["rows"]
        pack.write_data_head(
            writer, value["schema"], value["boot"], value["seq0"], value["t0_ms"], value["clock"], len(rows)
        )
        for row in rows:
            pack.write_row(writer, row[0], row[1:])
    elif message == "birth":
        write_birth(writer, birth(value))
    elif message == "ack":
        write_ack(writer, value["boot"], value["upto"], value["again"])
    elif message == "death":
        pack.write_death(writer, value["boot"])
    else:
        raise ValueError("the firmware knows no message " + message)


def birth(value):
    return {
        "v": 1,
        "node": value["node"],
        "kind": value["kind"],
        "fw": value["firmware"],
        "hw": value["hardware"],
        "boot": value["boot"],
        "schema": value["schema"],
        "cols": [[column["quantity"], column["decimals"]] for column in value["columns"]],
        "period_ms": round(value["period_s"] * 1000),
        "oldest": value["oldest"],
        "next": value["next_seq"],
        "clock": value["clock"],
        "sn": value.get("serial", ""),
        "trial": value.get("trial", 0),
    }


def decoded(message, value):
    if message == "pack":
        return [1, value["schema"], value["boot"], value["seq0"], value["t0_ms"], value["clock"], value["rows"]]
    if message == "birth":
        body = birth(value)
        for name in ("sn", "trial"):
            if not body[name]:
                del body[name]
        return body
    if message == "ack":
        return [1, value["boot"], value["upto"], value["again"]]
    return [1, value["boot"]]


writer = pack.Writer(4096)
with open(sys.argv[1]) as file:
    vectors = json.load(file)
for vector in vectors:
    message, value = vector["message"], vector["value"]
    write(writer, message, value)
    found = hexlify(writer.payload()).decode()
    assert found == vector["hex"], "%s: wrote %s" % (vector["name"], found)
    assert pack.decode(unhexlify(vector["hex"])) == decoded(message, value), vector["name"] + ": read otherwise"
    if message == "ack":
        assert pack.read_ack(unhexlify(vector["hex"])) == (value["boot"], value["upto"], value["again"])
    print("ok", message)
