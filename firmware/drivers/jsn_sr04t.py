"""JSN-SR04T waterproof ultrasonic distance, UART on demand (mode 2, R27 = 120 kΩ): 9600 8N1.

Command 0x55; answer 0xFF, distance high, distance low (mm), sum of the three modulo 256. The module reckons
with 340 m/s: give it a thermometer (`temperature_from`), or 20 K cost 3.5 % of the distance.
"""

from micropython import const

from cityneuron.errors import SensorError
from cityneuron.root import root
from drivers.frames import collect, drain, median

COLUMNS = (("distance_m", 3),)
_NEAREST_MM = const(200)  # blind zone and reach of the data sheet
_FARTHEST_MM = const(8_000)
_ZERO_CK = const(27_315)  # 0 °C, and where sound has 340 m/s, in 0.01 K
_MODULE_CK = const(28_770)


def decode(raw):
    """Return (distance in mm,); None when there is no echo. Raises SensorError."""
    if len(raw) != 4 or raw[0] != 0xFF:
        raise SensorError("no JSN-SR04T frame: %r" % bytes(raw), "is mode 2 set (120 kΩ at R27)?")
    if sum(raw[:3]) & 0xFF != raw[3]:
        raise SensorError("checksum is wrong: %r" % bytes(raw), "check wiring and earthing")
    distance_mm = raw[1] << 8 | raw[2]
    return (distance_mm if _NEAREST_MM <= distance_mm <= _FARTHEST_MM else None,)


def compensated(values, centidegrees):
    """Return the distance for air of this temperature: sound goes as the root of the absolute one."""
    (distance_mm,) = values
    if distance_mm is None:
        return values
    return ((root(4 * distance_mm * distance_mm * (_ZERO_CK + centidegrees) // _MODULE_CK) + 1) // 2,)


async def read(bus):
    """Measure five times and return the median: a single echo may come from a wave or a spider's thread."""
    echoes = []
    for _ in range(5):
        drain(bus)
        bus.write(b"\x55")
        echoes.append(decode(await collect(bus, 4, 200))[0])
    return (median(echoes),)
