"""The task of a station at an environmental platform (HJ 212): rows leave its backlog when 9014 came."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from edge.adapters.hj212.client import (
    Changed,
    Client,
    Delivered,
    Event,
    HistoryAsked,
    RealTimeAsked,
    Spoilt,
    Undelivered,
)
from edge.adapters.hj212.factors import CODES
from edge.adapters.hj212.figures import Figure
from edge.model.errors import CityError
from gateway.north.batch import Batch, Parcel
from gateway.north.connection import TICK_S, Connection, LinkLost
from gateway.north.custodian import Custodian
from gateway.north.queues import Queue
from gateway.north.reading import Reading
from gateway.north.stations import platform_address
from gateway.tally import GivenUp

log = logging.getLogger(__name__)

MOST_UNREAD_BYTES = 1_000_000  # a platform that asks and reads no answers is left
_REAL_TIME = "2011"


class Line(Connection):
    """One connection of a station. `on_lost` hears that it is over."""

    def __init__(
        self, client: Client, name: str, now_ms: Callable[[], int], on_lost: Callable[[], None]
    ) -> None:
        super().__init__(on_lost)
        self.client = client
        self.paused = False
        self._name = name
        self._now_ms = now_ms
        self._spoilt = 0

    async def open(self, host: str, port: int, within_s: float) -> None:
        """Reach the platform. Raises LinkLost."""
        try:
            async with asyncio.timeout(within_s):
                self._transport, _ = await self._loop.create_connection(lambda: self, host, port)
        except OSError as error:
            raise LinkLost(f"cannot reach the platform {host}:{port}: {str(error) or 'no answer'}") from None
        self._tick()

    def report(self, cn: str, time_ms: int, figures: dict[str, Figure], then: Callable[[], None]) -> None:
        """Send a report; `then` is called when the platform has all of it."""
        self._waiting[self.client.report(cn, time_ms, figures, self._now_ms())] = then
        self._flush()

    async def room(self, at_once: int) -> None:
        """Wait until a report more may be under way. Raises LinkLost."""
        await self._room(at_once)

    async def resumed(self) -> None:
        """Wait until the platform wants real-time data again. Raises LinkLost."""
        await self._until(lambda: not self.paused)

    async def close(self) -> None:
        """Close. A platform that does not read the rest is cut off."""
        await self._close()

    # called by the event loop

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        self._lose(f"the platform is gone: {exc or 'it closed the connection'}")

    def data_received(self, data: bytes) -> None:
        for event in self.client.feed(data, self._now_ms()):
            self._hear(event)
        self._flush()
        self._changed.set()

    def _hear(self, event: Event) -> None:
        match event:
            case Delivered(ticket):
                if then := self._waiting.pop(ticket, None):
                    then()
            case Undelivered():
                times = self.client.station.repeats + 1
                self._lose(f"no answer (9014) from the platform to what was sent {times} times")
            case HistoryAsked():  # what was answered has left the gateway
                self.client.history(event, (), self._now_ms())
            case RealTimeAsked(wanted):
                self.paused = not wanted
            case Changed(station):
                log.info(
                    "north %s: the platform has set timeout_s = %d, repeats = %d, intervals %d s and %d min",
                    self._name, station.timeout_s, station.repeats,
                    station.rtd_interval_s, station.min_interval_min,
                )  # fmt: skip
            case Spoilt(_, fault):
                self._spoilt += 1
                if self._spoilt == 1:
                    log.warning("north %s: what the platform sends cannot be followed: %s", self._name, fault)

    def _tick(self) -> None:
        for event in self.client.tick(self._now_ms()):
            self._hear(event)
        self._flush()
        self._ticking = None if self.lost else self._loop.call_later(TICK_S, self._tick)

    def _flush(self) -> None:
        data = self.client.take()
        if not data or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self._transport.abort()


class Reporter(Custodian):
    """Reports the readings of one node: each at its own time, late ones too."""

    def __init__(self, queue: Queue, now: Callable[[], float] = time.time) -> None:
        super().__init__(queue, now)
        (self._told,) = queue.config.station
        self._station = self._told.station()
        self._address = platform_address(queue.config.url)
        self._without_code: set[str] = set()

    async def _connection(self) -> None:
        """Report by one connection until it is lost: raises LinkLost, JournalError."""
        config = self._config
        line = Line(Client(station=self._station), config.name, self._now_ms, self.queue.arrived.set)
        try:
            await line.open(*self._address, config.answer_within_s)
            await self._hand_on(line, self._now_ms())
        finally:
            self._station = line.client.station  # what the platform has set holds until the gateway ends
            await line.close()

    async def _hand_on(self, line: Line, since_ms: int) -> None:
        under_way: Batch | None = None
        ends = False
        try:
            while True:
                if line.lost:
                    raise LinkLost(line.lost)
                await self._resumed(line)
                rows = await self.queue.take(self._config.at_once)
                if not rows:
                    self._well()
                    await self.queue.arrived.wait()
                    continue
                under_way = batch = Batch(rows, since_ms)
                for parcel in batch.parcels:
                    for single in parcel.singles():
                        await self._report(line, batch, single)
                await line.all_arrived()
                under_way = None
                if not self._pauses(line):
                    self._well()
                await self._settle(batch, once=False)
        except asyncio.CancelledError:
            ends = True
            await self._last_answers(line.all_arrived())
            raise
        finally:
            if under_way is not None:
                await self._settle(under_way, once=ends)

    def _pauses(self, line: Line) -> bool:
        return line.paused and self._told.series == _REAL_TIME

    async def _resumed(self, line: Line) -> None:
        if self._pauses(line):
            self.trouble = "the platform wants no real-time data for now (2012)"
            log.warning("north %s: %s; readings wait in the journal", self._config.name, self.trouble)
            await line.resumed()
            self._well()

    async def _report(self, line: Line, batch: Batch, single: Parcel) -> None:
        (reading,) = single.readings
        figures = self._figures(reading)
        if not figures:
            batch.give_up(single, GivenUp.NOT_ENCODED)
            return
        await line.room(self._config.at_once)
        if self._pauses(line):
            return  # it stays, with the rest of the batch
        series, time_ms = self._told.series, reading.time_ns // 1_000_000
        try:
            line.report(series, time_ms, figures, lambda: batch.deliver(single))
        except (CityError, ValueError, OverflowError) as error:  # a time that no calendar has
            log.warning("north %s: a reading cannot be said: %s", self._config.name, error)
            batch.give_up(single, GivenUp.NOT_ENCODED)

    def _figures(self, reading: Reading) -> dict[str, Figure]:
        suffix = "Rtd" if self._told.series == _REAL_TIME else "Avg"
        figures: dict[str, Figure] = {}
        for quantity, value, flag in reading.samples:
            if quantity in CODES:
                figures[quantity] = Figure(values={} if value is None else {suffix: value}, flag=flag)
            elif quantity not in self._without_code:
                self._without_code.add(quantity)
                log.info("north %s: HJ 212 has no code for %s: it is left out", self._config.name, quantity)
        return figures
