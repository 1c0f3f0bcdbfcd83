"""ROHM BH1750FVI light on I2C, address 0x23 (ADDR low). Steps of 1 lx; less sensitive in sunlight."""

import asyncio

from cityneuron.errors import SensorError

COLUMNS = (("illuminance_lx", 0),)
OPTIONS = {"address": 0x23}
_ONCE = b"\x20"
_MEASUREMENT_MS = 180  # data sheet: at most, at a measurement time of 69
_USUAL, _SHORTEST = 69, 31  # measurement time, which is the sensitivity
_SATURATED = b"\xff\xff"


def decode(raw, options=OPTIONS):
    """Return (lx,) of two bytes and the measurement time they were taken with. Raises SensorError."""
    if len(raw) != 3:
        raise SensorError("%d bytes are no BH1750 answer" % len(raw), "check wiring and address")
    if raw[:2] == _SATURATED:
        raise SensorError("it is too bright to measure", "put a diffuser over the sensor")
    count = raw[0] << 8 | raw[1]
    return ((count * 5 * _USUAL + 3 * raw[2]) // (6 * raw[2]),)  # count / 1.2 * 69 / time


async def read(bus, options):
    """Measure once; it sleeps afterwards by itself."""
    raw = await _measure(bus, options["address"], _USUAL)
    if raw[:2] == _SATURATED:
        raw = await _measure(bus, options["address"], _SHORTEST)
    return decode(raw)


async def _measure(bus, address, time):
    bus.writeto(address, bytes((0x40 | time >> 5,)))
    bus.writeto(address, bytes((0x60 | time & 0x1F,)))
    bus.writeto(address, _ONCE)
    await asyncio.sleep_ms(_MEASUREMENT_MS)
    return bus.readfrom(address, 2) + bytes((time,))
