"""PZEM-004T v3 mains meter, Modbus RTU on TTL serial, 9600 8N1: input registers 0 to 9 by function 0x04.

Registers: voltage 0.1 V; current mA, low word first; power 0.1 W; energy Wh; frequency 0.1 Hz;
power factor 0.01.
"""

from drivers import modbus

COLUMNS = (
    ("voltage_v", 1),
    ("current_a", 3),
    ("power_w", 1),
    ("energy_wh", 0),
    ("frequency_hz", 1),
    ("power_factor", 2),
)
_ANYBODY, _INPUT_REGISTERS, _COUNT = 0xF8, 4, 10  # general address: one meter on the line
REQUEST = modbus.request(_ANYBODY, _INPUT_REGISTERS, 0, _COUNT)


def decode(raw):
    """Return the six values, scaled as in COLUMNS, of a 25-byte answer. Raises SensorError."""
    word = modbus.words(raw, None, _INPUT_REGISTERS, _COUNT)
    current, power, energy = (word[at] | word[at + 1] << 16 for at in (1, 3, 5))
    return (word[0], current, power, energy, word[7], word[8])


async def read(bus):
    """Ask the meter and return its six values. It is silent while the mains side has no voltage."""
    return decode(await modbus.ask(bus, REQUEST))
