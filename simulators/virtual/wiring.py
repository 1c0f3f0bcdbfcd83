"""Which sensor is on which wire: from a node's settings to models on the buses of a virtual board.

The pins stand in one place, the board's own file in firmware/boards; they are read from there.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from edge.field.image import firmware_folder
from edge.model.errors import ConfigError
from simulators.sensors import SensorModel, model_of

SAMPLES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "water_level": (
        {"driver": "jsn_sr04t", "bus": "uart1", "datum_mm": 5200},
        {"driver": "ds18b20", "bus": "onewire"},
    ),
    "rain_gauge": ({"driver": "rain", "bus": "pin1", "tip_um": 200},),
    "power_meter": ({"driver": "pzem004t", "bus": "uart1"},),
    "air_quality": ({"driver": "pms5003", "bus": "uart1"}, {"driver": "bme280", "bus": "i2c"}),
    "weather": ({"driver": "bme280", "bus": "i2c"}, {"driver": "bh1750", "bus": "i2c"}),
    "noise": ({"driver": "noise", "bus": "adc1"},),
    "structure": ({"driver": "mpu6050", "bus": "i2c", "axis": "x"},),
    "streetlight": ({"driver": "ina226", "bus": "i2c", "shunt_uohm": 100_000},),
}
"""Sensors to begin with, by node kind: entries of `sensors` in settings.json."""


@cache
def pins(board: str) -> Mapping[str, Any]:
    """Return the pins of a board (esp32, esp32s3, esp32c3, pico_w) by the names that settings use."""
    file, key = ("pico_w.py", None) if board == "pico_w" else ("esp32.py", board.upper())
    tree = ast.parse((firmware_folder() / "boards" / file).read_text(encoding="utf-8"))
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            if names & {"PINS", "_PINS"}:
                table: dict[str, Any] = ast.literal_eval(statement.value)
                return table if key is None else dict(table[key])
    raise ConfigError(f"firmware/boards/{file} names no pins", remedy="use the firmware of a release")


def bus_of(board: str, name: str) -> str:
    """Return the bus of a virtual board that settings call `name`. Raises ConfigError."""
    wires = pins(board)
    if name not in wires:
        raise ConfigError(f"no bus {name!r} on a {board}", remedy="use " + ", ".join(sorted(wires)))
    if name == "i2c":
        return "i2c0"
    kind = name.rstrip("0123456789")
    return f"{kind}{wires[name][0] if kind == 'uart' else wires[name]}"


def wire(
    sensors: Sequence[Mapping[str, Any]], board: str = "esp32", *, seed: int = 0
) -> dict[str, list[SensorModel]]:
    """Return the models for the `sensors` of a node's settings, by bus, as VirtualNode takes them."""
    wired: dict[str, list[SensorModel]] = {}
    for entry in sensors:
        wired.setdefault(bus_of(board, entry["bus"]), []).append(model_of(entry, seed=seed))
    return wired
