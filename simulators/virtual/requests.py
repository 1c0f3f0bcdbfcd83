"""What a virtual board asks of its host, as bytes: the twin of firmware/virtual/bridge.py."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEAD = struct.Struct("<BBBH")
_ANSWER = struct.Struct("<BH")


class Op(IntEnum):
    """What is asked."""

    UART = ord("U")
    I2C = ord("C")
    ONEWIRE = ord("W")
    ADC = ord("A")
    I2S = ord("Z")
    PIN = ord("G")
    SET_PIN = ord("P")
    PWM = ord("Q")
    EDGES = ord("I")
    RADIO = ord("N")
    CLOCK = ord("T")
    MEMORY = ord("b")
    SET_MEMORY = ord("B")
    WATCHDOG = ord("D")
    FLASH = ord("F")
    MODE = ord("M")
    END = ord("X")
    TAKEN = ord("K")
    PARTITION = ord("R")


class Mode(IntEnum):
    """What runs on the board."""

    INPUT = 0
    """The REPL waits for bytes: byte 3 is one of them."""
    PROGRAM = 1
    """main.py, or a statement of the friendly REPL: byte 3 interrupts, line ends are translated."""
    COMMAND = 2
    """A command of the raw REPL: byte 3 interrupts, the output is left as it is."""
    BINARY = 3
    """A command that takes every byte (micropython.kbd_intr(-1))."""
    QUIET = 4
    """A traceback is printed: byte 3 waits, line ends are translated."""


class Why(IntEnum):
    """Why a process ended; the first five are said by the board."""

    RESET = 0
    SLEEP = 1
    CUT = 2
    SOFT_RESET = 3
    SOFT_RESET_RAW = 4
    WATCHDOG = 5
    CRASH = 6


CTRL_C = _ANSWER.pack(0, 0)
"""An answer that nobody asked for: the program is to be interrupted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request; number 0 wants no answer."""

    op: Op
    number: int
    channel: int
    payload: bytes

    def answered(self, payload: bytes) -> bytes:
        """Return the frame of an answer."""
        return _ANSWER.pack(self.number, len(payload)) + payload


def take_requests(received: bytearray) -> Iterator[Request]:
    """Yield the whole requests at the start of what was received, and take them out of it."""
    while len(received) >= _HEAD.size:
        op, number, channel, length = _HEAD.unpack_from(received)
        end = _HEAD.size + length
        if len(received) < end:
            return
        payload = bytes(received[_HEAD.size : end])
        del received[:end]
        yield Request(op=Op(op), number=number, channel=channel, payload=payload)
