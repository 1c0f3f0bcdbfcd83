"""Modbus RTU as drivers need it: a question for registers, its answer checked. Modbus over serial line 1.02."""

from cityneuron.errors import SensorError
from drivers.frames import collect, drain

_EXCEPTIONS = {1: "illegal function", 2: "illegal register", 3: "illegal count", 4: "device failure", 6: "busy"}


def request(address, function, register, count):
    """Return the eight bytes that ask for `count` registers."""
    frame = bytes((address, function, register >> 8, register & 0xFF, count >> 8, count & 0xFF))
    crc = crc16_modbus(frame)
    return frame + bytes((crc & 0xFF, crc >> 8))


def words(raw, address, function, count):
    """Return the registers of an answer; `address` None: whoever answers. Raises SensorError."""
    if len(raw) < 5:
        raise SensorError("%d bytes are no Modbus answer" % len(raw), "check wiring and supply; swap A and B?")
    if crc16_modbus(raw[:-2]) != (raw[-2] | raw[-1] << 8):
        raise SensorError("checksum is wrong: %r" % bytes(raw[:8]), "check wiring, earthing, baud rate")
    if address is not None and raw[0] != address:
        raise SensorError("device %d answers for %d" % (raw[0], address), "give each device its own address")
    if raw[1] == function | 0x80:
        reason = _EXCEPTIONS.get(raw[2], "exception %d" % raw[2])
        raise SensorError("the device refuses: " + reason, "check its register and function in the manual")
    if raw[1] != function or raw[2] != 2 * count or len(raw) != 5 + 2 * count:
        raise SensorError("an answer to another question: %r" % bytes(raw[:8]), "is one master on the line?")
    return [raw[at] << 8 | raw[at + 1] for at in range(3, 3 + 2 * count, 2)]


async def ask(bus, question, timeout_ms=500):
    """Send a question and return the answer as it came: long, or the five bytes of a refusal.

    A transceiver that hears itself says the question first: that is no answer, and is passed over.
    """
    drain(bus)
    bus.write(question)
    head = await collect(bus, 5, timeout_ms)
    if head == question[:5]:  # or an answer that begins alike: register 0x0200, which holds 0
        head += await collect(bus, 2, timeout_ms)  # seven bytes are the shortest answer
        if head == question[:7]:
            await collect(bus, 1, timeout_ms)
            head = await collect(bus, 5, timeout_ms)
    if head[1] & 0x80:
        return head
    return head + await collect(bus, 5 + 2 * (question[4] << 8 | question[5]) - len(head), timeout_ms)


def crc16_modbus(data):
    """CRC-16/MODBUS: polynomial 0xA001 (reflected), start 0xFFFF, sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc
