"""What a station's body is worth: one report for each pace and moment that it tells of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value
from edge.adapters.sl651.body import PERIOD, PUMP, STATE, UNIFORM, BadDigits, Body, Number, Said, Step
from edge.adapters.sl651.elements import FLOWS, RAIN_BLOCK, STAGE_BLOCKS, STAGES, STATUS
from edge.adapters.sl651.station import Station
from edge.model.quality import Flag

FIVE_MINUTES = "5min"
HOURLY, TIMED, UNIFORM_SERIES = "hourly", "timed", "uniform"
SERIES = {
    UNIFORM: UNIFORM_SERIES, 0x32: TIMED, 0x33: "extra", 0x34: HOURLY, 0x35: "manual", 0x37: "now",
    PERIOD: "period", 0x39: "manual", 0x3A: "now", PUMP: "pump", STATE: "state",
}  # fmt: skip
"""Function -> series. What is not here, tests (30H) among it, never becomes a reading."""

_STATUS_BITS = (
    "mains_lost", "battery_low", "stage_alarm", "flow_alarm", "quality_alarm", "flow_meter_fault",
    "gauge_fault", "door", "memory_fault", "ic_card", "pump_stopped", "water_quota",
)  # fmt: skip
_FLOW_METER, _GAUGE, _DOOR = 5, 6, 7
_BLOCK_STEP = timedelta(minutes=5)


def reports(device: str, function: int, body: Body, station: Station, series: str = "") -> tuple[Report, ...]:
    """Return what a body reports, in the order of the wire; `series` is what an answer was asked for.

    Raises FrameError where a time is none.
    """
    pace = series or SERIES.get(function, "")
    if function not in SERIES:
        return ()
    zone = ZoneInfo(station.zone)
    found: dict[tuple[str, int], dict[str, Value]] = {}
    failed = _failed(body)
    told: dict[tuple[str, str], int] = {}  # values of a block, which repeats for the hours that follow
    for said in body.elements:
        name = FIVE_MINUTES if _is_block(said) else pace
        start = moment(said.observed_at or body.sent_at[:10], zone)
        if _is_block(said):
            start += told.get((said.id, said.observed_at), 0) * _BLOCK_STEP
            told[said.id, said.observed_at] = told.get((said.id, said.observed_at), 0) + len(said.values)
        for after, value in _values(said, station, failed):
            time_ms = round((start + after).timestamp() * 1000)
            found.setdefault((name, time_ms), {}).setdefault(value.key, value)
    return tuple(
        Report(device=device, series=name, time_ms=time_ms, values=tuple(values.values()))
        for (name, time_ms), values in found.items()
    )


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the time of YYMMDDhhmm or YYMMDDhhmmss. Raises FrameError."""
    try:
        return datetime.strptime(f"20{text}", "%Y%m%d%H%M%S" if len(text) > 10 else "%Y%m%d%H%M").replace(
            tzinfo=zone
        )
    except ValueError:
        raise FrameError("format", f"{text} is no time") from None


def _is_block(said: Said) -> bool:
    return said.number == RAIN_BLOCK or said.number in STAGE_BLOCKS


def _failed(body: Body) -> frozenset[int]:
    """Return the identifiers whose instrument the station itself calls faulty."""
    found: set[int] = set()
    for said in body.elements:
        if said.number == STATUS:
            bits = int.from_bytes(said.raw, "big")
            found.update((*STAGES, *STAGE_BLOCKS) if bits >> _GAUGE & 1 else ())
            found.update(FLOWS if bits >> _FLOW_METER & 1 else ())
    return frozenset(found)


def _values(said: Said, station: Station, failed: frozenset[int]) -> Iterator[tuple[timedelta, Value]]:
    """Yield each value with how long after the element's time it was measured."""
    flag = Flag.FAIL if said.number in failed else Flag.NOT_EVALUATED
    if said.number == STATUS:
        for value in _status(said.raw):
            yield timedelta(), value
    elif _is_block(said):
        first = timedelta() if station.block_time == "first" else -11 * _BLOCK_STEP
        for index, number in enumerate(said.values):
            for value in _block_values(said.id, number, flag, station.base_m):
                yield first + index * _BLOCK_STEP, value
    else:
        step = _length(said, len(said.values))
        for index, number in enumerate(said.values):
            none = not isinstance(number, BadDigits) and number in station.no_values
            yield index * step, _value(said.id, None if none else number, flag)


def _value(key: str, number: Number, flag: Flag) -> Value:
    if isinstance(number, BadDigits):
        return Value(key, None, Flag.FAIL)
    return Value(key, number, Flag.MISSING if number is None else flag)


def _block_values(key: str, number: Number, flag: Flag, base_m: float | None) -> Iterator[Value]:
    yield _value(key, number, flag)
    if key == "F5" and base_m is not None:
        stage = round(base_m + number, 3) if isinstance(number, float) else None
        yield _value("F5-stage", stage, flag)


def _length(said: Said, count: int) -> timedelta:
    step = said.step or Step(0, 0, 0)
    length = timedelta(days=step.day, hours=step.hour, minutes=step.minute)
    if count > 1 and not length:
        raise FrameError("format", f"{count} values of {said.id} with no time between them")
    return length


def _status(raw: bytes) -> Iterator[Value]:
    bits = int.from_bytes(raw, "big")
    for place, name in enumerate(_STATUS_BITS):
        bit = bits >> place & 1
        yield Value(f"45-{name}", float(1 - bit if place == _DOOR else bit))
