"""Encodes the same readings three ways on MicroPython; prints: codec rows bytes allocated_bytes microseconds.

`native` is the firmware's own pack. `senml-json` and `senml-cbor` are RFC 8428 written the straightforward way,
as a SenML library for MicroPython does it: an object a value, a dict an object, then json.dumps or a recursive
CBOR encoder over the list of dicts. Base name and base time stand in the first record only.
Arguments: which codecs, or --version. A codec that the heap does not hold prints `-` for its figures.
"""

import gc
import json
import sys
import time
from struct import pack as pack_struct

from cityneuron import pack

T0_MS = 1760000000000
NAMES = ("level_m", "water_temperature_c", "flow_m3_s", "velocity_m_s", "turbidity_ntu", "battery_v")
UNITS = ("m", "Cel", "m3/s", "m/s", "NTU", "V")
DECIMALS = (3, 2, 2, 3, 1, 2)
ROWS = (1, 30)
LABELS = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "t": 6}
ROUNDS = 20


def reading(index):
    return (3120 + index, 1820 - index, 371, -67, 812, 5 * index)


class Native:
    """The firmware's way: one buffer, kept; integers; positions instead of names."""

    def __init__(self, rows):
        self._writer = pack.Writer(2048)
        self._rows = [reading(index) for index in range(rows)]

    def encode(self):
        writer = self._writer
        pack.write_data_head(writer, 1, 120417, 0, T0_MS, 0, len(self._rows))
        for index, values in enumerate(self._rows):
            pack.write_row(writer, 60_000 * index, values)
        return writer.payload()


class Record:
    """One value of SenML."""

    def __init__(self, name, unit, value, time_s):
        self.name, self.unit, self.value, self.time_s = name, unit, value, time_s

    def as_dict(self):
        return {"n": self.name, "u": self.unit, "v": self.value, "t": self.time_s}


class SenmlJson:
    def __init__(self, rows):
        self._rows = [reading(index) for index in range(rows)]

    def dicts(self):
        records = []
        for index, values in enumerate(self._rows):
            for at, value in enumerate(values):
                records.append(Record(NAMES[at], UNITS[at], value / 10 ** DECIMALS[at], 60 * index))
        dicts = [record.as_dict() for record in records]
        dicts[0]["bn"] = "urn:dev:mac:a0b765112233:"
        dicts[0]["bt"] = T0_MS // 1000
        return dicts

    def encode(self):
        return json.dumps(self.dicts()).encode()


class SenmlCbor(SenmlJson):
    def encode(self):
        written = bytearray()
        item(written, [{LABELS[key]: value for key, value in record.items()} for record in self.dicts()])
        return written


def head(written, major, value):
    if value < 24:
        written.append(major | value)
    elif value < 0x100:
        written.extend(bytes((major | 24, value)))
    elif value < 0x10000:
        written.extend(pack_struct(">BH", major | 25, value))
    else:
        written.extend(pack_struct(">BI", major | 26, value))


def item(written, value):
    """Write one CBOR item."""
    if isinstance(value, float):
        written.extend(pack_struct(">Bd", 0xFB, value))
    elif isinstance(value, int):
        head(written, 0x20 if value < 0 else 0, -1 - value if value < 0 else value)
    elif isinstance(value, str):
        encoded = value.encode()
        head(written, 0x60, len(encoded))
        written.extend(encoded)
    elif isinstance(value, dict):
        head(written, 0xA0, len(value))
        for key in value:
            item(written, key)
            item(written, value[key])
    else:
        head(written, 0x80, len(value))
        for part in value:
            item(written, part)


def measure(codec):
    """Return bytes, allocated bytes and microseconds of one encoding, without and with collections."""
    codec.encode()
    gc.collect()
    gc.disable()
    try:
        before = gc.mem_alloc()
        size = len(codec.encode())
        allocated = gc.mem_alloc() - before
    finally:
        gc.enable()
    gc.collect()
    start = time.ticks_us()
    for _ in range(ROUNDS):
        codec.encode()
    return size, allocated, time.ticks_diff(time.ticks_us(), start) // ROUNDS


CODECS = {"native": Native, "senml-json": SenmlJson, "senml-cbor": SenmlCbor}
names = sys.argv[1:]
if names == ["--version"]:
    print(sys.version.split("; ")[1], "words of %d bits" % (32 if sys.maxsize < 1 << 32 else 64), sep=", ")
    names = ()
for name in names:
    for rows in ROWS:
        try:
            print(name, rows, *measure(CODECS[name](rows)))
        except MemoryError:
            gc.enable()
            print(name, rows, "-", "-", "-")
