"""A frame of SL 651-2014, in bytes (HEX/BCD) or characters (ASCII): where it begins, ends and is damaged."""

from __future__ import annotations

from dataclasses import dataclass

from edge.adapters.frame import FrameError

STX, SYN, SOH = 0x02, 0x16, 0x01
ETX, EOT, ENQ, ACK, NAK, ETB, ESC = 0x03, 0x04, 0x05, 0x06, 0x15, 0x17, 0x1B
NAMES = {
    STX: "STX", SYN: "SYN", ETX: "ETX", ETB: "ETB", ENQ: "ENQ", ACK: "ACK", EOT: "EOT", NAK: "NAK", ESC: "ESC",
}  # fmt: skip
_ENDS = {"up": (ETX, ETB), "down": (ENQ, ACK, EOT, NAK, ESC)}
_DIRECTIONS = {0x0: "up", 0x8: "down"}

START = b"\x7e\x7e"
HEAD_BYTES, TAIL_BYTES = 14, 3
TEXT_HEAD_BYTES, TEXT_TAIL_BYTES = 24, 5
_HEX_DIGITS = frozenset(b"0123456789ABCDEFabcdef")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What stands around a body. `total` and `number` count the packets of a SYN frame, both from 1.

    `station` and `password` are hex digits. `text` tells the ASCII coding; then `body` is characters.
    """

    direction: str
    center: int
    station: str
    password: str
    function: int
    body: bytes
    end: int
    start: int = STX
    total: int = 0
    number: int = 0
    text: bool = False
    length: int = 0
    crc: str = ""


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        found.append(value)
    return tuple(found)


_TABLE = _table()


def crc16(data: bytes) -> int:
    """Return the CRC (polynomial A001h, start FFFFh); it goes out high byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def size(head: bytes) -> int | None:
    """Return how many bytes a frame has that starts so: 0 where none does, None where it is too early."""
    if head[:1] == bytes((SOH,)):
        digits = head[1 : TEXT_HEAD_BYTES - 1]
        if not _HEX_DIGITS.issuperset(digits):
            return 0
        if len(head) < TEXT_HEAD_BYTES:
            return None
        plausible = head[19:20] in b"08" and head[TEXT_HEAD_BYTES - 1] in (STX, SYN)
        return TEXT_HEAD_BYTES + int(head[20:23], 16) + TEXT_TAIL_BYTES if plausible else 0
    if not START.startswith(head[:2]):
        return 0
    if len(head) < HEAD_BYTES:
        return None
    plausible = head[11] >> 4 in _DIRECTIONS and head[13] in (STX, SYN)
    return HEAD_BYTES + ((head[11] & 0x0F) << 8 | head[12]) + TAIL_BYTES if plausible else 0


def station_of(raw: bytes) -> str:
    """Return the station of a frame from outside, right or not; "" where its head is not there."""
    if raw[:1] == bytes((SOH,)):
        digits = raw[3:13]
        return digits.decode().upper() if len(digits) == 10 and _HEX_DIGITS.issuperset(digits) else ""
    if len(raw) < HEAD_BYTES or raw[:2] != START:
        return ""
    return raw[2:7].hex().upper() if raw[11] >> 4 == 0x8 else raw[3:8].hex().upper()


def parse(raw: bytes) -> Frame:
    """Return the frame that `raw` is, neither shorter nor longer. Raises FrameError."""
    return _parse_text(raw) if raw[:1] == bytes((SOH,)) else _parse_bytes(raw)


def _parse_bytes(raw: bytes) -> Frame:
    if raw[:2] != START:
        raise FrameError("header", f"a frame starts with 7E7E, not {raw[:2].hex().upper() or 'nothing'}")
    if len(raw) < HEAD_BYTES + TAIL_BYTES:
        raise FrameError("truncated", f"{len(raw)} bytes are less than head and tail")
    length = (raw[11] & 0x0F) << 8 | raw[12]
    _check_size(raw, HEAD_BYTES + length + TAIL_BYTES)
    crc = raw[-2:].hex().upper()
    _check_crc(raw[:-2], crc)
    content, packets = raw[HEAD_BYTES:-TAIL_BYTES], raw[HEAD_BYTES : HEAD_BYTES + 3].hex()
    up = raw[11] >> 4 != 0x8
    return _checked(
        nibble=raw[11] >> 4, center=raw[2] if up else raw[7], station=(raw[3:8] if up else raw[2:7]).hex(),
        password=raw[8:10].hex(), function=raw[10], start=raw[13], content=content, packets=packets, skip=3,
        end=raw[-3], length=length, crc=crc, text=False,
    )  # fmt: skip


def _parse_text(raw: bytes) -> Frame:
    head = raw[1 : TEXT_HEAD_BYTES - 1]
    if not _HEX_DIGITS.issuperset(head):
        raise FrameError("header", "the head of an ASCII frame is hex digits")
    if len(raw) < TEXT_HEAD_BYTES + TEXT_TAIL_BYTES:
        raise FrameError("truncated", f"{len(raw)} characters are less than head and tail")
    length = int(head[19:22], 16)
    _check_size(raw, TEXT_HEAD_BYTES + length + TEXT_TAIL_BYTES)
    crc = raw[-4:].decode("ascii", "replace").upper()
    _check_crc(raw[:-4], crc)
    content, packets = raw[TEXT_HEAD_BYTES:-TEXT_TAIL_BYTES], raw[TEXT_HEAD_BYTES : TEXT_HEAD_BYTES + 6]
    nibble, addresses = int(head[18:19], 16), head[:12].decode()
    up = nibble != 0x8
    return _checked(
        nibble=nibble, center=int(addresses[:2] if up else addresses[10:], 16),
        station=addresses[2:] if up else addresses[:10], password=head[12:16].decode(),
        function=int(head[16:18], 16), start=raw[TEXT_HEAD_BYTES - 1], content=content,
        packets=packets.decode("ascii", "replace"), skip=6, end=raw[-TEXT_TAIL_BYTES], length=length, crc=crc,
        text=True,
    )  # fmt: skip


def _check_size(raw: bytes, expected: int) -> None:
    if len(raw) < expected:
        raise FrameError("truncated", f"{len(raw)} of {expected} bytes")
    if len(raw) > expected:
        raise FrameError("length", f"{len(raw) - expected} bytes after the CRC")


def _check_crc(covered: bytes, found: str) -> None:
    expected = f"{crc16(covered):04X}"
    if found != expected:
        raise FrameError("crc", f"the frame says {found}, its bytes give {expected}")


def _checked(
    *, nibble: int, center: int, station: str, password: str, function: int, start: int, content: bytes,
    packets: str, skip: int, end: int, length: int, crc: str, text: bool,
) -> Frame:  # fmt: skip
    direction = _DIRECTIONS.get(nibble)
    if direction is None:
        raise FrameError("format", f"direction {nibble:X} is neither 0 (up) nor 8 (down)")
    if start not in (STX, SYN):
        raise FrameError("format", f"start character {start:02X} is neither STX nor SYN")
    if end not in _ENDS[direction]:
        raise FrameError("end", f"no {direction} frame ends with {end:02X}")
    total = number = 0
    if start == SYN:
        if len(content) < skip or not _HEX_DIGITS.issuperset(packets.encode()):
            raise FrameError("format", "a SYN frame without the numbers of its packets")
        total, number = int(packets[:3], 16), int(packets[3:], 16)
        content = content[skip:]
        if not 1 <= number <= total:
            raise FrameError("format", f"packet {number} of {total}")
    return Frame(
        direction=direction, center=center, station=station.upper(), password=password.upper(),
        function=function, start=start, total=total, number=number, body=content, end=end, text=text,
        length=length, crc=crc,
    )  # fmt: skip


def build(frame: Frame) -> bytes:
    """Return a frame's bytes; its length and CRC are worked out here."""
    packets = f"{frame.total:03X}{frame.number:03X}" if frame.start == SYN else ""
    nibble = 0x0 if frame.direction == "up" else 0x8
    ends = (f"{frame.center:02X}", frame.station)
    addresses = "".join(ends if frame.direction == "up" else reversed(ends))
    content = (packets.encode() if frame.text else bytes.fromhex(packets)) + frame.body
    head = f"{addresses}{frame.password}{frame.function:02X}{nibble:X}{len(content):03X}"
    start = bytes((SOH,)) + head.encode() if frame.text else START + bytes.fromhex(head)
    covered = start + bytes((frame.start,)) + content + bytes((frame.end,))
    crc = crc16(covered)
    return covered + (f"{crc:04X}".encode() if frame.text else crc.to_bytes(2, "big"))
