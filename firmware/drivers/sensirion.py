"""What Sensirion's I2C sensors share: commands of 16 bits, and words of 16 bits with a CRC-8 each."""

import asyncio

from cityneuron.errors import SensorError


def command(number, *arguments):
    """Return the bytes of a command and its argument words."""
    raw = bytes((number >> 8, number & 0xFF))
    for word in arguments:
        pair = bytes((word >> 8, word & 0xFF))
        raw += pair + bytes((crc8_sensirion(pair),))
    return raw


def words(raw, count):
    """Return the `count` words of an answer. Raises SensorError."""
    if len(raw) != 3 * count:
        raise SensorError("%d of %d bytes" % (len(raw), 3 * count), "check wiring and supply")
    found = []
    for at in range(0, 3 * count, 3):
        if crc8_sensirion(raw[at : at + 2]) != raw[at + 2]:
            raise SensorError("checksum of word %d is wrong" % (at // 3), "shorten the cable; check pull-ups")
        found.append(raw[at] << 8 | raw[at + 1])
    return found


async def begin(bus, address, stop, start, wait_ms):
    """Let a sensor measure. One that does so since before a restart of the node takes a stop first."""
    try:
        bus.writeto(address, command(stop))
        await asyncio.sleep_ms(wait_ms)
    except OSError:
        pass  # it is idle; if nobody is there, the start says so
    bus.writeto(address, start)


async def ask(bus, address, number, count, wait_ms=2):
    """Send a command and return the bytes of its answer of `count` words."""
    bus.writeto(address, command(number))
    await asyncio.sleep_ms(wait_ms)
    return bus.readfrom(address, 3 * count)


def crc8_sensirion(data):
    """CRC-8 of Sensirion's words: polynomial 0x31, start 0xFF; of 0xBE 0xEF it is 0x92."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc
