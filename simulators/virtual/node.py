"""A node without a board: a LittleFS image, run by a real MicroPython, with a pty for its USB port.

    node = VirtualNode(Path("node.img"), micropython, serial="a0b765112233", sensors={"uart1": model})
    await node.start()
    await node.until(lambda: any("connected" in line for line in node.lines))
    subprocess.run(["mpremote", "connect", node.port, "ls"])
    await node.power_cut(after_writes=7)
    await node.stop()

It runs on an event loop in a thread of its own, so that its port answers also while its user's program blocks.
"""

from __future__ import annotations

import asyncio
import os
import pty
import threading
import time
import tty
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from edge.model.errors import CityError
from simulators.virtual.buses import Buses, Radio
from simulators.virtual.partitions import Partitions
from simulators.virtual.process import BoardProcess, End, Outlet
from simulators.virtual.requests import Mode, Op, Request, Why

Chip = Literal["esp32", "rp2"]
T = TypeVar("T")
BOARD_MODULES_KW = 36
"""What the board's modules take of the heap; on a chip they are C and take none of it."""
_WAKES_UP_AT_MS = {"esp32": 946_684_800_000, "rp2": 1_609_459_200_000}  # 2000, 2021: a clock that nobody set
_CAUSES = {Why.RESET: 2, Why.WATCHDOG: 3, Why.CRASH: 2, Why.SLEEP: 4, Why.SOFT_RESET: 5, Why.SOFT_RESET_RAW: 5}
_POWER_ON, _BY_WATCHDOG = 1, 3  # a Pico resets by its watchdog, whatever the reason
_BEGINS = {Why.SOFT_RESET: "friendly", Why.SOFT_RESET_RAW: "raw"}
_LINES = 10_000
_PORT_BYTES = 1 << 18
_STOPS_WITHIN_S = 10.0


class VirtualNodeError(CityError):
    """A virtual node did not get where it should, or cannot run."""


@cache
def _io_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="virtual-nodes", daemon=True).start()
    return loop


async def _on_io(work: Coroutine[Any, Any, T]) -> T:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _io_loop()))


class VirtualNode:
    """One node. `sensors` by bus (uart1, i2c0, onewire4, adc34, pin27: simulators/virtual/buses.py).

    `heap` is that of the firmware, in words (`128wK`). `speed` shortens deep sleeps only; the board's clock
    shows all of them. With clock="unset" the clock starts in 2000, as a real one, with "host" it is right.
    After so many `crashes` of MicroPython in a row it gives up. With `partitions` it takes another image.
    `link` is a path that is made to lead to the port, which gets a new name each time. `on_line` is called with
    each line that the firmware prints.
    """

    def __init__(
        self,
        image: Path,
        micropython: str,
        *,
        chip: Chip = "esp32",
        serial: str = "a0b765112233",
        sensors: Mapping[str, Any] | None = None,
        radio: Radio | None = None,
        heap: str = "128wK",
        speed: float = 1.0,
        clock: Literal["unset", "host"] = "unset",
        link: Path | None = None,
        crashes: int = 3,
        partitions: Partitions | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.image = image
        self._fuse = image.with_suffix(".fuse")
        heap_kw = int(heap.removesuffix("wK")) + BOARD_MODULES_KW
        self._command = [micropython, "-X", f"heapsize={heap_kw}wK"]
        self._chip, self._serial = chip, serial
        self._speed, self._clock, self._link, self._on_line = speed, clock, link, on_line
        self.buses = Buses(sensors=sensors or {}, radio=radio or Radio())
        self.lines: deque[str] = deque(maxlen=_LINES)
        self.ends: list[End] = []
        self.starts = 0
        self.writes = self.erases = 0
        self.port = ""
        self._crashes = crashes
        self._partitions = partitions
        self._clock_offset_ms = 0
        self._memory = b""
        self._half_line = ""
        self._task: asyncio.Task[None] | None = None
        self._board: BoardProcess | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None
        self._stays_off = False
        self._life_writes = self._life_erases = 0
        self._stirred = asyncio.Event()

    @property
    def guarded(self) -> bool:
        """Whether a watchdog waits to be fed."""
        return self._watchdog is not None

    @property
    def running(self) -> bool:
        """Whether it has power and is not asleep."""
        return self._board is not None

    async def start(self, *, cut_after_writes: int = 0, again: bool = True) -> None:
        """Switch the power on; the port is there when this returns. It may go again within the n-th write.

        With `again` it comes back at once after that; else with the next start().
        """
        await _on_io(self._start(cut_after_writes, again))

    async def stop(self) -> None:
        """Switch the power off and take the port away."""
        await _on_io(self._stop())
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def until(self, condition: Callable[[], object], timeout_s: float | None = 30.0) -> None:
        """Return when the condition holds. Raises VirtualNodeError with the node's last words."""
        await _on_io(self._until(condition, timeout_s))

    async def type(self, text: str) -> None:
        """Send text to the console, as whoever holds the port does."""
        await _on_io(self._type(text.encode()))

    async def power_cut(
        self, *, after_writes: int | None = None, again: bool = True, timeout_s: float = 30.0
    ) -> None:
        """Take the power away, now or within the n-th write to flash from here, of which half is done.

        With `again` it comes back at once; else with start().
        """
        cuts = sum(end.why is Why.CUT for end in self.ends)
        self._stays_off = not again
        if after_writes is not None:
            self._arm(after_writes)
        else:
            await _on_io(self._kill(End(why=Why.CUT)))
        await self.until(lambda: sum(end.why is Why.CUT for end in self.ends) > cuts, timeout_s)

    async def _start(self, cut_after_writes: int, again: bool) -> None:
        if self._task is not None and not self._task.done():
            return
        if not self.port:
            self._open_port()
        self._stays_off, self._failure = not again, None
        self._lose_power()
        self._arm(cut_after_writes)
        self._task = asyncio.create_task(self._live(), name=f"virtual node {self.image.name}")

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(_STOPS_WITHIN_S):
                    await self._task
        self._task = None
        self._feed(0)
        if self.port:
            self._close_port()

    async def _kill(self, end: End) -> None:
        if self._board is not None:
            self._board.kill(end)

    async def _type(self, data: bytes) -> None:
        if self._board is not None:
            self._board.type(data)

    async def _until(self, condition: Callable[[], object], timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition() and self._failure is None:
                    await self._stirred.wait()
        except TimeoutError:
            raise VirtualNodeError(
                "the virtual node did not get there; its last words:\n" + "\n".join(list(self.lines)[-25:])
            ) from None
        if self._failure is not None:
            raise self._failure

    async def _live(self) -> None:
        cause, begin, crashes = _POWER_ON, "cold", 0
        try:
            while True:
                end = await self._life(cause, begin)
                crashes = crashes + 1 if end.why is Why.CRASH else 0
                if crashes == self._crashes:
                    raise VirtualNodeError(
                        f"MicroPython ended {crashes} times in a row, with code {end.code}:\n"
                        + "\n".join(list(self.lines)[-10:])
                    )
                self.ends.append(end)
                self._stir()
                if not self._watches_through(end.why):
                    self._feed(0)
                if end.why is Why.CUT:
                    self._lose_power()
                    if self._stays_off:
                        return
                elif end.why is Why.SLEEP:
                    await self._sleep(end.ms)
                cause, begin = self._cause_after(end.why), _BEGINS.get(end.why, "cold")
        except Exception as error:
            self._failure = error
            self._stir()

    def _watches_through(self, why: Why) -> bool:
        """Whether the watchdog goes on: a soft reset is none of the chip, a Pico's is awake in its sleep."""
        return why in _BEGINS or (why is Why.SLEEP and self._chip == "rp2")

    def _cause_after(self, why: Why) -> int:
        cause = _CAUSES.get(why, _POWER_ON)
        return cause if self._chip == "esp32" or cause == _POWER_ON else _BY_WATCHDOG

    async def _life(self, cause: int, begin: str) -> End:
        if self._partitions is not None:
            self._partitions.start()
        self._life_writes = self._life_erases = 0
        board = BoardProcess(self._command, on_output=self._on_output, on_request=self._on_request)
        self._board = board
        self.starts += 1
        self._stir()
        try:
            return await board.run(
                [self._chip, self._serial, str(cause), begin], image=self.image, fuse=self._fuse
            )
        finally:
            self._board = None

    async def _sleep(self, ms: int) -> None:
        if not ms:
            await asyncio.Event().wait()  # for ever: only stop() ends it
        begun_s = time.monotonic()
        await asyncio.sleep(ms / 1000 / self._speed)
        self._clock_offset_ms += ms - round((time.monotonic() - begun_s) * 1000)

    def _arm(self, writes: int) -> None:
        self._fuse.write_bytes(writes.to_bytes(4, "little"))

    def _lose_power(self) -> None:
        self._arm(0)
        self._memory = b""
        self.buses.power_off()
        now_ms = time.time_ns() // 1_000_000
        self._clock_offset_ms = 0 if self._clock == "host" else _WAKES_UP_AT_MS[self._chip] - now_ms

    def _on_request(self, request: Request) -> bytes | None:
        try:
            return self._answer(request)
        except Exception as error:  # a model's fault must not look like a silent sensor
            self._failure = error
            self._stir()
            if self._task is not None:
                self._task.cancel()
            return None

    def _answer(self, request: Request) -> bytes:
        payload = request.payload
        match request.op:
            case Op.CLOCK if request.number:
                return self._clock_offset_ms.to_bytes(8, "little", signed=True)
            case Op.CLOCK:
                self._clock_offset_ms = int.from_bytes(payload, "little", signed=True)
            case Op.MEMORY:
                return self._memory
            case Op.SET_MEMORY:
                self._memory = payload
            case Op.PARTITION:
                return b"" if self._partitions is None else self._partitions.answer(request)
            case Op.WATCHDOG:
                self._feed(int.from_bytes(payload, "little"))
            case Op.FLASH:
                writes, erases = int.from_bytes(payload[:4], "little"), int.from_bytes(payload[4:], "little")
                self.writes += writes - self._life_writes
                self.erases += erases - self._life_erases
                self._life_writes, self._life_erases = writes, erases
                self._stir()
            case _:
                answer = self.buses.answer(request)
                if request.op in (Op.SET_PIN, Op.PWM):
                    self._stir()
                return answer
        return b""

    def _feed(self, timeout_ms: int) -> None:
        """Let the watchdog bite so long from now; 0: it is off."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = None
        if timeout_ms:
            self._watchdog = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._bite)

    def _bite(self) -> None:
        self._watchdog = None
        if self._board is not None:
            self._board.kill(End(why=Why.WATCHDOG))

    def _on_output(self, data: bytes) -> None:
        self._to_port.write(data)
        if self._board is None or self._board.mode in (None, Mode.PROGRAM, Mode.QUIET):
            *whole, self._half_line = (self._half_line + data.decode(errors="replace")).split("\n")
            if whole:
                for line in whole:
                    self.lines.append(line.rstrip("\r"))
                    if self._on_line is not None:
                        self._on_line(self.lines[-1])
                self._stir()

    def _on_port(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        if self._board is not None:
            self._board.type(data)

    def _open_port(self) -> None:
        loop = asyncio.get_running_loop()
        self._master, self._slave = pty.openpty()  # the slave stays open: nobody's leaving ends the port
        tty.setraw(self._slave)
        self._to_port = Outlet(loop, self._master, _PORT_BYTES)
        loop.add_reader(self._master, self._on_port)
        self.port = os.ttyname(self._slave)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.port)

    def _close_port(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        self._to_port.close()
        os.close(self._slave)
        self.port = ""
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = asyncio.Event()
