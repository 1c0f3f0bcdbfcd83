"""Sensirion SPS30 particles on I2C (SEL at ground), address 0x69. Mass concentrations as IEEE 754 floats, which
are turned into integers without floating-point arithmetic.
"""

from cityneuron.errors import SensorError
from drivers import sensirion

COLUMNS = (("pm2_5_ug_m3", 2), ("pm10_ug_m3", 2))
WARM_UP_MS = 30_000  # data sheet 1.1: up to 30 s in clean air
_ADDRESS = 0x69
_START, _STOP, _READY, _READ = 0x0010, 0x0104, 0x0202, 0x0300
_FLOATS = 0x0300
_STOPPED_MS = 20  # data sheet 4.3: at most
_WORDS = 8  # PM1.0, PM2.5, PM4.0, PM10, two words each
_MOST = 100_000  # 1000 ug/m3


def decode(raw):
    """Return (PM2.5, PM10) in 0.01 ug/m3 of 24 bytes. Raises SensorError."""
    word = sensirion.words(raw, _WORDS)
    fine, coarse = (_hundredths(word[at] << 16 | word[at + 1]) for at in (2, 6))
    if not 0 <= fine <= coarse <= _MOST:
        raise SensorError("PM2.5 %d and PM10 %d cannot be" % (fine // 100, coarse // 100), "clean its inlet")
    return (fine, coarse)


def _hundredths(bits):
    """Return 100 times a float of 32 bits, rounded. Raises SensorError for what is no number."""
    exponent = bits >> 23 & 0xFF
    if exponent == 0xFF:
        raise SensorError("the SPS30 gives no number", "switch its supply off and on")
    if not exponent:
        return 0
    mantissa, shift = 100 * (bits & 0x7FFFFF | 0x800000), 150 - exponent
    value = (mantissa + (1 << shift >> 1)) >> shift if shift > 0 else mantissa << -shift
    return -value if bits >> 31 else value


async def wake(bus):
    """Start fan and laser."""
    await sensirion.begin(bus, _ADDRESS, _STOP, sensirion.command(_START, _FLOATS), _STOPPED_MS)


async def rest(bus):
    """Stop fan and laser."""
    bus.writeto(_ADDRESS, sensirion.command(_STOP))


async def read(bus):
    """Return the newest values; there is a new one every second."""
    (ready,) = sensirion.words(await sensirion.ask(bus, _ADDRESS, _READY, 1), 1)
    if not ready & 1:
        raise SensorError("the SPS30 has no new value", "is its fan turning? give it 5 V")
    return decode(await sensirion.ask(bus, _ADDRESS, _READ, _WORDS))
