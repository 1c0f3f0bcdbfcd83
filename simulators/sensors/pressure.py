"""Submersible pressure levels: `zero_mm` is the height of the membrane, `span_mm` the range on the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.sensors.checksums import modbus
from simulators.sensors.model import Fault, SensorModel, UartModel


def _depth_mm(model: SensorModel) -> float:
    return 1000 * model.value("level_m") - float(model.entry.get("zero_mm", 0))


class Level420ma(SensorModel):
    """A probe in a 4-20 mA loop, with its shunt at an ADC."""

    sample: ClassVar[Mapping[str, Any]] = {
        "driver": "level_4_20ma",
        "bus": "adc1",
        "span_mm": 5000,
        "zero_mm": -300,
        "shunt_mohm": 100_000,
    }
    typical: ClassVar[Mapping[str, float]] = {"level_m": 2.4}
    faults = frozenset(Fault) - {Fault.WRONG_CHECKSUM}

    def microvolts(self) -> int:
        current_ma = 4 + 16 * _depth_mm(self) / float(self.entry["span_mm"])
        if self.fault is Fault.SILENT:
            current_ma = 0.0
        if self.is_beyond:
            current_ma = 22.0
        shunt_mohm = int(self.entry["shunt_mohm"])
        return max(0, round(current_ma * shunt_mohm + self.jitter(200)))


class LevelRs485(UartModel):
    """A probe on RS-485: one holding register, signed. It refuses other registers, as Modbus has it."""

    sample: ClassVar[Mapping[str, Any]] = {
        "driver": "level_rs485",
        "bus": "uart1",
        "span_mm": 5000,
        "zero_mm": -300,
        "address": 1,
        "register": 4,
    }
    typical: ClassVar[Mapping[str, float]] = {"level_m": 2.4}
    question_bytes = 8

    def answer(self, question: bytes) -> bytes:
        address, function = question[0], question[1]
        if modbus(question[:-2]) != question or address != self.entry["address"]:
            return b""
        if function != 3 or question[2:6] != self.entry["register"].to_bytes(2, "big") + b"\x00\x01":
            return modbus(bytes((address, function | 0x80, 2)))
        count = 0x7FFF if self.is_beyond else round(_depth_mm(self) + self.jitter(0.4))
        return modbus(bytes((address, function, 2)) + count.to_bytes(2, "big", signed=True))
