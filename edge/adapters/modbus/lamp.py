"""Writing to what is on the line, a lamp's dimmer above all: a write counts once the device says it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from edge.adapters.adapter import Exchange
from edge.adapters.frame import FrameError
from edge.adapters.modbus.answer import answer
from edge.adapters.modbus.poller import ModbusOptions, unit_of
from edge.adapters.modbus.profile import Output, Profile, profile
from edge.adapters.modbus.request import COILS, HOLDING, WRITE_COIL, Framing, Request
from edge.adapters.report import Value
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """A write and its proof. Only an answer of `read_back` says that the device took the value.

    After a write that got no answer, `read_back` tells whether it arrived all the same.
    """

    write: Exchange
    read_back: Exchange


def write(
    profile: Profile, unit: int, key: str, raw: int, *, framing: Framing = Framing.RTU, timeout_s: float = 1.0
) -> Write:
    """Return what sets an output to `raw` steps. Raises ConfigError for what may not be written."""
    output = profile.output(key)
    if type(raw) is not int or not output.low <= raw <= output.high:
        raise ConfigError(
            f"profile {profile.name}: {key} cannot be {raw}", remedy=f"{output.low} to {output.high}"
        )
    if unit == 0:
        raise ConfigError("a write to all units (0) has no answer to prove it", remedy="write to each of them")
    setting = Request(unit=unit, function=output.function, start=output.register, values=(raw,))
    return Write(
        write=_exchange(setting, framing, timeout_s, output, None),
        read_back=_exchange(_reading(output, unit), framing, timeout_s, output, raw),
    )


def order(device: str, options: ModbusOptions, name: str, arguments: Mapping[str, Any]) -> Sequence[Exchange]:
    """Return what does a command: `lamp` with level_pct, 0 to 100 of the output's range. Raises ConfigError."""
    if name != "lamp" or not options.lamp:
        raise ConfigError(f"this device cannot do {name}", remedy='name its output: lamp = "way_0"')
    level_pct = arguments.get("level_pct")
    if type(level_pct) is not int or not 0 <= level_pct <= 100 or arguments.get("minutes"):
        raise ConfigError("lamp takes level_pct from 0 to 100 and nothing else: the device keeps no time")
    device_profile, unit, framing = profile(options.profile), unit_of(device), Framing(options.framing)
    output = device_profile.output(options.lamp)
    raw = output.low + round((output.high - output.low) * level_pct / 100)
    done = write(device_profile, unit, options.lamp, raw, framing=framing, timeout_s=options.timeout_s)
    return done.write, done.read_back


def state(
    profile: Profile, unit: int, key: str, *, framing: Framing = Framing.RTU, timeout_s: float = 1.0
) -> Exchange:
    """Return the question how an output stands."""
    output = profile.output(key)
    return _exchange(_reading(output, unit), framing, timeout_s, output, None)


def _reading(output: Output, unit: int) -> Request:
    function = COILS if output.function == WRITE_COIL else HOLDING
    return Request(unit=unit, function=function, start=output.register)


def _exchange(
    request: Request, framing: Framing, timeout_s: float, output: Output, wanted: int | None
) -> Exchange:
    sent = request.sent(framing, 1 if wanted is None else 2)
    read = partial(_read, request, sent, framing, output, wanted)
    return Exchange(request=sent, read=read, timeout_s=timeout_s)


def _read(
    request: Request, sent: bytes, framing: Framing, output: Output, wanted: int | None, data: bytes
) -> tuple[Value, ...] | None:
    """Return what the output stands at, nothing for a confirmed write. Raises FrameError `read_back`."""
    found = answer(request, sent, data, framing)
    if not found:
        return None if found is None else ()
    if wanted is not None and found[0] != wanted:
        raise FrameError("read_back", f"{output.key} is {found[0]} after {wanted} was written")
    return (Value(output.key, float(found[0])),)
