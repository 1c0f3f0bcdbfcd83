"""A contact at a pin: door, cover, float switch. `open_level` is the pin's level that counts as 1.

With a contact to ground and the pin's pull-up, an open door reads 1. For another quantity name it in `as`:
{"driver": "contact", "bus": "pin1", "as": {"door_open": "cover_open"}}.
"""

import asyncio

from cityneuron.errors import SensorError

COLUMNS = (("door_open", 0),)
OPTIONS = {"open_level": 1}
_LOOKS, _LOOK_MS = 7, 5


def decode(raw, options):
    """Return (1 or 0,) of several looks at the pin: what most of them say. Raises SensorError."""
    if not raw or any(look not in (0, 1) for look in raw):
        raise SensorError("%r are no levels of a pin" % (raw,), "check `bus` in settings.json")
    is_high = 2 * sum(raw) > len(raw)
    return (1 if is_high == (options["open_level"] == 1) else 0,)


async def read(bus, options):
    """Look some times: contacts bounce."""
    looks = []
    for _ in range(_LOOKS):
        looks.append(bus.value())
        await asyncio.sleep_ms(_LOOK_MS)
    return decode(looks, options)
