"""A hydrological station that calls its centre over TCP, as SL 651-2014 has it, and remembers what it measured.

It is driven minute by minute, so an hour takes as long as its answers do. Reports are confirmed (M2): the
station waits for the centre's answer and repeats twice at most; what stays unanswered can be asked for (38H).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from simulators.stations import sl651_frames as sl651
from simulators.stations.sl651_frames import Address, Down, Sample

REPEATS = 2
_FIVE = timedelta(minutes=5)
_NOTHING = Sample(None, None, None, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often a station reports, in minutes (0: never), at which stage at once, how long it waits."""

    timed_min: int = 5
    uniform_min: int = 0
    hourly: bool = True
    alarm_m: float | None = None
    base_m: float = 0.0
    answer_s: float = 10.0


class HydroStation:
    """One station. `sent` holds every frame that left it, `answered` and `unanswered` the reports' functions
    and serials, `asked` the queries of the centre that it answered.
    """

    def __init__(self, address: Address, measure: Callable[[datetime], Sample], pace: Pace = Pace()) -> None:
        self.history: dict[datetime, Sample] = {}
        self.sent: list[bytes] = []
        self.answered: list[tuple[int, int]] = []
        self.unanswered: list[tuple[int, int]] = []
        self.asked: list[Down] = []
        self.dismissed = asyncio.Event()
        self._address = address
        self._measure = measure
        self._pace = pace
        self._serial = 0
        self._now = datetime.min
        self._waiting: dict[tuple[int, int], asyncio.Future[bool]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the station has a line to its centre."""
        return self._writer is not None

    async def connect(self, host: str, port: int) -> None:
        """Call the centre."""
        reader, self._writer = await asyncio.open_connection(host, port)
        self.dismissed.clear()
        self._reading = asyncio.create_task(self._read(reader))

    async def close(self) -> None:
        """Hang up."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        self._reading = self._writer = None

    async def minute(self, at: datetime) -> None:
        """Live through a minute: measure, and report what is due; a heartbeat where nothing is."""
        before = self.history.get(at - timedelta(minutes=1), _NOTHING).stage_m
        now = self.history[at] = self._measure(at)
        self._now, alarm_m = at, self._pace.alarm_m
        past = at.hour * 60 + at.minute
        due: list[Callable[[], bytes]] = []
        if alarm_m is not None and now.stage_m is not None and now.stage_m >= alarm_m > (before or 0.0):
            due.append(lambda: self._report(sl651.EXTRA, self._instant(at)))
        if self._pace.timed_min and not past % self._pace.timed_min:
            due.append(lambda: self._report(sl651.TIMED, self._instant(at)))
        if self._pace.hourly and not at.minute:
            due.append(lambda: self._report(sl651.HOURLY, self._hour(at)))
        if self._pace.uniform_min and not past % self._pace.uniform_min:
            due.append(lambda: self._report(sl651.UNIFORM, self._uniform(at)))
        for frame in due:
            await self._confirmed(frame())
        if not due:
            await self.heartbeat(at)

    async def heartbeat(self, at: datetime) -> None:
        """Keep the line open: its serial is that of the next report, and nobody answers."""
        self._write(sl651.up(self._address, sl651.HEARTBEAT, sl651.head(self._serial + 1, at)))

    async def test(self, at: datetime) -> bool:
        """Send a test report; return whether it was answered."""
        self._now = at
        return await self._confirmed(self._report(sl651.TEST, self._instant(at)))

    def _report(self, function: int, body: bytes) -> bytes:
        self._serial = self._serial % 65_535 + 1
        head = sl651.head(self._serial, self._now) + sl651.who(self._address)
        return sl651.up(self._address, function, head + body)

    def _instant(self, at: datetime) -> bytes:
        sample = self.history.get(at) or self._measure(at)
        return sl651.observed_at(at) + b"".join(
            sl651.element(identifier, value)
            for identifier, value in (
                (sl651.RAIN_TODAY, sample.rain_today_mm),
                (sl651.RAIN_TOTAL, sample.rain_total_mm),
                (sl651.STAGE, sample.stage_m),
                (sl651.VOLTAGE, sample.voltage_v),
            )
        )

    def _hour(self, at: datetime) -> bytes:
        """Return the hour that ends now: its blocks bear the time of their first value, five past."""
        first, sample = at - 11 * _FIVE, self._at(at)
        return b"".join(
            (
                *(sl651.observed_at(first), self._rain(first)),
                *(sl651.observed_at(at), sl651.element(sl651.RAIN_TOTAL, sample.rain_total_mm)),
                *(sl651.observed_at(first), self._stages(first)),
                *(sl651.observed_at(at), sl651.element(sl651.STAGE, sample.stage_m)),
                sl651.element(sl651.RAIN_TODAY, sample.rain_today_mm),
                sl651.element(sl651.VOLTAGE, sample.voltage_v),
            )
        )

    def _uniform(self, at: datetime) -> bytes:
        first = at - timedelta(minutes=self._pace.uniform_min) + _FIVE
        stages = [self._at(moment).stage_m for moment in _moments(first, at, _FIVE)]
        return sl651.observed_at(first) + sl651.step(5) + sl651.element(sl651.STAGE, *stages)

    def _rain(self, first: datetime) -> bytes:
        totals = [self._at(first + (index - 1) * _FIVE).rain_total_mm for index in range(13)]
        falls = [
            None if later is None or earlier is None else max(0.0, later - earlier)
            for earlier, later in pairwise(totals)
        ]
        return sl651.hour_of_rain(falls)

    def _stages(self, first: datetime) -> bytes:
        stages = [self._at(first + index * _FIVE).stage_m for index in range(12)]
        return sl651.hour_of_stages(stages, self._pace.base_m)

    def _at(self, moment: datetime) -> Sample:
        return self.history.get(moment, _NOTHING)

    async def _confirmed(self, frame: bytes) -> bool:
        """Send a report until it is answered, three times at most."""
        key = frame[10], int.from_bytes(frame[14:16], "big")
        answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            for _ in range(1 + REPEATS):
                if not self._write(frame):
                    break
                try:
                    async with asyncio.timeout(self._pace.answer_s):
                        answered = await asyncio.shield(answer)
                except TimeoutError:
                    continue
                if not answered:
                    break
                self.answered.append(key)
                return True
        finally:
            del self._waiting[key]
        self.unanswered.append(key)
        return False

    def _write(self, frame: bytes) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self.sent.append(frame)
        self._writer.write(frame)
        return True

    async def _read(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        try:
            while data := await reader.read(4096):
                found, rest = sl651.downs(rest + data)
                for down in found:
                    self._hear(down)
        except OSError:
            self.dismissed.set()
        finally:
            self._hung_up()

    def _hear(self, down: Down) -> None:
        address = self._address
        if (down.station, down.centre, down.password) != (address.station, address.centre, address.password):
            return
        if down.end == sl651.ENQ:
            self._answer(down)
            return
        waiting = self._waiting.get((down.function, down.serial))
        if waiting is not None and not waiting.done() and down.end in (sl651.EOT, sl651.ESC, sl651.ACK):
            waiting.set_result(True)
        if down.end == sl651.EOT and down.function not in (sl651.QUERY_NOW, sl651.QUERY_PERIOD):
            self._hung_up()  # after a report (M2) it ends the call; after an answer (M4) the exchange alone

    def _answer(self, down: Down) -> None:
        """Answer a query for now (37H) or for a period (38H); others are not known here."""
        if down.function == sl651.QUERY_NOW:
            body = self._instant(self._now)
        elif down.function == sl651.QUERY_PERIOD:
            try:
                body = self._period(down.body[8:])
            except (ValueError, IndexError):  # it keeps silent to what it cannot read
                return
        else:
            return
        self.asked.append(down)
        if body:
            self._write(self._report(down.function, body))

    def _period(self, told: bytes) -> bytes:
        """Return what is known of a period: begin and end to the hour, the step, one element."""
        begin, end = (datetime.strptime(told[at : at + 4].hex(), "%y%m%d%H") for at in (0, 4))
        days, hours, minutes = (int(told[at : at + 1].hex()) for at in (10, 11, 12))
        identifier = told[13]
        if identifier in (sl651.HOUR_OF_RAIN, sl651.HOUR_OF_STAGES):
            block = self._rain if identifier == sl651.HOUR_OF_RAIN else self._stages
            firsts = list(_moments(begin + _FIVE, end - 11 * _FIVE, 12 * _FIVE))
            blocks = b"".join(block(first) for first in firsts)
            return sl651.observed_at(begin + _FIVE) + sl651.step(0) + blocks if firsts else b""
        pace = timedelta(days=days, hours=hours, minutes=minutes) or timedelta(hours=1)
        values = [_value(self._at(moment), identifier) for moment in _moments(begin, end, pace)]
        return sl651.observed_at(begin) + told[8:13] + sl651.element(identifier, *values)

    def _hung_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.dismissed.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(False)


def _value(sample: Sample, identifier: int) -> float | None:
    names = (sl651.RAIN_TODAY, sl651.RAIN_TOTAL, sl651.STAGE, sl651.VOLTAGE)
    return sample[names.index(identifier)]


def _moments(first: datetime, last: datetime, pace: timedelta) -> Iterable[datetime]:
    while first <= last:
        yield first
        first += pace
