"""One connection of stations that call: what they say is checked, told and answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from edge.adapters.adapter import Clock, Heard
from edge.adapters.frame import FrameError
from edge.adapters.sl651.body import KEEP_ALIVE, PERIOD, PICTURE, Body
from edge.adapters.sl651.elements import DEFINITIONS, ELEMENTS, RAIN_BLOCK, STAGE_BLOCKS
from edge.adapters.sl651.frame import (
    ACK,
    ENQ,
    EOT,
    ESC,
    ETB,
    ETX,
    NAK,
    STX,
    SYN,
    Frame,
    build,
    parse,
    station_of,
)
from edge.adapters.sl651.packets import Packets
from edge.adapters.sl651.queries import Queries, Query
from edge.adapters.sl651.readings import FIVE_MINUTES, HOURLY, TIMED, UNIFORM_SERIES, moment, reports
from edge.adapters.sl651.shown import read_body
from edge.adapters.sl651.station import Station
from edge.adapters.sl651.stream import Stream

_SET_CLOCK = 0x4A
_FIRST_ANSWER = 0x37
_MOST_REPORTS_IN_PACKETS = 8
_CLOCK_OFF_MS = 30_000
_CLOCK_AGAIN_MS = 3_600_000
_HOUR = timedelta(hours=1)
_DEFINITION = 0x23  # four bytes, three decimals
_BLOCKS_PACE_MIN = 0  # step 000000 goes with hour blocks: their values are five minutes apart anyhow
_ASKABLE = (FIVE_MINUTES, HOURLY, TIMED, UNIFORM_SERIES, "")
"""What comes at even steps; "" is a device whose series are one."""


class Link:
    """Stations of one connection; each is known by its address and let in by its password."""

    def __init__(self, stations: Mapping[str, Any], clock: Clock) -> None:
        self._stations = {address.upper(): options for address, options in stations.items()}
        self._clock = clock
        self._stream = Stream()
        self._heads: dict[str, Frame] = {}
        self._packets: dict[tuple[str, int], Packets] = {}
        self._queries: dict[str, Queries] = {}
        self._clock_set_ms: dict[str, int] = {}

    def feed(self, data: bytes) -> list[Heard]:
        """Take bytes as they come, cut anywhere; return what is whole by now. Never raises."""
        return [
            Heard(frame=raw, device=self._device(raw), fault=fault) if fault else self._heard(raw)
            for raw, fault in self._stream.feed(data)
        ]

    def ask(self, device: str, series: str, first_ms: int, end_ms: int) -> bytes:
        """Return a query (38H) for what a station has of these hours; b"" while another one is under way."""
        head, station = self._heads.get(device), self._stations.get(device)
        if head is None or station is None or series not in _ASKABLE or first_ms >= end_ms:
            return b""
        zone = ZoneInfo(station.zone)
        first = datetime.fromtimestamp(first_ms / 1000, zone).replace(minute=0, second=0, microsecond=0)
        end = (
            datetime.fromtimestamp((end_ms - 1) / 1000, zone).replace(minute=0, second=0, microsecond=0) + _HOUR
        )
        blocks = series == FIVE_MINUTES
        pace_min = _BLOCKS_PACE_MIN if blocks else 60 if series == HOURLY else station.pace_min
        queries = self._queries.setdefault(device, Queries(self._clock))
        for identifier in map(bytes.fromhex, station.history):
            if (identifier[0] == RAIN_BLOCK or identifier[0] in STAGE_BLOCKS) == blocks:
                queries.add(Query(series, f"{first} {end}", _period(head, first, end, identifier, pace_min)))
        return self._query(head)

    def _device(self, raw: bytes) -> str:
        address = station_of(raw)
        return address if address in self._stations else ""

    def _heard(self, raw: bytes) -> Heard:
        frame = parse(raw)
        if frame.direction == "down":  # our own words, sent back by a modem
            return Heard(frame=raw, device=self._device(raw))
        try:
            return self._taken(raw, frame)
        except FrameError as error:
            return Heard(frame=raw, device=frame.station, fault=error)

    def _taken(self, raw: bytes, frame: Frame) -> Heard:
        station = self._stations.get(frame.station)
        if station is None:
            raise FrameError(
                "station", f"{frame.station} is not registered", remedy="give it a [[source.device]]"
            )
        if station.password and station.password.upper() != frame.password:
            raise FrameError("password", f"{frame.station} says {frame.password}")
        self._heads[frame.station] = replace(frame, body=b"")
        if frame.function == KEEP_ALIVE:
            return Heard(frame=raw, device=frame.station)
        if frame.start == SYN and frame.total > 1:
            return self._packet(raw, frame, station)
        return self._whole(raw, frame, read_body(frame, frame.body), station)

    def _whole(self, raw: bytes, frame: Frame, body: Body, station: Station) -> Heard:
        queries = self._queries.get(frame.station) if frame.function == PERIOD else None
        found = reports(frame.station, frame.function, body, station, queries.series if queries else "")
        query = b""
        if queries is not None and frame.end == ETX:
            found = queries.answered(found)
            query = self._query(frame)
        end = _end(frame, station, more=bool(query))
        answer = self._down(frame, frame.function, b"", end=end, serial=body.serial)
        answer += query + self._clock_command(frame, body, station)
        return Heard(frame=raw, device=frame.station, reports=found, answer=answer)

    def _packet(self, raw: bytes, frame: Frame, station: Station) -> Heard:
        key = frame.station, frame.function
        packets = self._packets.get(key)
        if packets is None or packets.total != frame.total:
            while len(self._packets) >= _MOST_REPORTS_IN_PACKETS:
                del self._packets[next(iter(self._packets))]
            packets = self._packets[key] = Packets(frame.total)
        try:
            packets.add(frame, last=frame.end == ETX)
        except FrameError:
            del self._packets[key]
            raise
        missing = packets.missing()
        if packets.ended and not missing:
            del self._packets[key]
            body = read_body(frame, packets.body(), cut=frame.function == PICTURE)
            return self._whole(raw, replace(frame, end=ETX), body, station)
        answer = b""
        if packets.ended:
            answer = self._down(
                frame, frame.function, b"", end=NAK, serial=packets.serial(), packet=(frame.total, missing)
            )
        elif frame.function >= _FIRST_ANSWER:
            answer = self._down(frame, frame.function, b"", end=ACK, serial=packets.serial())
        return Heard(frame=raw, device=frame.station, answer=answer)

    def _query(self, head: Frame) -> bytes:
        """Return the next query that waits, once the station is free to answer it."""
        query = self._queries[head.station].next()
        return self._down(head, PERIOD, query.params, end=ENQ, serial=0) if query else b""

    def _clock_command(self, frame: Frame, body: Body, station: Station) -> bytes:
        """Return a command that sets a clock which is off, at most once an hour."""
        now_ms = self._clock()
        if not station.set_clock or not station.stay or frame.function >= _FIRST_ANSWER:
            return b""
        if now_ms - self._clock_set_ms.get(frame.station, now_ms - _CLOCK_AGAIN_MS) < _CLOCK_AGAIN_MS:
            return b""
        if abs(_sent_ms(body, station) - now_ms) <= _CLOCK_OFF_MS:
            return b""
        self._clock_set_ms[frame.station] = now_ms
        return self._down(frame, _SET_CLOCK, b"", end=ENQ, serial=0)

    def _down(
        self,
        head: Frame,
        function: int,
        params: bytes,
        *,
        end: int,
        serial: int,
        packet: tuple[int, int] = (0, 0),
    ) -> bytes:
        """Return a frame for the station of `head`, in its own coding, with our time in its zone."""
        zone = ZoneInfo(self._stations[head.station].zone)
        now = f"{datetime.fromtimestamp(self._clock() / 1000, zone):%y%m%d%H%M%S}"
        opening = f"{serial:04X}{now}"
        return build(
            Frame(
                direction="down", center=head.center, station=head.station, password=head.password,
                function=function, body=(opening.encode() if head.text else bytes.fromhex(opening)) + params,
                start=SYN if packet[0] else STX, total=packet[0], number=packet[1], end=end, text=head.text,
            )
        )  # fmt: skip


def _end(frame: Frame, station: Station, *, more: bool) -> int:
    """Return how an answer ends: whether the station may hang up."""
    if frame.end == ETB:
        return ACK
    stays = more if frame.function >= _FIRST_ANSWER else station.stay and frame.start == STX
    return ESC if stays else EOT


def _sent_ms(body: Body, station: Station) -> float:
    """Return when a station says that it is, epoch milliseconds; 0 where that is no time at all."""
    try:
        return moment(body.sent_at, ZoneInfo(station.zone)).timestamp() * 1000
    except FrameError:
        return 0.0


def _period(head: Frame, first: datetime, end: datetime, identifier: bytes, pace_min: int) -> bytes:
    """Return what a query asks for: from hour, to hour, time step, and the two bytes of an identifier."""
    hours, number = (f"{first:%y%m%d%H}", f"{end:%y%m%d%H}"), identifier[0]
    days, hour, minute = pace_min // 1440, pace_min // 60 % 24, pace_min % 60
    if head.text:
        code = ELEMENTS[number].code if number in ELEMENTS else f"{number:02X}"
        step = f"DRD{days:02d}" if days else f"DRN{minute:02d}" if minute else f"DRH{hour:02d}"
        return f"{hours[0]} {hours[1]} {step} {code} ".encode()
    element = identifier if len(identifier) > 1 else bytes((number, DEFINITIONS.get(number, _DEFINITION)))
    return bytes.fromhex(f"{''.join(hours)}0418{days:02d}{hour:02d}{minute:02d}") + element
