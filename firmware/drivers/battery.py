"""The node's battery, through two resistors at an ADC: `upper_ohm` to the battery, `lower_ohm` to ground."""

from cityneuron.errors import SensorError
from drivers.analog import middle, several

COLUMNS = (("battery_v", 2),)
OPTIONS = {"upper_ohm": 300_000, "lower_ohm": 100_000}
_LEAST_UV, _MOST_UV = 50_000, 3_050_000  # a pin that hangs free; where an ESP32's converter is at its end


def decode(raw, options):
    """Return (0.01 V,) of readings in microvolts. Raises SensorError."""
    pin_uv = middle(raw)
    if pin_uv < _LEAST_UV:
        raise SensorError("no voltage at the divider", "check its wires and fuse")
    if pin_uv > _MOST_UV:
        raise SensorError("the divider gives %d mV" % (pin_uv // 1_000), "take a larger upper resistor")
    whole_uv = pin_uv * (options["upper_ohm"] + options["lower_ohm"]) // options["lower_ohm"]
    return ((whole_uv + 5_000) // 10_000,)


async def read(bus, options):
    """Measure. `bus` is an ADC."""
    return decode(several(bus), options)
