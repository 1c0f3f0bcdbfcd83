"""InvenSense MPU-6050 as an inclinometer on I2C: how far one axis stands off the horizontal.

`axis` is x, y or z as printed on the board; `zero_mdeg` what it shows where the structure is straight.
"""

import asyncio
from struct import unpack_from

from cityneuron.errors import SensorError
from cityneuron.fixed import arctangent
from cityneuron.root import root

COLUMNS = (("tilt_deg", 3),)
OPTIONS = {"axis": "x", "zero_mdeg": 0, "address": 0x68}
_POWER, _FILTER, _SCALE, _ACCELERATION, _WHO = 0x6B, 0x1A, 0x1C, 0x3B, 0x75
_WHO_AM_I = (0x68, 0x70)  # MPU-6050; MPU-6500, which is sold as one
_ONE_G = 16_384
_SAMPLES = 32
_SAMPLE_MS = 20
_SETTLE_MS = 100


def decode(raw, options):
    """Return (tilt in 0.001 degree,) of accelerations, 6 bytes a sample. Raises SensorError."""
    if not raw or len(raw) % 6:
        raise SensorError("%d bytes are no accelerations" % len(raw), "check wiring")
    sums = [0, 0, 0]
    for at in range(0, len(raw), 6):
        for index, value in enumerate(unpack_from(">hhh", raw, at)):
            sums[index] += value
    axis = "xyz".find(options["axis"])
    if axis < 0:
        raise SensorError("there is no axis %r" % options["axis"], "set `axis` to x, y or z")
    along = sums.pop(axis)
    across = root(sums[0] * sums[0] + sums[1] * sums[1])
    total = root(along * along + across * across) * 6 // len(raw)
    if not 8 * _ONE_G <= 10 * total <= 12 * _ONE_G:
        raise SensorError("%d %% of gravity" % (100 * total // _ONE_G), "is it mounted firmly? else replace it")
    return ((arctangent(along, across) + 500) // 1_000 - options["zero_mdeg"],)


async def read(bus, options):
    """Take the mean of some samples, behind the 5 Hz filter; sleep between readings."""
    address = options["address"]
    if bus.readfrom_mem(address, _WHO, 1)[0] not in _WHO_AM_I:
        raise SensorError("no MPU-6050 at address 0x%02X" % address, "check AD0 and `address`")
    bus.writeto_mem(address, _POWER, b"\x00")
    bus.writeto_mem(address, _FILTER, b"\x06")
    bus.writeto_mem(address, _SCALE, b"\x00")
    await asyncio.sleep_ms(_SETTLE_MS)
    raw = bytearray()
    for _ in range(_SAMPLES):
        raw += bus.readfrom_mem(address, _ACCELERATION, 6)
        await asyncio.sleep_ms(_SAMPLE_MS)
    bus.writeto_mem(address, _POWER, b"\x40")
    return decode(raw, options)
