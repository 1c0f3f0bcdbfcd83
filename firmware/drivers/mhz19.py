"""Winsen MH-Z19 (B, C) CO2, UART 9600 8N1: command 0x86, answers of 9 bytes."""

from cityneuron.errors import SensorError
from drivers.frames import collect_frame, drain

COLUMNS = (("co2_ppm", 0),)
WARM_UP_MS = 180_000  # data sheet: 3 minutes; it has no sleep
_ASK = b"\xff\x01\x86\x00\x00\x00\x00\x00\x79"
_HEAD = b"\xff\x86"
_FRAME_BYTES = 9
_MOST_PPM = 10_000


def decode(raw):
    """Return (ppm,) of a 9-byte answer. Raises SensorError."""
    if len(raw) != _FRAME_BYTES or raw[:2] != _HEAD:
        raise SensorError("no MH-Z19 answer: %r" % bytes(raw), "check wiring; TX and RX swapped?")
    if -sum(raw[1:8]) & 0xFF != raw[8]:
        raise SensorError("checksum is wrong: %r" % bytes(raw), "check wiring and earthing")
    co2_ppm = raw[2] << 8 | raw[3]
    if not 0 < co2_ppm <= _MOST_PPM:
        raise SensorError("%d ppm cannot be" % co2_ppm, "let it warm up; check its 5 V under load")
    return (co2_ppm,)


async def read(bus):
    """Ask for the concentration."""
    drain(bus)
    bus.write(_ASK)
    return decode(await collect_frame(bus, _HEAD, _FRAME_BYTES, 500))
