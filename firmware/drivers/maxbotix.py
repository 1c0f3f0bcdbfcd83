"""MaxBotix HRXL-MaxSonar-WR (MB7363 to MB7389), serial free-running: 9600 8N1, `R1234` and CR, in mm.

Models without inverted (TTL) output need a level inverter before the UART.
"""

from cityneuron.errors import SensorError
from drivers.frames import collect, drain, median

COLUMNS = (("distance_m", 3),)
_NEAREST_MM = 300  # closer targets read 300 too, so 300 says nothing
_NO_TARGET_MM = (5_000, 9_998, 9_999)  # what the 5 m and 10 m models say when nothing answers
_FRAME_BYTES = 6


def decode(raw):
    """Return (distance in mm,) of the first whole frame; None when there is no echo. Raises SensorError."""
    start = bytes(raw).find(b"R")
    frame = bytes(raw)[start : start + _FRAME_BYTES]
    if start < 0 or len(frame) < _FRAME_BYTES or frame[5] != 0x0D or not frame[1:5].isdigit():
        raise SensorError("no MaxBotix frame: %r" % bytes(raw), "is the serial output TTL, not inverted?")
    distance_mm = int(frame[1:5])
    return (None if distance_mm <= _NEAREST_MM or distance_mm in _NO_TARGET_MM else distance_mm,)


async def read(bus):
    """Take five frames as they come, each within 200 ms, and return the median."""
    echoes = []
    for _ in range(5):
        drain(bus)
        echoes.append(decode(await collect(bus, 2 * _FRAME_BYTES, 700))[0])
    return (median(echoes),)
