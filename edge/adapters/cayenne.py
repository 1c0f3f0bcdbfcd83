"""Cayenne LPP: channel, type and value, packed for a few bytes of radio; the codec of many LoRaWAN devices.

The types are a table, so this is smaller than a dependency: pycayennelpp (last released in 2021) takes voltage
and current as signed, where the widely used C++ library and its devices do not, and lacks the polyline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edge.adapters.adapter import Adapter, Case, Clock, Decode, Hear
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value, Word
from edge.adapters.topic import device_in


class Field(NamedTuple):
    """A number within a value: `count / divisor`, high byte first."""

    name: str
    length: int
    divisor: int = 1
    signed: bool = False


class Kind(NamedTuple):
    """A type of value: one nameless field, or several."""

    name: str
    fields: tuple[Field, ...]

    @property
    def length(self) -> int:
        """Return how many bytes a value of this type has."""
        return sum(field.length for field in self.fields)


def _one(name: str, length: int, divisor: int = 1, signed: bool = False) -> Kind:
    return Kind(name, (Field("", length, divisor, signed),))


def _axes(name: str, divisor: int) -> Kind:
    return Kind(name, tuple(Field(axis, 2, divisor, True) for axis in "xyz"))


POLYLINE = 0xF0
KINDS: Mapping[int, Kind] = {
    0x00: _one("digital_in", 1),
    0x01: _one("digital_out", 1),
    0x02: _one("analog_in", 2, 100, True),
    0x03: _one("analog_out", 2, 100, True),
    0x64: _one("generic", 4),
    0x65: _one("luminosity", 2),  # lx
    0x66: _one("presence", 1),
    0x67: _one("temperature", 2, 10, True),  # °C
    0x68: _one("relative_humidity", 1, 2),  # %
    0x71: _axes("accelerometer", 1000),  # g
    0x73: _one("barometric_pressure", 2, 10),  # hPa
    0x74: _one("voltage", 2, 100),  # V
    0x75: _one("current", 2, 1000),  # A
    0x76: _one("frequency", 4),  # Hz
    0x78: _one("percentage", 1),
    0x79: _one("altitude", 2, 1, True),  # m
    0x7D: _one("concentration", 2),  # ppm
    0x80: _one("power", 2),  # W
    0x82: _one("distance", 4, 1000),  # m
    0x83: _one("energy", 4, 1000),  # kWh
    0x84: _one("direction", 2),  # degrees
    0x85: _one("unix_time", 4),
    0x86: _axes("gyrometer", 100),  # degrees a second
    0x87: Kind("colour", (Field("r", 1), Field("g", 1), Field("b", 1))),
    0x88: Kind("gps", (Field("latitude", 3, 10_000, True), Field("longitude", 3, 10_000, True),
                       Field("altitude", 3, 100, True))),
    0x8E: _one("switch", 1),
}  # fmt: skip
"""Every type but the polyline, whose first byte tells its length."""

_STEPS: Mapping[int, int] = {
    227: 1, 228: 2, 229: 5, 230: 10, 231: 20, 232: 50, 233: 100, 234: 200, 235: 500, 236: 1000, 237: 2000,
    238: 5000, 239: 10_000,
}  # fmt: skip
"""Steps of a polyline above 199, in 0.0001 degrees; below 200 the byte is the step."""


class Item(NamedTuple):
    """One value of one channel; a number, an object of numbers, or a list of places."""

    channel: int
    type: int
    name: str
    value: Any


class Frame(NamedTuple):
    """What could be read, and what lies behind a type that nobody knows: it cannot be told how long it is."""

    items: tuple[Item, ...]
    rest: bytes = b""


def parse(raw: bytes) -> Frame:
    """Return the items of a payload. Raises FrameError `truncated`; `type` where not even one is known."""
    items: list[Item] = []
    at = 0
    while at < len(raw):
        if at + 2 > len(raw):
            raise FrameError("truncated", f"channel {raw[at]} has no type")
        channel, kind = raw[at], raw[at + 1]
        length = _length(raw, at + 2, kind)
        if length is None:
            if not items:
                raise FrameError("type", f"type {kind:02X}h of channel {channel} is not known")
            return Frame(tuple(items), raw[at:])
        body = raw[at + 2 : at + 2 + length]
        if len(body) < length:
            raise FrameError("truncated", f"channel {channel}, type {kind:02X}h: {len(body)} of {length} bytes")
        name = "polyline" if kind == POLYLINE else KINDS[kind].name
        items.append(
            Item(channel, kind, name, _polyline(body) if kind == POLYLINE else _value(KINDS[kind], body))
        )
        at += 2 + length
    return Frame(tuple(items))


def _length(raw: bytes, at: int, kind: int) -> int | None:
    if kind != POLYLINE:
        return KINDS[kind].length if kind in KINDS else None
    return max(raw[at], 8) if at < len(raw) else 8


def _value(kind: Kind, body: bytes) -> Any:
    found: dict[str, float] = {}
    at = 0
    for field in kind.fields:
        count = int.from_bytes(body[at : at + field.length], "big", signed=field.signed)
        found[field.name] = count if field.divisor == 1 else count / field.divisor
        at += field.length
    return found.get("", found)


def _polyline(body: bytes) -> list[dict[str, float]]:
    """Return the places of a line: length, step, the first place, a nibble each way for every other."""
    step = body[1] if 0 < body[1] < 200 else _STEPS.get(body[1])
    if step is None:
        raise FrameError("type", f"a polyline of step {body[1]}")
    latitude = int.from_bytes(body[2:5], "big", signed=True) * step
    longitude = int.from_bytes(body[5:8], "big", signed=True) * step
    places = [(latitude, longitude)]
    for nibbles in body[8:]:
        latitude += ((nibbles & 15 ^ 8) - 8) * step
        longitude += ((nibbles >> 4 ^ 8) - 8) * step
        places.append((latitude, longitude))
    return [{"latitude": north / 10_000, "longitude": east / 10_000} for north, east in places]


def encode(items: Sequence[tuple[int, int, Any]]) -> bytes:
    """Return the payload of (channel, type, value), values as `parse` gives them; no polylines."""
    out = bytearray()
    for channel, kind, value in items:
        out += bytes((channel, kind))
        for field in KINDS[kind].fields:
            number = value[field.name] if field.name else value
            out += round(number * field.divisor).to_bytes(field.length, "big", signed=field.signed)
    return bytes(out)


def values(frame: Frame) -> list[Value]:
    """Return the numbers of a frame as The Things Stack names them: `temperature_7`, `gps_12.latitude`."""
    found: list[Value] = []
    for item in frame.items:
        key = f"{item.name}_{item.channel}"
        if isinstance(item.value, dict):
            found.extend(Value(f"{key}.{name}", number) for name, number in item.value.items())
        elif not isinstance(item.value, list):
            found.append(Value(key, item.value))
    if frame.rest:
        found.append(Value("undecoded_bytes", len(frame.rest)))
    return found


MEANT_CHANNELS = 16
_MEANINGS = {
    "luminosity": Word("illuminance_lx"),
    "temperature": Word("temperature_c"),
    "relative_humidity": Word("humidity_pct"),
    "barometric_pressure": Word("pressure_hpa"),
    "voltage": Word("voltage_v"),
    "current": Word("current_a"),
    "power": Word("power_w"),
    "energy": Word("energy_wh", 1000.0),
    "frequency": Word("frequency_hz"),
}
WORDS: Mapping[str, Word] = {
    f"{name}_{channel}": word for name, word in _MEANINGS.items() for channel in range(MEANT_CHANNELS)
}
"""What is plain from the type alone. Where two channels have one type, or for
higher channels, the device's table tells."""


def _decode(case: Case) -> dict[str, Any]:
    frame = parse(case.raw)
    found: dict[str, Any] = {"items": [item._asdict() for item in frame.items]}
    if frame.rest:
        found |= {"error": "type", "detail": f"not decoded: {frame.rest.hex().upper()}"}
    return found


def decoder() -> Decode:
    """Return the decoder of `cityneuron decode cayenne-lpp`."""
    return _decode


def hear(options: Mapping[str, Any], clock: Clock) -> Hear:
    """Return the reader of bare payloads; whose they are stands in the topic."""

    def heard(topic: str, payload: bytes) -> Sequence[Report]:
        device, _ = device_in(topic, options)
        return [Report(device=device, values=tuple(values(parse(payload))))]

    return heard


ADAPTER = Adapter(decoder=decoder, words=WORDS, hear=hear, series=frozenset())
