"""Mains meter, battery monitor, battery divider."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.sensors.checksums import modbus
from simulators.sensors.model import Fault, RegisterModel, SensorModel, UartModel


class Pzem004t(UartModel):
    """Peacefair PZEM-004T v3, input registers 0 to 9, at its general address or its own."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "pzem004t", "bus": "uart1"}
    typical: ClassVar[Mapping[str, float]] = {
        "voltage_v": 230.0,
        "current_a": 0.5,
        "power_w": 114.0,
        "energy_wh": 70_000.0,
        "frequency_hz": 50.0,
        "power_factor": 0.99,
    }
    question_bytes = 8

    def answer(self, question: bytes) -> bytes:
        if modbus(question[:-2]) != question or question[0] not in (0xF8, 1):
            return b""
        if question[1] != 4 or question[2:6] != b"\x00\x00\x00\x0a" or self.is_beyond:
            return modbus(bytes((question[0], question[1] | 0x80, 2 if question[1] == 4 else 1)))
        current, power = round(1000 * self.value("current_a")), round(10 * self.value("power_w"))
        energy = round(self.value("energy_wh"))
        words = [round(10 * self.value("voltage_v"))]
        for double in (current, power, energy):
            words += [double & 0xFFFF, double >> 16]
        words += [round(10 * self.value("frequency_hz")), round(100 * self.value("power_factor")), 0]
        return modbus(bytes((question[0], 4, 20)) + struct.pack(">10H", *words))


class Ina226(RegisterModel):
    """TI INA226 with a shunt in the line."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "ina226", "bus": "i2c", "shunt_uohm": 100_000}
    typical: ClassVar[Mapping[str, float]] = {"voltage_v": 12.6, "current_a": 0.25}
    faults = frozenset(Fault) - {Fault.WRONG_CHECKSUM}
    address = 0x40

    def registers(self, first: int, count: int) -> bytes:
        shunt = round(self.value("current_a") * self.entry["shunt_uohm"] / 2.5)
        shunt = 0x7FFF if self.is_beyond else min(max(shunt, -0x8000), 0x7FFF)
        words = {0x01: shunt, 0x02: round(self.value("voltage_v") / 0.00125), 0xFE: 0x5449}
        return struct.pack(">h", words.get(first, 0))[:count]


class Battery(SensorModel):
    """A battery at a divider."""

    sample: ClassVar[Mapping[str, Any]] = {
        "driver": "battery",
        "bus": "adc1",
        "upper_ohm": 300_000,
        "lower_ohm": 100_000,
    }
    typical: ClassVar[Mapping[str, float]] = {"battery_v": 3.87}
    faults = frozenset(Fault) - {Fault.WRONG_CHECKSUM}

    def microvolts(self) -> int:
        if self.fault is Fault.SILENT:
            return 0
        if self.is_beyond:
            return 3_300_000
        upper, lower = int(self.entry["upper_ohm"]), int(self.entry["lower_ohm"])
        return round(1e6 * self.value("battery_v") * lower / (upper + lower) + self.jitter(200))
