"""Our stations' reports upward to an environmental platform, and what it may ask of them; without a socket.

report -> packets out -> 9014 in: Delivered
                      -> silence: again, at most `repeats` times, then Undelivered
request in -> 9011 out -> what it asked for -> 9012 out
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from edge.adapters.frame import FrameError
from edge.adapters.hj212.figures import Figure, parts
from edge.adapters.hj212.options import zone
from edge.adapters.hj212.packet import Packet, check, read, written
from edge.adapters.hj212.station import SET, TOLD, Station, changed
from edge.adapters.hj212.stream import Splitter
from edge.adapters.hj212.times import digits14, digits17, time_ms

_HISTORY = frozenset(("2051", "2061", "2031"))
_REAL_TIME = frozenset(("2011", "2012"))
_ANSWERS = frozenset(("9011", "9012", "9013"))
_LONGEST = 64  # of what an answer repeats
_NOT_THEIRS = frozenset(("1012", "1072"))  # our clock and our passwords are not the platform's to set
_FOLLOWED = _HISTORY | _REAL_TIME | TOLD.keys() | SET.keys()


@dataclass(frozen=True, slots=True)
class Delivered:
    """The platform has the whole of a report."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The platform did not answer for a report, however often it was sent: it is still ours."""

    ticket: int


@dataclass(frozen=True, slots=True)
class HistoryAsked:
    """The platform wants the reports of [begin_ms, end_ms]; answer with `Client.history`."""

    request: Packet
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Changed:
    """The platform has set something of ours: the station as it is from now on."""

    station: Station


@dataclass(frozen=True, slots=True)
class RealTimeAsked:
    """The platform wants real-time data (2011), or wants no more of them (2012)."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Bytes came that are no packet, or one that we cannot follow."""

    raw: bytes
    fault: FrameError


Event = Delivered | Undelivered | HistoryAsked | Changed | RealTimeAsked | Spoilt


@dataclass(kw_only=True, slots=True)
class _Waiting:
    ticket: int
    frame: bytes
    due_ms: int
    left: int


@dataclass(kw_only=True, slots=True)
class Client:
    """One station at one platform. After every call, write what `take` returns to the connection."""

    station: Station
    _out: bytearray = field(default_factory=bytearray)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)  # QN -> packet without an answer
    _splitter: Splitter = field(default_factory=lambda: Splitter(check))
    _last_qn_ms: int = 0
    _tickets: int = 0

    def take(self) -> bytes:
        """Return what is to be sent now, once."""
        taken = bytes(self._out)
        self._out.clear()
        return taken

    def due_ms(self) -> int | None:
        """Return when `tick` has something to do; None while nothing waits."""
        return min((waiting.due_ms for waiting in self._waiting.values()), default=None)

    def connected(self, now_ms: int) -> None:
        """Begin anew on a new connection: what has no answer yet is sent again."""
        self._splitter = Splitter(check)
        self._out.clear()
        for waiting in self._waiting.values():
            waiting.left = self.station.repeats
            self._send(waiting, now_ms)

    def tick(self, now_ms: int) -> list[Event]:
        """Send again what has waited too long, and give up what was repeated often enough."""
        late = [(qn, waiting) for qn, waiting in self._waiting.items() if waiting.due_ms <= now_ms]
        lost: dict[int, None] = {}
        for _, waiting in late:
            if waiting.left:
                waiting.left -= 1
                self._send(waiting, now_ms)
            else:
                lost[waiting.ticket] = None
        self._waiting = {qn: waiting for qn, waiting in self._waiting.items() if waiting.ticket not in lost}
        return [Undelivered(ticket) for ticket in lost]

    def report(self, cn: str, data_time_ms: int, figures: Mapping[str, Figure], now_ms: int) -> int:
        """Send a report (2011, 2051, 2061, 2031) and return its ticket. KeyError for an unknown quantity.

        `data_time_ms` is the moment for 2011, and the start of the period for the others.
        """
        self._tickets += 1
        time = f"DataTime={digits14(data_time_ms, zone(self.station.time_zone))}"
        told = parts(time, figures)
        for number, cp in enumerate(told, 1):
            qn = self._qn(now_ms)
            part = (len(told), number) if len(told) > 1 else None
            frame = self._written(cn, qn, flag=7 if part else 5, cp=cp, part=part)
            waiting = _Waiting(ticket=self._tickets, frame=frame, due_ms=0, left=self.station.repeats)
            self._waiting[qn] = waiting
            self._send(waiting, now_ms)
        return self._tickets

    def history(
        self, asked: HistoryAsked, reports: Iterable[tuple[int, Mapping[str, Figure]]], now_ms: int
    ) -> list[int]:
        """Send the reports that were asked for, as (DataTime, figures), and say that they are all."""
        cn = asked.request.cn or ""
        tickets = [self.report(cn, time, figures, now_ms) for time, figures in reports]
        self._reply("9012", asked.request, f"ExeRtn={1 if tickets else 100}")
        return tickets

    def feed(self, data: bytes, now_ms: int) -> list[Event]:
        """Take bytes of the platform, cut anywhere; return what they mean. Never raises."""
        events: list[Event] = []
        for piece in self._splitter.feed(data):
            try:
                if piece.fault:
                    raise piece.fault
                events += self._take(read(piece.raw), now_ms)
            except FrameError as error:
                events.append(Spoilt(piece.raw, error))
        return events

    def _take(self, packet: Packet, now_ms: int) -> Iterator[Event]:
        if packet.cn == "9014":
            yield from self._acknowledged(packet)
        elif packet.cn not in _ANSWERS:
            wrong = self._wrong(packet)
            if packet.ack_required:
                notice = packet.cn == "2012" and not wrong
                self._reply("9013" if notice else "9011", packet, "" if notice else f"QnRtn={wrong or 1}")
            if not wrong:
                yield from self._do(packet, now_ms)

    def _acknowledged(self, packet: Packet) -> Iterator[Event]:
        waiting = self._waiting.get(packet.qn or "") if packet.mn == self.station.mn else None
        if waiting is not None:
            del self._waiting[packet.qn or ""]
            if all(other.ticket != waiting.ticket for other in self._waiting.values()):
                yield Delivered(waiting.ticket)

    def _wrong(self, packet: Packet) -> int:
        """Return the QnRtn of a request that is refused; 0 for one that is not."""
        if packet.mn != self.station.mn:
            return 4
        if packet.pw != self.station.password:
            return 3
        if packet.st not in (self.station.system, "91"):
            return 5
        if not packet.qn:
            return 7
        if packet.cn in _NOT_THEIRS:
            return 2
        return 0 if packet.cn in _FOLLOWED else 8

    def _do(self, packet: Packet, now_ms: int) -> Iterator[Event]:
        cn, local = packet.cn or "", zone(self.station.time_zone)
        if cn in _REAL_TIME:
            yield RealTimeAsked(cn == "2011")
        elif cn in _HISTORY:
            yield self._asked(packet)
        elif cn in TOLD:
            self._tell(packet, TOLD[cn](self.station, digits14(now_ms, local)))
            self._reply("9012", packet, "ExeRtn=1")
        elif station := changed(self.station, cn, packet.fields):
            self.station = station
            self._reply("9012", packet, "ExeRtn=1")
            yield Changed(station)
        else:
            self._reply("9012", packet, "ExeRtn=3")

    def _asked(self, packet: Packet) -> HistoryAsked:
        local, fields = zone(self.station.time_zone), packet.fields
        try:
            begin, end = (time_ms(fields.get(key, ""), local) for key in ("BeginTime", "EndTime"))
        except FrameError:
            self._reply("9012", packet, "ExeRtn=3")
            raise
        return HistoryAsked(packet, begin, end)

    def _send(self, waiting: _Waiting, now_ms: int) -> None:
        waiting.due_ms = now_ms + self.station.timeout_s * 1000
        self._out += waiting.frame

    def _reply(self, cn: str, to: Packet, cp: str) -> None:
        """Answer with the request's own PW and MN, so that a stranger learns none of ours."""
        qn = (to.qn or "")[:_LONGEST]
        pw, mn = (to.pw or "")[:_LONGEST], (to.mn or "")[:_LONGEST]
        self._out += written(cn=cn, st="91", mn=mn, pw=pw, flag=4, qn=qn, cp=cp)

    def _tell(self, packet: Packet, cp: str) -> None:
        instrument = packet.fields.get("PolId")
        cp = f"PolId={instrument[:_LONGEST]},{cp}" if instrument and packet.cn == "1011" else cp
        self._out += self._written(packet.cn or "", (packet.qn or "")[:_LONGEST], flag=4, cp=cp)

    def _written(self, cn: str, qn: str, *, flag: int, cp: str, part: tuple[int, int] | None = None) -> bytes:
        station = self.station
        return written(
            cn=cn, st=station.system, mn=station.mn, pw=station.password, flag=flag, qn=qn, cp=cp, part=part
        )

    def _qn(self, now_ms: int) -> str:
        self._last_qn_ms = max(now_ms, self._last_qn_ms + 1)
        return digits17(self._last_qn_ms, zone(self.station.time_zone))
