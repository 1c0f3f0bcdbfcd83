"""Air, water temperature and light. The BME280's registers come from its data sheet's float formulas."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from simulators.sensors.checksums import maxim
from simulators.sensors.model import Fault, I2cModel, NoAnswer, RegisterModel, SensorModel

_T = (27504, 26435, -1000)
_P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
_H = (75, 355, 0, 340, 50, 30)
_SKIPPED = 0x80000


def _fine(adc: int) -> float:
    a = (adc / 16384 - _T[0] / 1024) * _T[1]
    b = adc / 131072 - _T[0] / 8192
    return a + b * b * _T[2]


def _pressure_pa(adc: int, fine: float) -> float:
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = _P
    a = fine / 2 - 64000
    b = a * a * p6 / 32768 + a * p5 * 2
    b = b / 4 + p4 * 65536
    a = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
    p = (1048576 - adc - b / 4096) * 6250 / a
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def _humidity_pct(adc: int, fine: float) -> float:
    h1, h2, h3, h4, h5, h6 = _H
    x = fine - 76800
    scale = h2 / 65536 * (1 + h6 / 67108864 * x * (1 + h3 / 67108864 * x))
    h = (adc - (h4 * 64 + h5 / 16384 * x)) * scale
    return h * (1 - h1 * h / 524288)


def _inverse(rises: Callable[[int], float], wanted: float, bits: int) -> int:
    """Return the smallest number at which a rising function is at least what is wanted."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = (low + high) // 2
        if rises(middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


class Bme280(RegisterModel):
    """Bosch BME280 with the calibration of its data sheet's example."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "bme280", "bus": "i2c"}
    typical: ClassVar[Mapping[str, float]] = {
        "temperature_c": 25.08,
        "humidity_pct": 44.5,
        "pressure_hpa": 1006.5,
    }
    faults = frozenset(Fault) - {Fault.WRONG_CHECKSUM}
    address = 0x76

    def registers(self, first: int, count: int) -> bytes:
        return bytes(self._map().get(register, 0) for register in range(first, first + count))

    def _map(self) -> dict[int, int]:
        h1, h2, h3, h4, h5, h6 = _H
        humid = struct.pack("<hBBBBb", h2, h3, h4 >> 4, (h5 & 15) << 4 | h4 & 15, h5 >> 4, h6)
        parts = {0x88: struct.pack("<Hhh", *_T) + struct.pack("<H8h", *_P), 0xA1: bytes((h1,)), 0xD0: b"\x60"}
        parts |= {0xE1: humid, 0xF7: self._measured()}
        return {first + at: byte for first, part in parts.items() for at, byte in enumerate(part)}

    def _measured(self) -> bytes:
        if self.is_beyond:
            temperature = pressure = _SKIPPED
            humidity = 0x8000
        else:
            temperature = _inverse(lambda adc: _fine(adc) / 5120, self.value("temperature_c"), 20)
            fine, wanted_pa = _fine(temperature), 100 * self.value("pressure_hpa")
            pressure = _inverse(lambda adc: -_pressure_pa(adc, fine), -wanted_pa, 20)
            humidity = _inverse(lambda adc: _humidity_pct(adc, fine), self.value("humidity_pct"), 16)
        return (
            (pressure << 4).to_bytes(3, "big")
            + (temperature << 4).to_bytes(3, "big")
            + humidity.to_bytes(2, "big")
        )


class Ds18b20(SensorModel):
    """Maxim DS18B20, alone on its bus: Skip ROM, then Convert T or Read Scratchpad."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "ds18b20", "bus": "onewire"}
    typical: ClassVar[Mapping[str, float]] = {"water_temperature_c": 18.5}

    def onewire(self, written: bytes, wanted: int) -> bytes:
        if self.fault is Fault.SILENT:
            raise NoAnswer("no presence pulse")
        if written != b"\xcc\xbe":
            return b"\xff" * wanted
        sixteenths = 85 * 16 if self.is_beyond else round(16 * self.value("water_temperature_c"))
        raw = bytearray(maxim(sixteenths.to_bytes(2, "little", signed=True) + b"\x4b\x46\x7f\xff\x0c\x10"))
        if self.fault is Fault.WRONG_CHECKSUM:
            raw[8] ^= 0x5A
        return bytes(raw[:wanted])


class Bh1750(I2cModel):
    """ROHM BH1750: measures once on 0x20, with a measurement time set in two commands."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "bh1750", "bus": "i2c"}
    typical: ClassVar[Mapping[str, float]] = {"illuminance_lx": 12_000.0}
    faults = frozenset(Fault) - {Fault.WRONG_CHECKSUM}
    address = 0x23

    def __init__(self, *args: Any, **options: Any) -> None:
        self._time, self._count = 69, 0
        super().__init__(*args, **options)

    def take(self, written: bytes) -> None:
        (command,) = written
        if command & 0xF8 == 0x40:
            self._time = self._time & 0x1F | (command & 7) << 5
        elif command & 0xE0 == 0x60:
            self._time = self._time & 0xE0 | command & 0x1F
        elif command == 0x20:
            count = 1.2 * self.value("illuminance_lx") * self._time / 69
            self._count = 0xFFFF if self.is_beyond else min(0xFFFF, round(count))

    def give(self, wanted: int) -> bytes:
        return self._count.to_bytes(2, "big")[:wanted]
