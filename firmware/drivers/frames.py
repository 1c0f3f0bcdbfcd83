"""What serial drivers share: collecting bytes from a UART within a time."""

import asyncio

from micropython import const

from cityneuron.errors import SensorError

_POLL_MS = const(5)


def drain(bus):
    """Throw away what stands in the receive buffer: it answers an older question."""
    waiting = bus.any()
    if waiting:
        bus.read(waiting)


async def collect(bus, length, timeout_ms):
    """Return exactly `length` bytes from a UART, or raise SensorError."""
    raw, waited_ms = bytearray(), 0
    while len(raw) < length:
        if bus.any():
            raw.extend(bus.read(length - len(raw)) or b"")
        elif waited_ms >= timeout_ms:
            raise SensorError(
                "%d of %d bytes after %d ms" % (len(raw), length, timeout_ms), "check wiring and supply"
            )
        else:
            await asyncio.sleep_ms(_POLL_MS)
            waited_ms += _POLL_MS
    return bytes(raw)


async def collect_frame(bus, head, length, timeout_ms):
    """Return the next `length` bytes that begin with `head`, whatever is before them. Raises SensorError."""
    raw, skipped = await collect(bus, len(head), timeout_ms), 0
    while raw != head:
        skipped += 1
        if skipped > 4 * length:
            raise SensorError(
                "no frame among %d bytes" % skipped, "check baud rate and that this is the sensor"
            )
        raw = raw[1:] + await collect(bus, 1, timeout_ms)
    return raw + await collect(bus, length - len(head), timeout_ms)


def median(echoes):
    """Return the middle of the echoes that came (None is one that did not), or None for fewer than three."""
    heard = sorted(echo for echo in echoes if echo is not None)
    return heard[len(heard) // 2] if len(heard) >= 3 else None
