"""A submersible pressure level on RS-485, Modbus RTU: one holding register, signed, over a transceiver.

`step_um` is what one count means (1000: mm), `span_mm` the range on the probe's label, `zero_mm` the height of
its membrane over the gauge's zero.
"""

from cityneuron.errors import SensorError
from drivers import modbus

COLUMNS = (("level_m", 3),)
OPTIONS = {"span_mm": None, "zero_mm": 0, "address": 1, "register": 4, "function": 3, "step_um": 1_000}


def decode(raw, options):
    """Return (level in mm over the gauge's zero,). Raises SensorError."""
    (count,) = modbus.words(raw, options["address"], options["function"], 1)
    if count in (0x7FFF, 0x8000, 0xFFFF):
        raise SensorError("the probe reports a fault (0x%04X)" % count, "check the probe and its cable")
    count -= (count & 0x8000) << 1
    depth_mm = (count * options["step_um"] + 500) // 1_000
    if not -options["span_mm"] // 50 <= depth_mm <= options["span_mm"] * 105 // 100:
        raise SensorError("%d mm is beyond the probe's range" % depth_mm, "check span_mm, step_um and register")
    return (options["zero_mm"] + depth_mm,)


async def read(bus, options):
    """Ask the probe and return its level."""
    return decode(
        await modbus.ask(bus, modbus.request(options["address"], options["function"], options["register"], 1)),
        options,
    )
