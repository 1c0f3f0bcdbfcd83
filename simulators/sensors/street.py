"""What stands at the roadside: rain gauge, sound level meter, inclinometer, contact."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.sensors.model import Fault, RegisterModel, SensorModel

_NO_CHECKSUM = frozenset(Fault) - {Fault.WRONG_CHECKSUM}


class Rain(SensorModel):
    """A tipping bucket: each sense() pours `rain_mm` more into it; a tip closes the contact."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "rain", "bus": "pin1", "tip_um": 200}
    typical: ClassVar[Mapping[str, float]] = {"rain_mm": 0.0}
    faults = _NO_CHECKSUM

    def __init__(self, *args: Any, **options: Any) -> None:
        self._water_um = self._closed = 0
        super().__init__(*args, **options)

    def sense(self, values: Mapping[str, float]) -> None:
        """Let it rain. A silent or stuck bucket tips no more; one out of range has a loose contact."""
        super().sense(values)
        self._water_um += round(1000 * values.get("rain_mm", 0.0))
        tips, self._water_um = divmod(self._water_um, self.entry["tip_um"])
        if self.fault is Fault.OUT_OF_RANGE:
            tips += 10_000
        if self.fault not in (Fault.SILENT, Fault.STUCK):
            self._closed += tips

    def pulses(self) -> int:
        return self._closed


class Noise(SensorModel):
    """A SEN0232 at an ADC: 50 dB a volt. Three looks of 24 hear the loudest; LAeq is the mean energy's."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "noise", "bus": "adc1"}
    typical: ClassVar[Mapping[str, float]] = {"noise_laeq_db": 61.3, "noise_lamax_db": 68.4}
    faults = _NO_CHECKSUM
    _ROUND, _LOUD = 24, 3

    def __init__(self, *args: Any, **options: Any) -> None:
        self._looks = 0
        super().__init__(*args, **options)

    def microvolts(self) -> int:
        if self.fault is Fault.SILENT:
            return 0
        if self.is_beyond:
            return 3_300_000
        mean, loudest = self.value("noise_laeq_db"), self.value("noise_lamax_db")
        quiet = self._ROUND - self._LOUD
        rest = (self._ROUND * 10 ** (mean / 10) - self._LOUD * 10 ** (loudest / 10)) / quiet
        level = mean
        if rest > 1e3:  # else one loud eighth would be more than all
            level = loudest if self._looks % self._ROUND < self._LOUD else 10 * math.log10(rest)
        self._looks += 1
        return round(level * 20_000)


class Mpu6050(RegisterModel):
    """InvenSense MPU-6050 lying flat, tilted about one axis; asleep until register 0x6B is cleared."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "mpu6050", "bus": "i2c", "axis": "x"}
    typical: ClassVar[Mapping[str, float]] = {"tilt_deg": 0.8}
    faults = _NO_CHECKSUM
    address = 0x68

    def registers(self, first: int, count: int) -> bytes:
        if first == 0x75:
            return b"\x68"[:count]
        if first != 0x3B or self.written.get(0x6B) != b"\x00":
            return bytes(count)
        angle = math.radians(self.value("tilt_deg"))
        along, up = 16384 * math.sin(angle), 16384 * math.cos(angle)
        axes = [self.jitter(20), self.jitter(20), up + self.jitter(20)]
        axes["xyz".index(self.entry["axis"])] = along + self.jitter(20)
        if self.entry["axis"] == "z":
            axes[0] = up
        if self.is_beyond:
            axes = [32767.0] * 3
        return struct.pack(">3h", *(round(axis) for axis in axes))[:count]


class Contact(SensorModel):
    """A contact to ground at a pin with pull-up: open reads 1."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "contact", "bus": "pin1"}
    typical: ClassVar[Mapping[str, float]] = {"door_open": 0.0}
    faults = frozenset({Fault.NONE, Fault.STUCK})

    def pin(self) -> int:
        return int(bool(self.value("door_open")) == bool(self.entry.get("open_level", 1)))
