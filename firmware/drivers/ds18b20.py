"""DS18B20 temperature, one on its 1-Wire bus (water, housing). 12 bits: 1/16 °C, 750 ms."""

import asyncio

from micropython import const

from cityneuron.errors import SensorError

COLUMNS = (("water_temperature_c", 2),)
_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_READ_SCRATCHPAD = const(0xBE)
_POWER_ON = const(85 * 16)  # the value before the first conversion: a sensor that lost its supply in between


def decode(raw):
    """Return (temperature in 0.01 °C,) of a 9-byte scratchpad. Raises SensorError."""
    if len(raw) != 9 or raw[:8] == b"\x00" * 8:
        raise SensorError("no DS18B20 answers", "check wiring and the 4.7 kΩ pull-up")
    if crc8_maxim(raw[:8]) != raw[8]:
        raise SensorError("checksum is wrong: %r" % bytes(raw), "shorten the cable or lower the pull-up")
    sixteenths = raw[0] | raw[1] << 8
    if sixteenths & 0x8000:
        sixteenths -= 0x10000
    if sixteenths == _POWER_ON and raw[6] == 0x0C:
        raise SensorError("the sensor restarted while measuring", "check its supply")
    hundredths = abs(sixteenths) * 25
    rounded = (hundredths + 2) // 4
    return (rounded if sixteenths >= 0 else -rounded,)


async def read(bus):
    """Start a conversion, wait for it, return its result. `bus` is an onewire.OneWire."""
    _reset(bus)
    bus.writebyte(_SKIP_ROM)
    bus.writebyte(_CONVERT)
    await asyncio.sleep_ms(bus.CONVERSION_MS if hasattr(bus, "CONVERSION_MS") else 750)
    _reset(bus)
    bus.writebyte(_SKIP_ROM)
    bus.writebyte(_READ_SCRATCHPAD)
    raw = bytearray(9)
    bus.readinto(raw)
    return decode(bytes(raw))


def _reset(bus):
    if not bus.reset():
        raise SensorError("no DS18B20 on the bus", "check wiring and the 4.7 kΩ pull-up")


def crc8_maxim(data):
    """CRC-8/MAXIM of 1-Wire devices: polynomial 0x8C (reflected), start 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc
