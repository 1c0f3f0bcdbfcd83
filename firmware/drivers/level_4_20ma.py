"""A pressure level with a 4-20 mA loop, measured as the voltage over a shunt at an ADC.

Limits of NAMUR NE 43: below 3.6 mA the loop is open, above 21 mA it is shorted or the probe broken, 3.8 to
20.5 mA is a measurement. `span_mm` is the range on the probe's label, `zero_mm` the height of its membrane over
the gauge's zero.
"""

from cityneuron.errors import SensorError
from drivers.analog import middle, several

COLUMNS = (("level_m", 3),)
OPTIONS = {"span_mm": None, "zero_mm": 0, "shunt_mohm": 100_000}


def decode(raw, options):
    """Return (level in mm over the gauge's zero,) of readings in microvolts. Raises SensorError."""
    current_ua = middle(raw) * 1_000 // options["shunt_mohm"]
    if current_ua < 3_600:
        raise SensorError("the loop is open: %d uA" % current_ua, "check the probe's supply and its two wires")
    if current_ua > 21_000:
        raise SensorError(
            "over range: %d uA" % current_ua, "is the loop shorted, or the shunt not as shunt_mohm?"
        )
    if not 3_800 <= current_ua <= 20_500:
        raise SensorError("%d uA is beyond the probe's range" % current_ua, "is the water within span_mm?")
    return (options["zero_mm"] + ((current_ua - 4_000) * options["span_mm"] + 8_000) // 16_000,)


async def read(bus, options):
    """Measure the loop. `bus` is an ADC."""
    return decode(several(bus), options)
