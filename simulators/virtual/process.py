"""One life of a virtual board, from power or reset to the next: a MicroPython process and its pipes."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge.field.image import firmware_folder
from simulators.virtual.requests import CTRL_C, Mode, Op, Request, Why, take_requests

_READ_BYTES = 65_536
_CTRL_C = b"\x03"
_BARE_LINE_END = re.compile(rb"(?<!\r)\n")
_INTERRUPTIBLE = (Mode.PROGRAM, Mode.COMMAND)
_TRANSLATED = (None, Mode.PROGRAM, Mode.QUIET)
_SIGNAL_AFTER_S = 0.3  # see firmware/virtual/bridge.py


_living: set[asyncio.subprocess.Process] = set()


@atexit.register
def _end_all() -> None:
    """Leave no board behind when the host ends without stop()."""
    for process in _living:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)


@cache
def _dies_with_its_host() -> tuple[str, ...]:
    """Return a prefix for commands that ends them when the host is killed: a busy program would live on."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How a life ended; `ms` is how long the board sleeps, `code` what a process returned that ended itself."""

    why: Why
    ms: int = 0
    code: int | None = None


class Outlet:
    """Bytes on their way into a descriptor that may be full. Beyond `most_bytes` the oldest are lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, most_bytes: int) -> None:
        self._loop = loop
        self._fd = fd
        self._most_bytes = most_bytes
        self._waiting = bytearray()
        os.set_blocking(fd, False)

    def write(self, data: bytes) -> None:
        """Write now what fits, and the rest when there is room."""
        self._waiting += data
        del self._waiting[: max(0, len(self._waiting) - self._most_bytes)]
        self._push()

    def close(self) -> None:
        """Give the descriptor back."""
        self._loop.remove_writer(self._fd)
        os.close(self._fd)

    def _push(self) -> None:
        try:
            written = os.write(self._fd, self._waiting) if self._waiting else 0
        except BlockingIOError:
            written = 0
        except BrokenPipeError:  # the process has ended; what it did not take went with it
            written = len(self._waiting)
        del self._waiting[:written]
        if self._waiting:
            self._loop.add_writer(self._fd, self._push)
        else:
            self._loop.remove_writer(self._fd)


class BoardProcess:
    """MicroPython as a board: bytes of its console, requests of its pins, Ctrl-C, and its end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_output: Callable[[bytes], None],
        on_request: Callable[[Request], bytes | None],
    ) -> None:
        self._command = command
        self._on_output = on_output
        self._on_request = on_request
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._interrupt_wanted = False
        self._signal: asyncio.TimerHandle | None = None
        self._half_end = False  # the last byte was a carriage return
        self._end: End | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.mode: Mode | None = None  # None: it is starting

    async def run(self, arguments: Sequence[str], *, image: Path, fuse: Path) -> End:
        """Live one life and say how it ended; cancelled, it is killed."""
        stdin, self._stdin_end = os.pipe()
        self._stdout_end, stdout = os.pipe()
        self._requests_end, requests = os.pipe()
        answers, self._answers_end = os.pipe()
        theirs = (stdin, stdout, requests, answers)
        folder = firmware_folder() / "virtual"
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *_dies_with_its_host(),
                *self._command,
                str(folder / "start.py"),
                *(str(image), str(fuse), str(requests), str(answers), *arguments),
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.STDOUT,
                pass_fds=(requests, answers),
                env={**os.environ, "MICROPYPATH": f"{folder}:.frozen"},
            )
        finally:
            for fd in theirs:
                os.close(fd)
        self._open()
        if self._end is not None:  # the power went while it started
            process.kill()
        _living.add(process)
        try:
            code = await process.wait()
            self._drain_requests()
            self._drain_output()
        except asyncio.CancelledError:
            self.kill(End(why=Why.CUT))
            await process.wait()
            raise
        finally:
            self._interrupted()
            _living.discard(process)
            self._close()
        return self._end or End(why=Why.CRASH, code=code)

    def kill(self, end: End) -> None:
        """End it at once."""
        if self._end is None:
            self._end = end
            if self._process is not None and self._process.returncode is None:
                self._process.kill()

    def type(self, data: bytes) -> None:
        """Take bytes that somebody sent to the console's port; Ctrl-C becomes an interrupt where it may."""
        if self.mode in (Mode.INPUT, Mode.BINARY):
            self._stdin.write(data)
            return
        for index, piece in enumerate(data.split(_CTRL_C)):
            if index:
                self._interrupt()
            self._stdin.write(piece)

    def _open(self) -> None:
        self._stdin = Outlet(self._loop, self._stdin_end, _READ_BYTES)
        self._answers = Outlet(self._loop, self._answers_end, 1 << 20)
        for fd, take in ((self._stdout_end, self._drain_output), (self._requests_end, self._drain_requests)):
            os.set_blocking(fd, False)
            self._loop.add_reader(fd, take)

    def _close(self) -> None:
        for fd in (self._stdout_end, self._requests_end):
            self._loop.remove_reader(fd)
            os.close(fd)
        self._stdin.close()
        self._answers.close()

    def _interrupt(self) -> None:
        """Ask the program to be interrupted; one that does not look is interrupted by a signal."""
        if self.mode not in _INTERRUPTIBLE:
            self._interrupt_wanted = True
        elif self._signal is None:
            self._answers.write(CTRL_C)
            self._signal = self._loop.call_later(_SIGNAL_AFTER_S, self._send_signal)

    def _send_signal(self) -> None:
        self._signal = None
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)

    def _interrupted(self) -> None:
        if self._signal is not None:
            self._signal.cancel()
            self._signal = None

    def _drain_output(self) -> None:
        while data := self._read(self._stdout_end):
            if self.mode in _TRANSLATED:
                before, self._half_end = b"\r" * self._half_end, data.endswith(b"\r")
                data = _BARE_LINE_END.sub(b"\r\n", before + data)[len(before) :]
            self._on_output(data)

    def _drain_requests(self) -> None:
        while data := self._read(self._requests_end):
            self._received += data
            for request in take_requests(self._received):
                self._take(request)

    def _take(self, request: Request) -> None:
        answer: bytes | None = b""
        if request.op is Op.MODE:
            self._switch(Mode(request.channel))
        elif request.op is Op.TAKEN:
            self._interrupted()
        elif request.op is Op.END:
            self._drain_output()
            self.kill(End(why=Why(request.channel), ms=int.from_bytes(request.payload, "little")))
        else:
            answer = self._on_request(request)
        if request.number and answer is not None:
            self._answers.write(request.answered(answer))

    def _switch(self, mode: Mode) -> None:
        """Change the mode after all that was printed in the one before."""
        self._drain_output()
        self._interrupted()
        self.mode, self._half_end = mode, False
        wanted, self._interrupt_wanted = self._interrupt_wanted, False
        if wanted and mode is not Mode.INPUT:
            self._loop.call_soon(self._interrupt)  # after the answer that this mode waits for

    def _read(self, fd: int) -> bytes:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            self._loop.remove_reader(fd)
        return data
