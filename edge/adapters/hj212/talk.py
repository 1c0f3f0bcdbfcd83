"""One connection of loggers: their reports taken in, answered, and asked for again."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from edge.adapters.adapter import Clock, Heard
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.hj212.options import Options, zone
from edge.adapters.hj212.packet import Packet, check, device_of, read, written
from edge.adapters.hj212.reports import DATA, data_time_ms, report
from edge.adapters.hj212.stream import Piece, Splitter
from edge.adapters.hj212.times import digits14, digits17

INTERACTION = "91"
REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER = "9011", "9012", "9013", "9014"
_ANSWERS = frozenset((REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER))
_ASKS_FOR_TIME, _SETS_TIME = "1013", "1012"
_LONGEST_QN = 64  # answers repeat it
_HISTORY = frozenset(("2051", "2061", "2031", "2041"))

QN_RTN: dict[str, str] = {
    "1": "ready",
    "2": "refused",
    "3": "wrong PW",
    "4": "wrong MN",
    "5": "wrong ST",
    "6": "wrong Flag",
    "7": "wrong QN",
    "8": "wrong CN",
    "9": "wrong CRC",
    "100": "unknown error",
}
EXE_RTN: dict[str, str] = {
    "1": "done",
    "2": "failed",
    "3": "conditions not met",
    "4": "timed out",
    "5": "busy",
    "6": "system fault",
    "100": "no data",
}


class _Part(NamedTuple):
    """The packet of a report that came last."""

    moment_ms: int | None
    number: int
    qn: str | None

    def followed_by(self, packet: Packet) -> bool:
        """Tell whether a packet without a time is the next of the same report, or this one again."""
        number = packet.pno or 1
        return number > 1 and (number == self.number + 1 or (number, packet.qn) == (self.number, self.qn))


class LoggerTalk:
    """What loggers on one connection say; several stations may share it.

    A report that comes again is reported and answered again: its key (MN, CN, DataTime, PNO) makes it harmless.
    """

    def __init__(self, devices: Mapping[str, Any], clock: Clock) -> None:
        self._devices: Mapping[str, Options] = devices
        self._clock = clock
        self._splitter = Splitter(self._check)
        self._heard: dict[str, Packet] = {}  # MN -> its latest packet: its system and edition
        self._latest: dict[tuple[str, str], _Part] = {}  # (MN, CN) -> of the report that is coming
        self._last_qn_ms = 0

    def feed(self, data: bytes) -> list[Heard]:
        """Return what the packets say that are whole by now."""
        return [self._take(piece) for piece in self._splitter.feed(data)]

    def ask(self, device: str, series: str, first_ms: int, end_ms: int) -> bytes:
        """Return a request for minute, hour or day data; b"" for others, and for who was not heard here.

        EndTime is the end itself: loggers differ in whether it is still within.
        """
        latest = self._heard.get(device)
        if series not in _HISTORY or latest is None:
            return b""
        local = zone(self._devices[device].time_zone)
        begin, end = digits14(first_ms, local), digits14(end_ms + 999, local)
        return self._request(latest, series, f"BeginTime={begin},EndTime={end}")

    def _check(self, frame: bytes) -> FrameError | None:
        return check(frame, self._profile(device_of(frame)))

    def _profile(self, device: str) -> str:
        options = self._devices.get(device)
        return options.crc if options else ""

    def _take(self, piece: Piece) -> Heard:
        device = device_of(piece.raw)
        try:
            if piece.fault:
                raise piece.fault
            packet = read(piece.raw, self._profile(device))
            device = packet.mn or ""
            options = self._options(packet)
            self._heard[device] = packet
            return self._heard_of(piece.raw, packet, options)
        except FrameError as error:
            return Heard(frame=piece.raw, device=device, fault=error)

    def _options(self, packet: Packet) -> Options:
        options = self._devices.get(packet.mn or "")
        if options is None:
            raise FrameError("unknown", f"no station has the MN {packet.mn!r}", remedy="register the station")
        if not hmac.compare_digest((packet.pw or "").encode(), options.password.encode()):
            raise FrameError("password", f"station {packet.mn} sent another PW than it is registered with")
        if len(packet.qn or "") > _LONGEST_QN:
            raise FrameError("format", f"a QN of {len(packet.qn or '')} characters")
        return options

    def _heard_of(self, raw: bytes, packet: Packet, options: Options) -> Heard:
        assert packet.mn is not None  # it has options
        if packet.cn in _ANSWERS:
            _accept(packet)
            return Heard(frame=raw, device=packet.mn)
        found = report(packet, options, self._moment(packet, options)) if packet.cn in DATA else None
        reports = () if found is None else (found,)
        return Heard(frame=raw, device=packet.mn, reports=reports, answer=self._answer(packet, options))

    def _moment(self, packet: Packet, options: Options) -> int | None:
        """Return the packet's DataTime; that of the packet before it where a split report says it only once."""
        key, number = (packet.mn or "", packet.cn or ""), packet.pno or 1
        moment_ms = data_time_ms(packet, options)
        before = self._latest.get(key)
        if moment_ms is None and before is not None and before.followed_by(packet):
            moment_ms = before.moment_ms
        self._latest[key] = _Part(moment_ms, number, packet.qn)
        return moment_ms

    def _answer(self, packet: Packet, options: Options) -> bytes:
        asks_for_time = packet.cn == _ASKS_FOR_TIME
        answer = b""
        if packet.ack_required:
            answer = self._packet(
                packet,
                st=INTERACTION,
                cn=NOTICE_ANSWER if asks_for_time else DATA_ANSWER,
                qn=packet.qn,
                flag=packet.version << 2,
            )
        if asks_for_time:
            instrument = packet.fields.get("PolId")
            time = f"SystemTime={digits14(self._clock(), zone(options.time_zone))}"
            answer += self._request(packet, _SETS_TIME, f"PolId={instrument},{time}" if instrument else time)
        return answer

    def _request(self, latest: Packet, cn: str, cp: str) -> bytes:
        local = zone(self._devices[latest.mn or ""].time_zone)
        return self._packet(
            latest, st=latest.st or "", cn=cn, qn=self._qn(local), flag=latest.version << 2 | 1, cp=cp
        )

    def _packet(self, to: Packet, *, st: str, cn: str, qn: str | None, flag: int, cp: str = "") -> bytes:
        mn = to.mn or ""
        return written(cn=cn, st=st, mn=mn, pw=to.pw or "", flag=flag, qn=qn, cp=cp, profile=self._profile(mn))

    def _qn(self, local: ZoneInfo) -> str:
        self._last_qn_ms = max(self._clock(), self._last_qn_ms + 1)
        return digits17(self._last_qn_ms, local)


def _accept(packet: Packet) -> None:
    """Raise Refusal where a logger says no to what it was asked."""
    for key, meanings in (("QnRtn", QN_RTN), ("ExeRtn", EXE_RTN)):
        said = packet.fields.get(key)
        if said is not None and said != "1":
            raise Refusal("refused", f"{key}={said}: {meanings.get(said, 'not in the standard')}")
