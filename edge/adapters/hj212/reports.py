"""What a data packet reports: its values with the station's own marks, at the time that the standard says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from edge.adapters.frame import FrameError
from edge.adapters.hj212.factors import scale
from edge.adapters.hj212.options import Options, zone
from edge.adapters.hj212.packet import Packet
from edge.adapters.hj212.times import time_ms
from edge.adapters.report import Report, Value
from edge.model.quality import Flag

MOMENTS = frozenset(("2011", "2021"))
"""Data of a moment: DataTime is that moment."""
PERIODS = frozenset(("2051", "2061", "2031", "2041"))
"""Data of minutes, an hour, a day: DataTime is the start of the period."""
DATA = MOMENTS | PERIODS

MARKS: dict[str, Flag] = {
    "N": Flag.NOT_EVALUATED,  # normal: the one mark of a measurement
    "F": Flag.FAIL,  # the source stands still
    "M": Flag.FAIL,  # under maintenance
    "D": Flag.FAIL,  # fault
    "C": Flag.FAIL,  # being calibrated
    "B": Flag.FAIL,  # no link to the instrument
    "S": Flag.SUSPECT,  # set by hand
    "T": Flag.SUSPECT,  # above the range: "at least"
}
_NOT_NUMBERS = frozenset(("Flag", "EFlag", "SampleTime", "Info", "SN"))
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def data_time_ms(packet: Packet, options: Options) -> int | None:
    """Return the packet's DataTime; None where it has none. Raises FrameError `time`."""
    said = packet.fields.get("DataTime")
    return time_ms(said, zone(options.time_zone)) if said else None


def report(packet: Packet, options: Options, moment_ms: int | None) -> Report | None:
    """Return the reading of a data packet; None where it bears no value. Raises FrameError `time`.

    Each packet of a split report is a reading of its own ("2051/2"): the logger is answered, and forgets,
    packet by packet.
    """
    if packet.cn not in DATA or packet.mn is None or not (found := tuple(values(packet, options))):
        return None
    if moment_ms is None and (packet.cn in PERIODS or (packet.pno or 1) > 1):
        raise FrameError("time", "there is no DataTime")
    series = packet.cn if (packet.pno or 1) < 2 else f"{packet.cn}/{packet.pno}"
    return Report(device=packet.mn, values=found, time_ms=moment_ms, series=series)


def values(packet: Packet, options: Options) -> Iterator[Value]:
    """Yield the numbers of all factors under `code-suffix`, in the units of the catalogue's words."""
    marks = _marks(packet)
    for code, told in packet.factors.items():
        mark = marks.get(code)
        for suffix, raw in told.items():
            if suffix not in _NOT_NUMBERS:
                number = _number(raw)
                factor = scale(code, suffix, options.dust, options.gases, options.carbon_monoxide)
                flag = Flag.MISSING if number is None else _flag(mark)
                yield Value(f"{code}-{suffix}", None if number is None else number * factor, flag)


def _marks(packet: Packet) -> dict[str, str]:
    """Return the mark of each factor that has one, its own or a `Flag=N` that stands behind it on its own."""
    marks: dict[str, str] = {}
    last: list[str] = []
    for item in packet.items:
        codes = [key.partition("-")[0] for key, _ in item if "-" in key]
        last = codes or last
        for key, value in item:
            code, _, suffix = key.partition("-")
            if suffix == "Flag":
                marks[code] = value
            elif key == "Flag":
                marks = {**dict.fromkeys(last, value), **marks}
    return marks


def _flag(mark: str | None) -> Flag:
    return Flag.NOT_EVALUATED if mark is None else MARKS.get(mark.upper(), Flag.SUSPECT)


def _number(raw: str) -> float | None:
    if not _NUMBER.fullmatch(raw) or not math.isfinite(number := float(raw)):
        return None
    return number
