"""Devices that are asked, one after another on a line that they share: meters and sensors on RS-485.

Each device has its own period. One that does not answer costs a single timeout now and then: it is asked ever
less often, and the others keep their times. A slow one is given more time, and an answer that comes too late is
never taken for the answer to the next question.

What devices remember of the past is asked for while the line is idle, and of each device once after its round.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from edge.adapters.adapter import Exchange, Memory, Poller, Remembering
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Report, Value
from edge.model.errors import CityError, ConfigError
from edge.protocol.command import Command, Reply, Status
from gateway.sources.config import Device, SourceConfig
from gateway.sources.desk import Desk, Hope
from gateway.sources.pipe import Pipe, open_pipe

log = logging.getLogger(__name__)

TRIES = 2
DAMAGED = ("crc", "checksum")  # the answer came, and no other is due
PATIENCE = 2  # an answer may still come until so many timeouts after its question
QUIET_AFTER_ROUNDS = 2  # rounds without any answer: from then on a device is only looked for
LONGEST_REST_S = 600.0
REST_BETWEEN_S = 0.02  # between two frames on RS-485: 3.5 characters are 17 ms at 2,400 baud
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


@dataclass(slots=True)
class _Asked:
    """A device of the line: when it is due, and for how many rounds it has been silent.

    Until `owes_until_s` an answer to an earlier question may come. Not every protocol's answers tell to what.
    """

    device: Device
    poller: Poller
    period_s: float
    silent: int = 0
    owes_until_s: float = 0.0

    @property
    def memory(self) -> Memory | None:
        """What the device can be asked for of its past."""
        return self.poller.memory if isinstance(self.poller, Remembering) else None


class Line:
    """A source whose devices are asked. `trouble` is empty when the line is open; `silent` names devices.

    `late` counts rounds that began more than a period after they were due: the line is too slow.
    """

    def __init__(self, source: SourceConfig) -> None:
        assert source.adapter.poller is not None
        self._source = source
        self._desk: Desk | None = None
        self._asked = [
            _Asked(device, source.adapter.poller(device.id, device.options), device.period_s or 60.0)
            for device in source.devices
        ]
        self._orders: list[tuple[Device, Command, Callable[[Reply], None]]] = []
        self._called = asyncio.Event()  # there is an order, or something of the past is wanted
        self._turn = 0
        self.trouble = "not yet open"
        self.late = 0

    def sit(self, desk: Desk) -> None:
        """Take the desk to which reports go."""
        self._desk = desk

    @property
    def silent(self) -> list[str]:
        """Nodes that have not answered for some rounds."""
        return [each.device.node for each in self._asked if each.silent >= QUIET_AFTER_ROUNDS]

    @property
    def forgetful(self) -> list[str]:
        """Nodes whose devices cannot be asked for what is missing."""
        return [each.device.node for each in self._asked if each.memory is None]

    def ask(self, device: str, series: str, first_ms: int, end_ms: int) -> Hope:
        """Ask a device for what it remembers of [first_ms, end_ms) when its turn comes."""
        assert self._desk is not None
        now_ms, name = self._desk.inbox.now_ms(), (device, series)
        asked = next(each for each in self._asked if (each.device.id, each.device.series) == name)
        every_ms = round(asked.period_s * 1000)
        if asked.memory is None or not asked.memory.want(first_ms, end_ms, every_ms, now_ms):
            return Hope.NONE
        self._called.set()
        return Hope.WAITS

    def obey(self, device: Device, command: Command, then: Callable[[Reply], None]) -> None:
        """Do a command as soon as the line is free."""
        self._orders.append((device, command, then))
        self._called.set()

    async def run(self) -> None:
        """Ask until cancelled; a line that breaks is opened again."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                pipe = await open_pipe(self._source)
            except (OSError, TimeoutError) as error:
                self._broke(error)
            else:
                self.trouble, wait_s = "", FIRST_WAIT_S
                try:
                    await self._ask_in_turn(pipe)
                except OSError as error:
                    self._broke(error)
                finally:
                    pipe.close()
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _broke(self, error: BaseException) -> None:
        self.trouble = f"{self._source.address}: {error or 'no answer'}"
        log.warning("%s: %s", self._source.name, self.trouble)

    async def _ask_in_turn(self, pipe: Pipe) -> None:
        """Ask each device when it is due, the most overdue first."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        due: list[tuple[float, int]] = [(begin_s, index) for index in range(len(self._asked))]
        heapq.heapify(due)
        while True:
            due_s, index = due[0]
            await self._obey_until(pipe, due_s)
            asked = self._asked[index]
            if loop.time() - due_s > asked.period_s:
                self.late += 1
            await self._round(pipe, asked)
            await self._recall(pipe, asked)
            period_s, behind_s = asked.period_s, loop.time() - due_s
            next_s = due_s + period_s * (1 + behind_s // period_s)  # what was missed is left out
            if asked.silent >= QUIET_AFTER_ROUNDS:
                rest_s = min(period_s * 2 ** (asked.silent - 1), LONGEST_REST_S)
                next_s = max(next_s, due_s + period_s * (rest_s // period_s))
            heapq.heapreplace(due, (next_s, index))

    async def _obey_until(self, pipe: Pipe, due_s: float) -> None:
        """Rest until a device is due; do commands meanwhile, and ask for the past."""
        loop, hurried = asyncio.get_running_loop(), False
        while True:
            while self._orders:
                await self._do(pipe, *self._orders[0])
                self._orders.pop(0)
            self._called.clear()
            asked = [await self._recall(pipe, each, due_s) for each in self._asked if not self._orders]
            if any(asked) or self._orders:
                continue
            if not hurried and loop.time() < due_s:
                hurried = True  # there was not time enough to be sure: this once it has to do
                if await self._recall_one(pipe):
                    continue
            try:
                async with asyncio.timeout_at(due_s):
                    await self._called.wait()
            except TimeoutError:
                return

    async def _recall_one(self, pipe: Pipe) -> bool:
        """Ask the next device in turn of whose past something is wanted, however long it may take."""
        for _ in self._asked:
            self._turn = (self._turn + 1) % len(self._asked)
            if await self._recall(pipe, self._asked[self._turn]):
                return True
        return False

    async def _do(self, pipe: Pipe, device: Device, command: Command, then: Callable[[Reply], None]) -> None:
        """Do one command, and say what became of it: the last exchange is the proof."""
        assert self._desk is not None
        if command.expires_ms < self._desk.inbox.now_ms():
            then(Reply(command.id, Status.EXPIRED))
            return
        try:
            if self._source.adapter.order is None:
                raise ConfigError(f"{self._source.protocol} takes no commands")
            steps = self._source.adapter.order(device.id, device.options, command.name, command.arguments)
        except CityError as error:
            then(Reply(command.id, Status.REFUSED, {"error": error.message, "remedy": error.remedy}))
            return
        for _ in range(TRIES):
            try:
                for step in steps:
                    await converse(pipe, step)
            except (Refusal, Unanswered) as error:
                reply = Reply(command.id, Status.FAILED, {"error": str(error), "remedy": "look at the device"})
                continue
            reply = Reply(command.id, Status.DONE, dict(command.arguments))
            break
        then(reply)

    async def _round(self, pipe: Pipe, asked: _Asked) -> None:
        """Ask one device everything, or look whether a silent one is back; report what it said."""
        assert self._desk is not None
        await self._desk.inbox.room()  # while the disk takes nothing, nobody is asked: that is a gap
        time_ms = self._desk.inbox.now_ms()
        values: list[Value] = []
        answered = False
        exchanges = asked.poller.exchanges()
        for exchange in exchanges:
            found = await self._exchange(pipe, asked, exchange)
            answered = answered or found is not None
            values += found or ()
            if found is None and (not answered and asked.silent):
                break  # it was silent before, and is: the others wait
        if exchanges:  # who was asked nothing is not silent
            asked.silent = 0 if answered else asked.silent + 1
        if not answered and asked.silent == QUIET_AFTER_ROUNDS:
            log.warning("%s: %s does not answer", self._source.name, asked.device.node)
        if values:
            self._desk.take([Report(device=asked.device.id, values=tuple(values), time_ms=time_ms,
                                    series=asked.device.series)])  # fmt: skip

    async def _recall(self, pipe: Pipe, asked: _Asked, until_s: float = inf) -> bool:
        """Ask a device for a bit of its past, if that is surely done in time; tell whether it was asked."""
        if asked.memory is None or asked.silent:
            return False
        assert self._desk is not None
        await self._desk.inbox.room()
        loop = asyncio.get_running_loop()
        most_s = (until_s - max(loop.time(), asked.owes_until_s)) / PATIENCE
        exchanges = asked.memory.recall(self._desk.inbox.now_ms(), most_s)
        for exchange in exchanges:
            if await self._exchange(pipe, asked, exchange, tries=1) is None:
                asked.memory.missed()
                break
        self._desk.take(
            Report(device=asked.device.id, values=values, time_ms=time_ms, series=asked.device.series)
            for time_ms, values in asked.memory.recalled()
        )
        return bool(exchanges)

    async def _exchange(
        self, pipe: Pipe, asked: _Asked, exchange: Exchange, tries: int = TRIES
    ) -> tuple[Value, ...] | None:
        """Return what a device answered, () for a refusal; None when nothing came that can be used."""
        assert self._desk is not None
        loop = asyncio.get_running_loop()
        await asyncio.sleep(asked.owes_until_s - loop.time())
        tries, waits_s = (1, PATIENCE * exchange.timeout_s) if asked.silent else (tries, exchange.timeout_s)
        missed = False
        for _ in range(tries):
            begin_s = loop.time()
            try:
                return await converse(pipe, exchange, waits_s)
            except Refusal as error:
                log.info("%s: %s refuses: %s", self._source.name, asked.device.node, error)
                return ()
            except Unanswered as error:
                missed = missed or error.fault.reason not in DAMAGED
                if error.came:
                    self._desk.refuse(error.came, asked.device.id, error.fault)
            finally:
                if missed:
                    asked.owes_until_s = begin_s + PATIENCE * exchange.timeout_s
        return None


class Unanswered(CityError):
    """No answer came in time, or what came is none."""

    def __init__(self, fault: FrameError, came: bytes) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.came = came


async def converse(pipe: Pipe, exchange: Exchange, waits_s: float | None = None) -> tuple[Value, ...]:
    """Ask, and return the answer. Raises Refusal, Unanswered, and OSError when the line is broken.

    It waits for `waits_s`, or the exchange's timeout.
    """
    waits_s = waits_s or exchange.timeout_s
    await asyncio.sleep(REST_BETWEEN_S)
    pipe.drop()
    await pipe.write(exchange.request)
    came = b""
    try:
        async with asyncio.timeout(waits_s):
            while True:
                came += await pipe.read()
                values: Any = exchange.read(came)
                if values is not None:
                    return tuple(values)
    except TimeoutError:
        came = came.removeprefix(exchange.request)  # adapters that echo: a dead device said nothing
        raise Unanswered(FrameError("timeout", f"no answer within {waits_s:g} s"), came) from None
    except Refusal:
        raise
    except FrameError as error:
        raise Unanswered(error, came) from None
