"""Plain JSON, whatever its shape: Tasmota, zigbee2mqtt, and any device whose values have a path.

Every number of a message is a value under its dotted path (`ENERGY.Power`, `list.0.temp`); the device's table
says what it is.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from edge.adapters.adapter import Adapter, Case, Clock, Decode, Hear
from edge.adapters.frame import FrameError
from edge.adapters.message import STATES, flat, read, text, time_ms
from edge.adapters.report import Report, Value, Word
from edge.adapters.topic import device_in, known_in
from edge.model.errors import ConfigError

_TIME_PATHS = ("Time", "last_seen", "timestamp", "time")
"""Where the time is looked for: Tasmota, zigbee2mqtt, and what others call it."""
_SENSOR, _STATE = "SENSOR", "STATE"
_NO_READINGS = (
    "availability", "set", "get", "LWT", "RESULT", "INFO1", "INFO2", "INFO3", "UPTIME", "HASS_STATE"
)  # fmt: skip
"""Last levels of topics that hold no readings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonOptions:
    """What must be known of a device.

    `time` is the path of the moment of measurement: text as in RFC 3339, or epoch seconds or milliseconds;
    empty for the usual places. `timezone` is of times that tell none, as Tasmota's: without it they are not
    used. `states` are words that stand for numbers (`{"OPEN": 1}`), besides on, off, true and false.
    """

    time: str = ""
    timezone: str = ""
    states: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone or "UTC")
        except (ValueError, OSError, KeyError):
            raise ConfigError(
                f"timezone {self.timezone!r}", remedy="Asia/Shanghai, Europe/Berlin ..."
            ) from None


def hear(options: Mapping[str, Any], clock: Clock) -> Hear:
    """Return the reader of plain messages; whose they are stands in the topic."""
    default = JsonOptions()

    def heard(topic: str, payload: bytes) -> Sequence[Report]:
        named = owner(topic, options)
        if named is None:
            return ()
        device, rest = named
        found, stamp_ms = message(payload, options.get(device, default), rest.replace("/", "."))
        if not found:
            return ()
        if rest == _STATE:  # follows SENSOR within the second, which is as finely as Tasmota tells the time
            stamp_ms = None
        return (Report(device=device, values=tuple(found), time_ms=stamp_ms, series=_series(rest)),)

    return heard


def _series(rest: str) -> str:
    """Return the series of what follows the device in a topic: each has numbers of its own."""
    if rest in ("", _SENSOR, _STATE):
        return rest if rest == _STATE else ""
    return f"{rest.replace('/', '.')}/{2 + crc32(rest.encode()) % 997}"


def owner(topic: str, known: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return whose message it is and what follows in the topic; None for topics that hold no readings.

    A known device; or by the shapes `tele/<device>/SENSOR` and `zigbee2mqtt/<device>`; or the last level.
    Raises FrameError `topic`.
    """
    levels = topic.strip("/").split("/")
    if len(levels) > 1 and (
        levels[-1] in _NO_READINGS or levels[0] in ("cmnd", "stat") or levels[:2] == ["zigbee2mqtt", "bridge"]
    ):
        return None
    if (found := known_in(topic, known)) is not None:
        return found
    if levels[0] == "zigbee2mqtt" and len(levels) > 1:
        return "/".join(levels[1:]), ""
    if len(levels) > 2 and levels[0] == "tele":
        return "/".join(levels[1:-1]), levels[-1]
    return device_in(topic, known)


def message(payload: bytes, options: JsonOptions, alone: str = "") -> tuple[list[Value], int | None]:
    """Return the values of a message, and its time if any; a number alone goes by the name `alone`.

    Raises FrameError: json, format.
    """
    body = read(payload)
    states = {**STATES, **{word.lower(): number for word, number in options.states.items()}}
    found = list(flat(body, states, texts=True))
    if not isinstance(body, dict):
        return [value._replace(key=alone) if alone and value.key == "value" else value for value in found], None
    zone = ZoneInfo(options.timezone) if options.timezone else None
    path, stamp_ms = _time(body, options.time, zone)
    return _metric([value for value in found if value.key != path], body), stamp_ms


def _time(body: Mapping[str, Any], path: str, zone: tzinfo | None) -> tuple[str, int | None]:
    for candidate in (path,) if path else _TIME_PATHS:
        found: Any = body
        for key in candidate.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, str):
            return candidate, time_ms(found, zone)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return candidate, _epoch_ms(candidate, found)
    if path:
        raise FrameError("format", f"no time stands at {path!r}")
    return "", None


def _epoch_ms(path: str, found: float) -> int:
    """Return epoch milliseconds of seconds or milliseconds: seconds have ten digits until the year 2286."""
    if 1e9 <= found < 1e10:
        return round(found * 1000)
    if 1e12 <= found < 1e13:
        return round(found)
    raise FrameError("format", f"{path} is {found!r}, neither epoch seconds nor milliseconds")


def _metric(values: list[Value], body: Mapping[str, Any]) -> list[Value]:
    """Turn what Tasmota says in other units, which it names beside the values, into °C and hPa."""
    fahrenheit = text(body, "TempUnit") == "F" if isinstance(body.get("TempUnit"), str) else False
    factor = {"mmHg": 1.333223874, "inHg": 33.86388667}.get(str(body.get("PressureUnit")), 1.0)
    turned = []
    for value in values:
        name = value.key.rpartition(".")[2]
        number = value.number
        if number is not None and fahrenheit and name in ("Temperature", "DewPoint"):
            number = round((number - 32) / 1.8, 3)
        elif number is not None and factor != 1.0 and name in ("Pressure", "SeaPressure"):
            number = round(number * factor, 3)
        turned.append(value._replace(number=number))
    return turned


_KWH = Word("energy_wh", 1000.0)
_CLIMATE_SENSORS = (
    "AM2301", "DHT11", "SI7021", "HTU21", "SHT3X", "SHT4X", "SHTC3", "AHT2X", "BME280", "BMP280", "BME680",
    "DS18B20", "SCD30", "SCD40", "MHZ19B",
)  # fmt: skip
WORDS: Mapping[str, Word] = {
    # Tasmota
    "ENERGY.Power": Word("power_w"),
    "ENERGY.Voltage": Word("voltage_v"),
    "ENERGY.Current": Word("current_a"),
    "ENERGY.Frequency": Word("frequency_hz"),
    "ENERGY.Factor": Word("power_factor"),
    "ENERGY.Total": _KWH,
    "ENERGY.ApparentPower": Word("apparent_power_va"),
    "ENERGY.ReactivePower": Word("reactive_power_var"),
    **{
        f"ENERGY.{what}.{number}": Word(f"{quantity}_{phase}_{unit}")  # lists, of three phases
        for what, quantity, unit in (
            ("Voltage", "voltage", "v"),
            ("Current", "current", "a"),
            ("Power", "power", "w"),
        )
        for number, phase in enumerate("abc")
    },
    "Wifi.Signal": Word("rssi_dbm"),
    **{f"{sensor}.Temperature": Word("temperature_c") for sensor in _CLIMATE_SENSORS},
    **{f"{sensor}.Humidity": Word("humidity_pct") for sensor in _CLIMATE_SENSORS},
    **{f"{sensor}.Pressure": Word("pressure_hpa") for sensor in _CLIMATE_SENSORS},
    **{f"{sensor}.CarbonDioxide": Word("co2_ppm") for sensor in _CLIMATE_SENSORS},
    **{f"{sensor}.PM2.5": Word("pm2_5_ug_m3") for sensor in ("SDS0X1", "PMS5003", "PMSX003")},
    **{f"{sensor}.PM10": Word("pm10_ug_m3") for sensor in ("SDS0X1", "PMS5003", "PMSX003")},
    "BH1750.Illuminance": Word("illuminance_lx"),
    # zigbee2mqtt; its `voltage` is millivolts of a battery or volts of the mains, so the device's table tells
    "temperature": Word("temperature_c"),
    "humidity": Word("humidity_pct"),
    "pressure": Word("pressure_hpa"),
    "illuminance": Word("illuminance_lx"),
    "illuminance_lux": Word("illuminance_lx"),
    "soil_moisture": Word("soil_moisture_pct"),
    "co2": Word("co2_ppm"),
    "pm25": Word("pm2_5_ug_m3"),
    "power": Word("power_w"),
    "current": Word("current_a"),
    "power_factor": Word("power_factor"),
    "energy": _KWH,
    "battery": Word("battery_pct"),
    "contact": Word("door_open", -1.0, 1.0),  # true is closed
}


def _decode(case: Case) -> dict[str, Any]:
    found, stamp_ms = message(case.raw, JsonOptions())
    shown: dict[str, Any] = {}
    if case.topic:
        named = owner(case.topic, {})
        shown["device"] = named and named[0]
    return shown | {"time_ms": stamp_ms, "values": {value.key: value.number for value in found}}


def decoder() -> Decode:
    """Return the decoder of `cityneuron decode json`."""
    return _decode


ADAPTER = Adapter(decoder=decoder, words=WORDS, options=JsonOptions, hear=hear)
