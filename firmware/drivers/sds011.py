"""Nova SDS011 particles, UART 9600 8N1: frames of 10 bytes, 0xAA 0xC0 first, 0xAB last.

Fan and laser rest between readings if the node plans ahead: the laser lives for 8,000 hours, less than a year.
"""

from cityneuron.errors import SensorError
from drivers.frames import collect_frame, drain

COLUMNS = (("pm2_5_ug_m3", 1), ("pm10_ug_m3", 1))
WARM_UP_MS = 30_000  # data sheet: 30 s after waking
_FRAME_BYTES = 10
_HEAD = b"\xaa\xc0"
_MOST = 9_999  # 999.9 ug/m3


def _command(*data):
    body = bytes(data) + bytes(13 - len(data)) + b"\xff\xff"  # to whatever device is there
    return b"\xaa\xb4" + body + bytes((sum(body) & 0xFF, 0xAB))


_ASK, _WORK, _SLEEP = _command(4), _command(6, 1, 1), _command(6, 1, 0)


def decode(raw):
    """Return (PM2.5, PM10) in 0.1 ug/m3 of a 10-byte frame. Raises SensorError."""
    if len(raw) != _FRAME_BYTES or raw[:2] != _HEAD or raw[9] != 0xAB:
        raise SensorError("no SDS011 frame: %r" % bytes(raw), "check wiring; TX and RX swapped?")
    if sum(raw[2:8]) & 0xFF != raw[8]:
        raise SensorError("checksum is wrong: %r" % bytes(raw), "check wiring and earthing")
    fine, coarse = raw[2] | raw[3] << 8, raw[4] | raw[5] << 8
    if fine > _MOST or coarse > _MOST:
        raise SensorError("%d and %d are beyond 999.9 ug/m3" % (fine // 10, coarse // 10), "clean its inlet")
    return (fine, coarse)


async def wake(bus):
    """Start fan and laser. Said twice: a sleeping one may miss the first."""
    bus.write(_WORK)
    bus.write(_WORK)


async def rest(bus):
    """Stop fan and laser."""
    bus.write(_SLEEP)


async def read(bus):
    """Ask for a frame; one that is sent unasked will do as well."""
    drain(bus)
    bus.write(_ASK)
    return decode(await collect_frame(bus, _HEAD, _FRAME_BYTES, 1_500))
