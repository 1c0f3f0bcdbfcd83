"""A packet of HJ 212: what its data segment says, and how one is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edge.adapters.frame import FrameError
from edge.adapters.hj212 import crc
from edge.adapters.hj212.stream import CRC, HEAD, TAIL, length

Item = tuple[tuple[str, str], ...]
"""The pairs between two semicolons of CP, in their order."""

_OPEN, _CLOSE = b"CP=&&", b"&&"
_MN = re.compile(rb"MN=([^;&]{1,64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """The fields of a data segment as they were written; None where one is missing."""

    qn: str | None = None
    st: str | None = None
    cn: str | None = None
    pw: str | None = None
    mn: str | None = None
    flag: int | None = None
    pnum: int | None = None
    pno: int | None = None
    items: tuple[Item, ...] = ()
    crc: str = ""

    @property
    def version(self) -> int:
        """Which edition of the standard the sender follows: 0 is 2005, 1 is 2017, 2 is 2025."""
        return (self.flag or 0) >> 2

    @property
    def numbered(self) -> bool:
        """Whether the packet says that it is one of several."""
        return bool((self.flag or 0) & 2)

    @property
    def ack_required(self) -> bool:
        """Whether the sender wants an answer."""
        return bool((self.flag or 0) & 1)

    @property
    def fields(self) -> dict[str, str]:
        """The pairs of CP that are no factor's: DataTime, QnRtn, RtdInterval..."""
        return {key: value for item in self.items for key, value in item if "-" not in key}

    @property
    def factors(self) -> dict[str, dict[str, str]]:
        """What CP says of each factor: code -> suffix -> value."""
        found: dict[str, dict[str, str]] = {}
        for item in self.items:
            for key, value in item:
                code, dash, suffix = key.partition("-")
                if dash:
                    found.setdefault(code, {})[suffix] = value
        return found


def check(frame: bytes, profile: str = "") -> FrameError | None:
    """Return what is wrong with a frame of the right length: its CRC."""
    segment, digits = frame[HEAD : -CRC - TAIL], frame[-CRC - TAIL : -TAIL]
    if crc.fits(segment, digits, profile):
        return None
    said = digits.decode("ascii").upper()
    for name in ("crc16-modbus", "crc16-modbus-low-first"):
        if name != profile and crc.fits(segment, digits, name):
            return FrameError("crc", f"{said} is {name}", remedy=f'allow the device crc = "{name}"')
    return FrameError("crc", f"{said}, where {crc.printed(segment).decode()} was expected")


def read(frame: bytes, profile: str = "") -> Packet:
    """Return the packet of one whole frame, ## to CR LF.

    Raises FrameError: header, truncated, length, crc, format.
    """
    size = length(frame)
    if size is None:
        raise FrameError("truncated", f"{len(frame)} bytes are not the whole packet")
    if size != len(frame):
        raise FrameError("length", f"{len(frame) - size} bytes follow the packet")
    if fault := check(frame, profile):
        raise fault
    return _parsed(frame[HEAD : -CRC - TAIL], frame[-CRC - TAIL : -TAIL].decode().upper())


def device_of(raw: bytes) -> str:
    """Return the MN that a packet seems to bear, whole or not; "" where none can be read."""
    found = _MN.search(raw)
    return text(found[1]).strip() if found else ""


def text(raw: bytes) -> str:
    """Return the text: UTF-8, or GB 18030 where an older logger wrote that."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def written(
    *,
    cn: str,
    st: str,
    mn: str,
    pw: str,
    flag: int,
    qn: str | None = None,
    cp: str = "",
    part: tuple[int, int] | None = None,
    profile: str = "",
) -> bytes:
    """Return a packet in its frame; `part` is (PNUM, PNO) of one that was split."""
    head = [f"QN={qn}"] if qn else []
    head += [f"ST={st}", f"CN={cn}", f"PW={pw}", f"MN={mn}", f"Flag={flag}"]
    if part:
        head += [f"PNUM={part[0]}", f"PNO={part[1]}"]
    segment = f"{';'.join(head)};CP=&&{cp}&&".encode()
    return b"##%04d%s%s\r\n" % (len(segment), segment, crc.printed(segment, profile))


def _parsed(segment: bytes, digits: str) -> Packet:
    opening = segment.find(_OPEN)
    if opening < 0:
        raise FrameError("format", "there is no CP=&&")
    body = segment[opening + len(_OPEN) :]
    if not body.endswith(_CLOSE):
        raise FrameError("format", "CP is not closed by &&")
    head = dict(_pairs(text(segment[:opening]).split(";")))
    items = (tuple(_pairs(item.split(","))) for item in text(body[: -len(_CLOSE)]).split(";"))
    return Packet(
        qn=head.get("QN"),
        st=head.get("ST"),
        cn=head.get("CN"),
        pw=head.get("PW"),
        mn=head.get("MN"),
        flag=_number(head, "Flag", 255),
        pnum=_number(head, "PNUM", 9999),
        pno=_number(head, "PNO", 9999),
        items=tuple(item for item in items if item),
        crc=digits,
    )


def _pairs(parts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for part in parts:
        key, equals, value = part.partition("=")
        if equals and key.strip():
            yield key.strip(), value.strip()


def _number(head: dict[str, str], key: str, most: int) -> int | None:
    if not (said := head.get(key)):
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 6 and int(said) <= most):
        raise FrameError("format", f"{key}={said} is no number from 0 to {most}")
    return int(said)
