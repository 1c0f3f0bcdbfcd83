"""Carbon dioxide by infrared and by sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.sensors.checksums import sensirion
from simulators.sensors.model import Fault, I2cModel, NoAnswer, UartModel


class Mhz19(UartModel):
    """Winsen MH-Z19B. While something is wrong with its lamp it says 0 ppm."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "mhz19", "bus": "uart1"}
    typical: ClassVar[Mapping[str, float]] = {"co2_ppm": 608.0}
    head = b"\xff\x01"
    question_bytes = 9

    def answer(self, question: bytes) -> bytes:
        if question[2] != 0x86 or -sum(question[1:8]) & 0xFF != question[8]:
            return b""
        ppm = 0 if self.is_beyond else round(self.value("co2_ppm"))
        body = b"\x86" + ppm.to_bytes(2, "big") + b"\x47\x00\x00\x00"
        return b"\xff" + body + bytes((-sum(body) & 0xFF,))


class Scd4x(I2cModel):
    """Sensirion SCD41: nothing new until it was told to measure, and no second start while it does."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "scd4x", "bus": "i2c"}
    typical: ClassVar[Mapping[str, float]] = {"co2_ppm": 500.0, "temperature_c": 25.0, "humidity_pct": 37.0}
    address = 0x62

    def __init__(self, *args: Any, **options: Any) -> None:
        self.is_measuring, self._command = False, b""
        super().__init__(*args, **options)

    def take(self, written: bytes) -> None:
        self._command = written[:2]
        if self.is_measuring and self._command == b"\x21\xb1":
            raise NoAnswer("it measures: it takes no start")
        if self._command in (b"\x21\xb1", b"\x3f\x86"):
            self.is_measuring = self._command == b"\x21\xb1"

    def give(self, wanted: int) -> bytes:
        words = [0x8006 if self.is_measuring else 0x8000]
        if self._command == b"\xec\x05":
            words = [
                0xFFFF if self.is_beyond else round(self.value("co2_ppm")),
                round((self.value("temperature_c") + 45) / 175 * 65535),
                round(self.value("humidity_pct") / 100 * 65535),
            ]
        raw = bytearray(sensirion(words))
        if self.fault is Fault.WRONG_CHECKSUM:
            raw[2] ^= 0x5A
        return bytes(raw[:wanted])
