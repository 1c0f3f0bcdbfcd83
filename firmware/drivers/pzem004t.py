"""PZEM-004T v3 mains meter, Modbus RTU on TTL serial, 9600 8N1: input registers 0 to 9 by function 0x04.

Registers: voltage 0.1 V; current mA, low word first; power 0.1 W; energy Wh; frequency 0.1 Hz;
power factor 0.01.
"""

from cityneuron.errors import SensorError
from drivers.frames import collect, crc16_modbus, drain

COLUMNS = (
    ("voltage_v", 1),
    ("current_a", 3),
    ("power_w", 1),
    ("energy_wh", 0),
    ("frequency_hz", 1),
    ("power_factor", 2),
)
REQUEST = b"\xf8\x04\x00\x00\x00\x0a\x64\x64"  # general address 0xF8: one meter on the line
_ANSWER_BYTES = 25


def decode(raw):
    """Return the six values, scaled as in COLUMNS, of a 25-byte answer. Raises SensorError."""
    if len(raw) != _ANSWER_BYTES or raw[1] != 0x04 or raw[2] != 20:
        raise SensorError(
            "no PZEM-004T answer: %r" % bytes(raw[:8]), "check wiring; is the mains side powered?"
        )
    if crc16_modbus(raw[:-2]) != (raw[-2] | raw[-1] << 8):
        raise SensorError("checksum is wrong", "check wiring and earthing")
    return (
        _word(raw, 0),
        _word(raw, 1) | _word(raw, 2) << 16,
        _word(raw, 3) | _word(raw, 4) << 16,
        _word(raw, 5) | _word(raw, 6) << 16,
        _word(raw, 7),
        _word(raw, 8),
    )


def _word(raw, register):
    at = 3 + 2 * register
    return raw[at] << 8 | raw[at + 1]


async def read(bus):
    """Ask the meter and return its six values."""
    drain(bus)
    bus.write(REQUEST)
    return decode(await collect(bus, _ANSWER_BYTES, 500))
