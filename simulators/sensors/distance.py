"""Ultrasonic sensors over water: they see the distance from their face, `datum_mm` over zero, to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from simulators.sensors.model import Fault, SensorModel, UartModel


def _distance_mm(model: SensorModel) -> float:
    return float(model.entry["datum_mm"]) - 1000 * model.value("level_m")


class JsnSr04t(UartModel):
    """JSN-SR04T in mode 2. It reckons with 340 m/s whatever the temperature of the air is."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "jsn_sr04t", "bus": "uart1", "datum_mm": 5200}
    typical: ClassVar[Mapping[str, float]] = {"level_m": 2.4, "temperature_c": 14.55}
    head = b"\x55"
    question_bytes = 1

    def answer(self, question: bytes) -> bytes:
        speed_m_s = 331.3 * math.sqrt(1 + self.value("temperature_c") / 273.15)
        seen_mm = round(_distance_mm(self) * 340 / speed_m_s + self.jitter(1))
        if self.is_beyond or not 200 <= seen_mm <= 8000:
            seen_mm = 0
        frame = b"\xff" + seen_mm.to_bytes(2, "big")
        return frame + bytes((sum(frame) & 0xFF,))


class Maxbotix(UartModel):
    """MaxBotix HRXL-MaxSonar-WR, 10 m model, which knows the temperature by itself."""

    sample: ClassVar[Mapping[str, Any]] = {"driver": "maxbotix", "bus": "uart1", "datum_mm": 5200}
    typical: ClassVar[Mapping[str, float]] = {"level_m": 2.4}
    faults = frozenset(Fault) - {Fault.WRONG_CHECKSUM}
    period_ms = 134

    def unasked(self) -> bytes:
        seen_mm = max(300, round(_distance_mm(self) + self.jitter(1)))
        return b"R%04d\r" % (9999 if self.is_beyond or seen_mm > 9998 else seen_mm)
