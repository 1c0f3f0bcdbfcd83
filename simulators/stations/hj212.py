"""A data logger (数采仪) of HJ 212, 2017 or 2005: it calls the platform, reports, repeats, and remembers.

Written from the standard alone, so that what reads it in tests is judged by something that it did not make.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

BEIJING = timezone(timedelta(hours=8))
REAL_TIME, MINUTE, HOUR, DAY = "2011", "2051", "2061", "2031"
ANSWER_REQUEST, ANSWER_RESULT, ANSWER_NOTICE, ANSWER_DATA = "9011", "9012", "9013", "9014"
GET_TIME, SET_TIME = "1011", "1012"
READY, WRONG_PASSWORD, WRONG_MN, WRONG_CN = 1, 3, 4, 8
DONE, NO_DATA = 1, 100
_PLATFORM = "91"

Sense = Callable[[str, int], Mapping[str, Mapping[str, str]]]
"""Takes (CN, start of the period in epoch ms); returns factor -> suffix -> text: {"a34004": {"Avg": "14"}}."""


def crc(segment: bytes) -> int:
    """Return the CRC of a data segment: the byte goes in after the register was shifted by eight."""
    register = 0xFFFF
    for byte in segment:
        register = register >> 8 ^ byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


def packet(segment: str) -> bytes:
    """Return a data segment as it goes over the wire."""
    data = segment.encode()
    return b"##%04d%b%04X\r\n" % (len(data), data, crc(data))


def items(segment: str) -> dict[str, str]:
    """Return all that a segment says, fields and parameters alike, by key."""
    pairs = (item.partition("=") for item in re.split(r"[;,]", segment.replace("CP=&&", "").replace("&&", "")))
    return {key.strip(): value for key, _, value in pairs if key.strip()}


def local(ms: int) -> str:
    """Return a time as the protocol writes it, in Beijing time: YYYYMMDDhhmmss."""
    return f"{datetime.fromtimestamp(ms / 1000, BEIJING):%Y%m%d%H%M%S}"


def epoch_ms(text: str) -> int:
    """Return the time of YYYYMMDDhhmmss, in Beijing time."""
    return round(datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).timestamp() * 1000)


class Segments:
    """Data segments out of a stream; what has a wrong length or CRC gets no answer, so it is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Take bytes; yield the segments that are whole."""
        self._rest += data
        while (start := self._rest.find(b"##")) >= 0:
            self._rest = self._rest[start:]
            if len(self._rest) < 6:
                return
            length = int(self._rest[2:6]) if self._rest[2:6].isdigit() else -1
            if length >= 0 and len(self._rest) < 6 + length + 4:
                return
            segment, told = self._rest[6 : 6 + length], self._rest[6 + length : 10 + length]
            if length >= 0 and told.upper() == b"%04X" % crc(segment):
                self._rest = self._rest[10 + length :]
                yield segment.decode("utf-8", "replace")
            else:
                self._rest = self._rest[2:]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggerConfig:
    """A logger as it was set up. `split_bytes` is how long a packet's parameters may be, 0: any length."""

    mn: str
    st: str = "22"
    pw: str = "123456"
    edition: Literal["2017", "2005"] = "2017"
    wait_s: float = 10.0
    repeats: int = 3
    split_bytes: int = 0
    most_history: int = 20_000


class Logger:
    """One logger. What it measured stays in `history`, by (CN, start), whether it was sent or not.

    `acknowledged` are those that the platform answered; `sends` counts packets on the wire, repeats included.
    """

    def __init__(self, config: LoggerConfig, sense: Sense, now_ms: Callable[[], int]) -> None:
        self.config = config
        self.history: dict[tuple[str, int], str] = {}
        self.acknowledged: set[tuple[str, int]] = set()
        self.requests: list[dict[str, str]] = []
        self.sends = 0
        self._sense = sense
        self._now_ms = now_ms
        self._last_qn_ms = 0
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def online(self, host: str, port: int) -> AsyncIterator[None]:
        """Stay connected to the platform meanwhile."""
        reader, writer = await asyncio.open_connection(host, port)
        self._writer = writer
        listening = asyncio.create_task(self._listen(reader), name=f"logger {self.config.mn}")
        try:
            yield
        finally:
            self._writer = None
            writer.close()
            tasks = [listening, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break the connection as a fallen mast does: without a word."""
        if self._writer is not None:
            self._writer.transport.abort()

    def measure(self, cn: str, start_ms: int) -> str:
        """Measure a period, remember it, and return its parameters."""
        key = cn, start_ms
        if key not in self.history:
            factors = self._sense(cn, start_ms)
            parts = (
                ",".join(f"{code}-{name}={text}" for name, text in said.items())
                for code, said in factors.items()
            )
            self.history[key] = ";".join(parts)
            while len(self.history) > self.config.most_history:
                del self.history[next(iter(self.history))]
        return self.history[key]

    async def report(self, cn: str, start_ms: int) -> bool:
        """Measure and report a period; True if the platform answered every packet (2005: if it was sent)."""
        parameters = self.measure(cn, start_ms)
        answered = await self._upload(cn, start_ms, parameters)
        if answered:
            self.acknowledged.add((cn, start_ms))
        return answered

    def packets(self, cn: str, start_ms: int, parameters: str, qn: str) -> list[bytes]:
        """Return the packets of a report: one, or several that count themselves."""
        told = f"DataTime={local(start_ms)}"
        if self.config.edition == "2005":
            return [packet(self._segment(cn, f"{told};{parameters}"))]
        parts = self._split(parameters)
        if len(parts) == 1:
            return [packet(self._segment(cn, f"{told};{parameters}", qn=qn, flag="Flag=5"))]
        return [
            packet(self._segment(cn, f"{told};{part}", qn=qn, flag=f"Flag=7;PNUM={len(parts)};PNO={number}"))
            for number, part in enumerate(parts, 1)
        ]

    def _segment(self, cn: str, parameters: str, *, qn: str = "", flag: str = "", st: str = "") -> str:
        config = self.config
        head = [f"QN={qn}"] if qn else []
        head += [f"ST={st or config.st}", f"CN={cn}", f"PW={config.pw}", f"MN={config.mn}"]
        head += [flag] if flag else []
        return ";".join([*head, f"CP=&&{parameters}&&"])

    def _split(self, parameters: str) -> list[str]:
        most, parts = self.config.split_bytes, [""]
        for item in parameters.split(";"):
            joined = f"{parts[-1]};{item}" if parts[-1] else item
            if most and parts[-1] and len(joined.encode()) > most:
                parts.append(item)
            else:
                parts[-1] = joined
        return parts

    async def _upload(self, cn: str, start_ms: int, parameters: str) -> bool:
        qn = self._qn()
        for data in self.packets(cn, start_ms, parameters, qn):
            if not await self._answered(data, qn):
                return False
        return True

    async def _answered(self, data: bytes, qn: str) -> bool:
        """Send until answered: once, and then `repeats` times more."""
        for _ in range(1 + self.config.repeats):
            if self.config.edition == "2005":
                return await self._send(data)
            waiting = self._waiting[qn] = asyncio.get_running_loop().create_future()
            try:
                if not await self._send(data):
                    return False
                async with asyncio.timeout(self.config.wait_s):
                    await waiting
                return True
            except TimeoutError:
                continue
            except ConnectionError:
                return False
            finally:
                del self._waiting[qn]
        return False

    async def _send(self, data: bytes) -> bool:
        writer = self._writer
        if writer is None or writer.is_closing():
            return False
        self.sends += 1
        writer.write(data)
        try:
            await writer.drain()
        except ConnectionError:
            return False
        return True

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        segments = Segments()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                for segment in segments.feed(data):
                    self._hear(items(segment))
        if self._writer is not None:
            self._writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the platform hung up"))

    def _hear(self, said: dict[str, str]) -> None:
        if said.get("CN") in (ANSWER_DATA, ANSWER_NOTICE):
            waiting = self._waiting.get(said.get("QN", ""))
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
            return
        self.requests.append(said)
        task = asyncio.create_task(self._serve(said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, said: dict[str, str]) -> None:
        """Answer a request: whether it is taken, what was asked for, and how it ended."""
        ready = self._judge(said)
        await self._reply(said, ANSWER_REQUEST, f"QnRtn={ready}")
        if ready != READY:
            return
        cn, done = said["CN"], DONE
        if cn == GET_TIME:
            await self._reply(said, GET_TIME, f"SystemTime={local(self._now_ms())}", st=self.config.st)
        elif cn != SET_TIME:
            done = DONE if await self._tell(cn, said) else NO_DATA
        await self._reply(said, ANSWER_RESULT, f"ExeRtn={done}")

    def _judge(self, said: dict[str, str]) -> int:
        if said.get("PW") != self.config.pw:
            return WRONG_PASSWORD
        if said.get("MN") != self.config.mn:
            return WRONG_MN
        dated = all(re.fullmatch(r"\d{14,17}", said.get(key, "")) for key in ("BeginTime", "EndTime"))
        known = said.get("CN") in (GET_TIME, SET_TIME) or (said.get("CN") in (MINUTE, HOUR, DAY) and dated)
        return READY if known else WRONG_CN

    async def _tell(self, cn: str, said: dict[str, str]) -> bool:
        """Send what is remembered of [BeginTime, EndTime], both included; False where that is nothing."""
        first, last = epoch_ms(said["BeginTime"]), epoch_ms(said["EndTime"])
        wanted = sorted(key for key in self.history if key[0] == cn and first <= key[1] <= last)
        for key in wanted:
            if await self._upload(cn, key[1], self.history[key]):
                self.acknowledged.add(key)
        return bool(wanted)

    async def _reply(self, said: dict[str, str], cn: str, parameters: str, *, st: str = _PLATFORM) -> None:
        await self._send(packet(self._segment(cn, parameters, qn=said.get("QN", ""), flag="Flag=4", st=st)))

    def _qn(self) -> str:
        """Return a number for an exchange: the time to the millisecond, never twice the same."""
        self._last_qn_ms = max(self._now_ms(), self._last_qn_ms + 1)
        return f"{local(self._last_qn_ms)}{self._last_qn_ms % 1000:03d}"
