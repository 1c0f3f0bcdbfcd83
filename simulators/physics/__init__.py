"""How the simulated district behaves: pure functions of seed, node and time."""

from __future__ import annotations

from collections.abc import Callable

from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES
from simulators.physics import air, generic, power, water, weather
from simulators.physics.scene import Scene, Values

MODELS: dict[str, Callable[[Scene], Values]] = {
    "water_level": water.water_level,
    "rain_gauge": water.rain_gauge,
    "sluice_gate": water.sluice_gate,
    "manhole": water.manhole,
    "water_quality": water.water_quality,
    "outfall": water.outfall,
    "groundwater": water.groundwater,
    "streetlight": power.streetlight,
    "power_meter": power.power_meter,
    "three_phase_meter": power.three_phase_meter,
    "water_meter": power.water_meter,
    "gas_meter": power.gas_meter,
    "charging_pile": power.charging_pile,
    "air_quality": air.air_quality,
    "dust": air.dust,
    "noise": air.noise,
    "tunnel": air.tunnel,
    "structure": air.structure,
    "footfall": air.footfall,
    "weather": weather.weather,
    "soil": weather.soil,
    "radiation": weather.radiation,
}
"""One model a kind; a quantity that a model leaves out, or a kind without one, is simulated by its range."""


def sense(scene: Scene) -> tuple[float, ...]:
    """Return the values of a node's default schema, within range, rounded to what the sensor resolves."""
    kind = KINDS[scene.node.kind]
    model = MODELS.get(kind.name)
    values = model(scene) if model else {}
    return tuple(_as_sensed(name, values.get(name), scene) for name in kind.quantities)


def _as_sensed(name: str, value: float | None, scene: Scene) -> float:
    row = QUANTITIES[name]
    true = generic.value(scene, name) if value is None else value
    steps = round(min(row.high, max(row.low, true)) / row.resolution)
    return round(steps * row.resolution, row.decimals)
