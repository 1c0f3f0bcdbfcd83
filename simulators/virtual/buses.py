"""The other end of a virtual board's pins and buses: models of sensors, a radio, what the outputs were set to.

A model offers what its wires need, no more:
    uart(written) -> bytes                      what the sensor sends after `written` (empty: of its own accord)
    i2c(address, written, wanted) -> bytes      `wanted` bytes; a CityError: nobody acknowledges this address
    onewire(written, wanted) -> bytes           `wanted` bytes, `written` since the bus was reset; a CityError:
                                                nobody there
    microvolts() -> int                         at an ADC's pin
    pin() -> int, pulses() -> int               of a digital input: its level; how often it fell since the start
    samples(wanted) -> bytes                    of an I2S microphone
simulators/sensors has them; a bus takes one or several.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from edge.model.errors import CityError, ConfigError
from simulators.virtual.requests import Op, Request

_BUS = re.compile(r"(uart|i2c|onewire|adc|pin|i2s)(\d+)")
_METHODS = {
    "uart": ("uart",),
    "i2c": ("i2c",),
    "onewire": ("onewire",),
    "adc": ("microvolts",),
    "pin": ("pin", "pulses"),
    "i2s": ("samples",),
}
_MOST_BYTES_AT_ONCE = 4_000
_UP, _NO_NETWORK, _WRONG_PASSWORD, _IDLE = range(4)


@dataclass(slots=True)
class Radio:
    """The Wi-Fi network around a board; `up` False is a network that went away."""

    ssid: str | None = None
    """None: any name and password will do."""
    password: str = ""
    rssi_dbm: int = -61
    up: bool = True


@dataclass(slots=True)
class Buses:
    """Everything at the pins of one board. `sensors`: uart1, i2c0, onewire4, adc34, pin27, i2s0 -> model(s)."""

    sensors: Mapping[str, Any] = field(default_factory=dict)
    radio: Radio = field(default_factory=Radio)
    pins: dict[int, int] = field(default_factory=dict)
    """Outputs: the level that each was last set to."""
    duties: dict[int, int] = field(default_factory=dict)
    """PWM outputs: the last duty cycle, of 65535."""
    _joined: tuple[str, str] | None = None
    _told_pulses: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for bus, model in self.sensors.items():
            match = _BUS.fullmatch(bus)
            if match is None:
                raise ConfigError(
                    f"no bus {bus!r} on a virtual board", remedy="use uart1, i2c0, onewire4, adc34..."
                )
            methods = _METHODS[match[1]]
            for part in _several(model):
                if not any(hasattr(part, method) for method in methods):
                    raise ConfigError(
                        f"{type(part).__name__} cannot be on {bus}", remedy=f"it needs {methods[0]}()"
                    )

    def answer(self, request: Request) -> bytes:
        """Return what the pins answer to a request."""
        match request.op:
            case Op.UART:
                return self._uart(request)
            case Op.I2C:
                return self._i2c(request)
            case Op.ONEWIRE:
                return self._onewire(request)
            case Op.ADC:
                model = self._one("adc", request.channel)
                return struct.pack("<i", model.microvolts() if model else 0)
            case Op.I2S:
                model = self._one("i2s", request.channel)
                return bytes(model.samples(int.from_bytes(request.payload, "little"))) if model else b""
            case Op.PIN | Op.SET_PIN | Op.EDGES | Op.PWM:
                return self._pin(request)
            case Op.RADIO:
                return self._wifi(request)
            case _:
                raise ValueError(f"{request.op.name} is no request to the pins")

    def power_off(self) -> None:
        """Forget what a board loses with its supply."""
        self._joined = None
        self.pins.clear()
        self.duties.clear()
        self._told_pulses.clear()

    def _uart(self, request: Request) -> bytes:
        models = self._all("uart", request.channel)
        return b"".join(bytes(model.uart(request.payload)) for model in models)[:_MOST_BYTES_AT_ONCE]

    def _i2c(self, request: Request) -> bytes:
        address, wanted = request.payload[0], int.from_bytes(request.payload[1:3], "little")
        for model in self._all("i2c", request.channel):
            with suppress(CityError):
                return b"\x01" + bytes(model.i2c(address, request.payload[3:], wanted))
        return b"\x00"

    def _onewire(self, request: Request) -> bytes:
        wanted = int.from_bytes(request.payload[:2], "little")
        for model in self._all("onewire", request.channel):
            with suppress(CityError):
                return b"\x01" + bytes(model.onewire(request.payload[2:], wanted))
        return b"\x00" + b"\xff" * wanted

    def _pin(self, request: Request) -> bytes:
        number, model = request.channel, self._one("pin", request.channel)
        if request.op is Op.SET_PIN:
            self.pins[number] = request.payload[0]
        elif request.op is Op.PWM:
            self.duties[number] = int.from_bytes(request.payload[:2], "little")
        elif request.op is Op.EDGES:
            return bytes((self._new_pulses(number, model),))
        elif hasattr(model, "pin"):
            return bytes((model.pin(),))
        return bytes((self.pins.get(number, 1),))

    def _new_pulses(self, number: int, model: Any) -> int:
        """Return the pulses since the last call, at most 255 of them; the rest comes with the next."""
        if not hasattr(model, "pulses"):
            return 0
        told = self._told_pulses.setdefault(number, model.pulses())
        new = min(255, model.pulses() - told)
        self._told_pulses[number] = told + new
        return int(new)

    def _wifi(self, request: Request) -> bytes:
        radio, rssi = self.radio, bytes((self.radio.rssi_dbm & 0xFF,))
        if request.channel == 1:
            name, _, password = request.payload.partition(b"\x00")
            self._joined = name.decode(), password.decode()
        elif request.channel == 2:
            self._joined = None
        elif request.channel == 3:
            return (
                (radio.ssid or "virtual").encode() + b"\x00" + bytes((radio.rssi_dbm & 0xFF,))
                if radio.up
                else b""
            )
        return bytes((self._radio_state(),)) + rssi

    def _radio_state(self) -> int:
        if self._joined is None:
            return _IDLE
        ssid, password = self._joined
        if not self.radio.up or self.radio.ssid not in (None, ssid):
            return _NO_NETWORK
        return _WRONG_PASSWORD if self.radio.ssid is not None and password != self.radio.password else _UP

    def _one(self, kind: str, number: int) -> Any:
        models = self._all(kind, number)
        return models[0] if models else None

    def _all(self, kind: str, number: int) -> Sequence[Any]:
        return _several(self.sensors.get(f"{kind}{number}"))


def _several(model: Any) -> Sequence[Any]:
    if model is None:
        return ()
    return model if isinstance(model, list | tuple) else (model,)
