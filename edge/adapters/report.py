"""What foreign devices say, in one shape for all protocols: values under the protocol's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge.model.quality import Flag


class Value(NamedTuple):
    """One value as the protocol calls it (`w01018-Rtd`, `39`, `voltage_v`), in the unit of the wire.

    `flag` is what the device itself says of it: NOT_EVALUATED where it says nothing, never better than that.
    """

    key: str
    number: float | None
    flag: Flag = Flag.NOT_EVALUATED


class Word(NamedTuple):
    """What a protocol's word means: a quantity of the catalogue, `number * factor + offset` in its unit."""

    quantity: str
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one device said about one moment: a reading.

    `device` is what it calls itself on the wire. `time_ms` is the moment of measurement, epoch milliseconds;
    None where the protocol tells none, then it is the moment of receipt. `series` tells apart what a device
    reports at paces of its own (real time, minutes, hours); "2051/2" is the second part of a report that came
    in several frames. `number` is the device's own number of the report within `session`, where the protocol
    has one (LoRaWAN's frame counter): gaps are then seen by it.
    """

    device: str
    values: tuple[Value, ...]
    time_ms: int | None = None
    series: str = ""
    number: int | None = None
    session: int = 0
