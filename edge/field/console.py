"""A node's own console on USB: a line goes in, lines come out, and `status --json` is one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import serial

from edge.field.ports import open_port, port_error
from edge.field.status import NodeStatus, status_in_line

ASK = "status --json"
_MOST_LINE = 65_536
_CTRL_C = b"\x03"
PROMPT = b">>> "


class Console:
    """One open port. Every method raises FieldError when the port fails."""

    def __init__(self, device: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.device = device
        self._clock = clock
        self._port = open_port(device)
        self._rest = b""
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()

    def send(self, line: str) -> None:
        """Send one line."""
        self._write(line.encode() + b"\r\n")

    def interrupt(self) -> None:
        """Send Ctrl-C, which leads to MicroPython's own prompt."""
        self._write(b"\r" + _CTRL_C + _CTRL_C)

    def status(self, timeout_s: float) -> NodeStatus | None:
        """Ask for the node's status; None when it did not say within the time."""
        self.send(ASK)
        for line in self.lines(timeout_s):
            found = status_in_line(line)
            if found is not None:
                return found
        return None

    def prompt(self, timeout_s: float) -> bool:
        """Tell whether MicroPython's prompt comes after Ctrl-C."""
        self.interrupt()
        until_s = self._clock() + timeout_s
        seen = b""
        while self._clock() < until_s:
            seen = (seen + self._read())[-256:]
            if PROMPT in seen:
                return True
        return False

    def lines(self, timeout_s: float) -> Iterator[str]:
        """Yield whole lines until the time is over; the last ones are kept in `heard`."""
        until_s = self._clock() + timeout_s
        while self._clock() < until_s:
            *whole, self._rest = (self._rest + self._read()).split(b"\n")
            self._rest = self._rest[-_MOST_LINE:]
            for raw in whole:
                line = raw.decode("utf-8", errors="replace").rstrip("\r")
                self.heard = [*self.heard[-19:], line]
                yield line

    def _read(self) -> bytes:
        try:
            return bytes(self._port.read(max(1, self._port.in_waiting)))
        except (serial.SerialException, OSError) as error:
            raise port_error(error, self.device) from None

    def _write(self, raw: bytes) -> None:
        try:
            self._port.write(raw)
            self._port.flush()
        except (serial.SerialException, OSError) as error:
            raise port_error(error, self.device) from None
