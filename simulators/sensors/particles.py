"""Particle counters: fans and lasers that sleep, wake and need time."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.sensors.checksums import sensirion
from simulators.sensors.model import Fault, I2cModel, NoAnswer, UartModel

_TYPICAL: Mapping[str, float] = {"pm2_5_ug_m3": 35.0, "pm10_ug_m3": 62.0}


class Pms5003(UartModel):
    """Plantower PMS5003: speaks every second until it is told to answer only."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "pms5003", "bus": "uart1"}
    typical = _TYPICAL
    head = b"\x42\x4d"
    question_bytes = 7
    period_ms = 1000

    def __init__(self, *args: Any, **options: Any) -> None:
        self.is_awake, self.is_active = True, True
        super().__init__(*args, **options)

    def answer(self, question: bytes) -> bytes:
        if sum(question[:5]) != int.from_bytes(question[5:], "big"):
            return b""
        command, data = question[2], question[4]
        if command == 0xE4:
            self.is_awake = bool(data)
        elif command == 0xE1:
            self.is_active = bool(data)
        elif command == 0xE2 and self.is_awake:
            return self._frame()
        return b""

    def unasked(self) -> bytes:
        return self._frame() if self.is_awake and self.is_active else b""

    def _frame(self) -> bytes:
        fine, coarse = round(self.value("pm2_5_ug_m3")), round(self.value("pm10_ug_m3"))
        if self.is_beyond:
            fine = coarse = 0xFFFF
        words = (fine * 2 // 3, fine, coarse) * 2 + (
            40 * fine & 0xFFFF,
            12 * fine & 0xFFFF,
            fine,
            9,
            3,
            1,
            0x9700,
        )
        frame = self.head + b"\x00\x1c" + struct.pack(">13H", *words)
        return frame + sum(frame).to_bytes(2, "big")


class Sds011(UartModel):
    """Nova SDS011: speaks every second, and when it is asked."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "sds011", "bus": "uart1"}
    typical = _TYPICAL
    head = b"\xaa\xb4"
    question_bytes = 19
    checksum_at = -2
    period_ms = 1000

    def __init__(self, *args: Any, **options: Any) -> None:
        self.is_awake = True
        super().__init__(*args, **options)

    def answer(self, question: bytes) -> bytes:
        if question[-1] != 0xAB or sum(question[2:17]) & 0xFF != question[17]:
            return b""
        if question[2] == 6 and question[3]:
            self.is_awake = bool(question[4])
            return self._sealed(b"\xc5" + question[2:5] + b"\x00\xa1\x60")
        return self._frame() if question[2] == 4 and self.is_awake else b""

    def unasked(self) -> bytes:
        return self._frame() if self.is_awake else b""

    def _frame(self) -> bytes:
        tenths = [round(10 * self.value(name)) for name in ("pm2_5_ug_m3", "pm10_ug_m3")]
        return self._sealed(
            b"\xc0" + struct.pack("<HH", *([0xFFFF] * 2 if self.is_beyond else tenths)) + b"\xa1\x60"
        )

    @staticmethod
    def _sealed(body: bytes) -> bytes:
        return b"\xaa" + body + bytes((sum(body[1:]) & 0xFF, 0xAB))


class Sps30(I2cModel):
    """Sensirion SPS30 on I2C, values as floats: nothing new until it was told to measure, and then no start."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "sps30", "bus": "i2c"}
    typical = _TYPICAL
    address = 0x69

    def __init__(self, *args: Any, **options: Any) -> None:
        self.is_measuring, self._command = False, b""
        super().__init__(*args, **options)

    def take(self, written: bytes) -> None:
        self._command = written[:2]
        if self._command == (b"\x00\x10" if self.is_measuring else b"\x01\x04"):
            raise NoAnswer("a start is for the idle, a stop for the measuring")
        if self._command == b"\x00\x10":
            self.is_measuring = written[2:] == sensirion([0x0300])
        elif self._command == b"\x01\x04":
            self.is_measuring = False

    def give(self, wanted: int) -> bytes:
        words = [int(self.is_measuring)]
        if self._command == b"\x03\x00":
            fine, coarse = self.value("pm2_5_ug_m3"), self.value("pm10_ug_m3")
            masses = (float("inf"),) * 4 if self.is_beyond else (0.7 * fine, fine, 0.9 * coarse, coarse)
            words = list(struct.unpack(">8H", struct.pack(">4f", *masses)))
        raw = bytearray(sensirion(words))
        if self.fault is Fault.WRONG_CHECKSUM:
            raw[2] ^= 0x5A
        return bytes(raw[:wanted])
