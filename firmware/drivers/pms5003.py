"""Plantower PMS5003 particles, UART 9600 8N1: frames of 32 bytes, 0x42 0x4D first, asked for (passive mode).

Values "under atmospheric environment" (data 5, 6). Fan and laser rest between readings if the node plans ahead.
"""

from cityneuron.errors import SensorError
from drivers.frames import collect_frame, drain

COLUMNS = (("pm2_5_ug_m3", 0), ("pm10_ug_m3", 0))
WARM_UP_MS = 30_000  # data sheet: stable data 30 s after the fan started
_FRAME_BYTES = 32
_HEAD = b"\x42\x4d\x00\x1c"
_WAKE, _SLEEP = b"\x42\x4d\xe4\x00\x01\x01\x74", b"\x42\x4d\xe4\x00\x00\x01\x73"
_PASSIVE, _ASK = b"\x42\x4d\xe1\x00\x00\x01\x70", b"\x42\x4d\xe2\x00\x00\x01\x71"
_MOST_UG_M3 = 5_000


def decode(raw):
    """Return (PM2.5, PM10) in ug/m3 of a 32-byte frame. Raises SensorError."""
    if len(raw) != _FRAME_BYTES or raw[:4] != _HEAD:
        raise SensorError("no PMS5003 frame: %r" % bytes(raw[:8]), "check wiring; TX and RX swapped?")
    if sum(raw[:30]) != (raw[30] << 8 | raw[31]):
        raise SensorError("checksum is wrong", "check wiring and earthing")
    if raw[29]:
        raise SensorError("the PMS5003 reports error 0x%02X" % raw[29], "clean its fan, or replace it")
    fine, coarse = raw[12] << 8 | raw[13], raw[14] << 8 | raw[15]
    if coarse > _MOST_UG_M3 or fine > coarse:
        raise SensorError("PM2.5 %d and PM10 %d cannot be" % (fine, coarse), "clean it, or replace it")
    return (fine, coarse)


async def wake(bus):
    """Start fan and laser; answer only when asked."""
    bus.write(_WAKE)
    bus.write(_PASSIVE)


async def rest(bus):
    """Stop fan and laser: the laser lives for some 8,000 hours."""
    bus.write(_SLEEP)


async def read(bus):
    """Ask for a frame and return its values."""
    drain(bus)
    bus.write(_ASK)
    return decode(await collect_frame(bus, _HEAD, _FRAME_BYTES, 1_500))
