"""Lamps, meters and sockets. Every counter is a function of time alone: a restart goes on where it stood."""

from __future__ import annotations

import math
from functools import lru_cache

from simulators.physics import sun, weather
from simulators.physics.chance import draw, key
from simulators.physics.scene import Scene, Values

EPOCH_S = 1_735_660_800.0
"""2025-01-01 00:00 in Shanghai: when the counters of houses and piles stood at zero."""
WEEK_S = 7 * 86400.0
_DEAD_LAMPS = 0.013
_PILE_SLOT_S = 3 * 3600.0

# use by hour, share of the busiest
_HOUSE = (
    .34, .30, .28, .27, .28, .33, .46, .58, .55, .50, .50, .56,
    .58, .53, .50, .51, .57, .70, .88, 1., .97, .88, .68, .46,
)  # fmt: skip
_TAPS = (
    .12, .07, .05, .05, .10, .35, .85, 1., .70, .50, .45, .60,
    .55, .40, .38, .42, .60, .85, .95, .90, .85, .75, .50, .25,
)  # fmt: skip
_COOKER = (
    .03, .02, .02, .02, .05, .35, .70, .55, .25, .20, .45, .95,
    .60, .20, .15, .25, .75, 1., .80, .45, .30, .20, .10, .05,
)  # fmt: skip
_NOON = (0.0,) * 8 + (0.2, 0.5, 0.8, 1.0, 1.0, 0.8, 0.5, 0.2) + (0.0,) * 8


def voltage_v(scene: Scene) -> float:
    """Return the voltage of the street's feeder: 230 V, lower in the evening."""
    return (
        230.5 - 4 * _HOUSE[int(scene.local_hour)] + 2.2 * scene.shared("feeder", 5000) + 0.6 * scene.noise("u")
    )


def streetlight(scene: Scene) -> Values:
    """An LED lamp: on from sunset to sunrise, at half power from midnight to five; a few are dead."""
    full_w = scene.fixed("lamp_w", 92, 108)
    late_s, early_s = scene.fixed("dusk", -240, 240), scene.fixed("dawn", -240, 240)
    dead = scene.fixed("dead", 0, 1) < _DEAD_LAMPS
    day = sun.day_of(scene.t_s)
    sunset, sunrise = sun.night(day)
    on_s, off_s = sunset + late_s, sunrise + early_s
    on = on_s <= scene.t_s < off_s and not dead
    dim = (100.0 * sun.DIM_LEVEL if sun.is_dimmed(scene.t_s) else 100.0) if on else 0.0
    power = full_w * dim / 100 * (1 + 0.006 * scene.noise("p")) if on else 0.6
    volts = voltage_v(scene)
    burnt = sun.burnt_before_s(day) + max(0, day) * (early_s - late_s)
    burnt += sun.burnt_s(day, on_s, min(scene.t_s, off_s)) if scene.t_s > on_s else 0.0
    standby_s = max(0.0, scene.t_s - EPOCH_S)
    return {
        "lamp_on": float(on),
        "dim_pct": dim,
        "voltage_v": volts,
        "current_a": power / volts / (0.95 if on else 0.35),
        "power_w": power,
        "energy_wh": ((0.0 if dead else full_w * max(0.0, burnt)) + 0.6 * standby_s) / 3600,
        "lamp_temperature_c": weather.air_temperature_c(scene) + 0.24 * power,
    }


@lru_cache(maxsize=64)
def _sums(profile: tuple[float, ...]) -> tuple[float, ...]:
    total, sums = 0.0, [0.0]
    for hour, use in enumerate(profile):
        total += (use + profile[(hour + 1) % 24]) / 2
        sums.append(total)
    return tuple(sums)


def used_h(profile: tuple[float, ...], t_s: float) -> float:
    """Return the hours of full use since EPOCH_S for a daily profile (straight lines between the hours)."""
    hours = max(0.0, (t_s - EPOCH_S) / 3600)
    days, hour = divmod(hours, 24)
    index = min(23, int(hour))
    part = hour - index
    slope = profile[(index + 1) % 24] - profile[index]
    sums = _sums(profile)
    return days * sums[24] + sums[index] + profile[index] * part + slope * part * part / 2


def in_use(profile: tuple[float, ...], t_s: float) -> float:
    """Return the share of full use at a moment: the slope of `used_h`."""
    hour = max(0.0, (t_s - EPOCH_S) / 3600) % 24
    index = min(23, int(hour))
    return profile[index] + (profile[(index + 1) % 24] - profile[index]) * (hour - index)


def power_meter(scene: Scene) -> Values:
    """A building's meter."""
    full_w = scene.fixed("building_w", 8_000, 60_000)
    power = full_w * in_use(_HOUSE, scene.t_s) * (1 + 0.05 * scene.wander("load", 900))
    volts = voltage_v(scene)
    factor = 0.93 + 0.03 * scene.wander("pf", 4000)
    return {
        "voltage_v": volts,
        "current_a": power / volts / factor,
        "power_w": power,
        "energy_wh": full_w * used_h(_HOUSE, scene.t_s),
        "frequency_hz": 50 + 0.03 * scene.shared("grid", 300),
        "power_factor": factor,
    }


def three_phase_meter(scene: Scene) -> Values:
    """A building's main meter: its load is uneven on three phases, a little of its roof's power goes back."""
    full_w = scene.fixed("building_w", 40_000, 160_000)
    roof_w = scene.fixed("roof_w", 0, 5_000)
    factor = 0.94 + 0.02 * scene.wander("pf", 4000)
    grow = 1 + 0.05 * scene.wander("load", 900)
    values: Values = {}
    for phase, share in zip("abc", (0.36, 0.33, 0.31), strict=True):
        volts = voltage_v(scene) + 0.8 * scene.noise(f"u_{phase}")
        power = full_w * share * in_use(_HOUSE, scene.t_s) * grow
        values |= {
            f"voltage_{phase}_v": volts,
            f"power_{phase}_w": power,
            f"current_{phase}_a": power / volts / factor,
        }
    power = full_w * in_use(_HOUSE, scene.t_s) * grow
    energy = full_w * used_h(_HOUSE, scene.t_s)
    return values | {
        "power_w": power,
        "reactive_power_var": power * math.tan(math.acos(factor)),
        "apparent_power_va": power / factor,
        "power_factor": factor,
        "frequency_hz": 50 + 0.03 * scene.shared("grid", 300),
        "energy_wh": energy,
        "reverse_energy_wh": 0.1 * roof_w * used_h(_NOON, scene.t_s),
        "reactive_energy_varh": energy * 0.36,
    }


def water_meter(scene: Scene) -> Values:
    """A building's water."""
    full = scene.fixed("taps_m3_h", 0.8, 4.0)
    flow = full * in_use(_TAPS, scene.t_s) * (1 + 0.3 * scene.wander("taps", 1500))
    return {"water_volume_m3": full * used_h(_TAPS, scene.t_s), "water_flow_m3_h": flow}


def gas_meter(scene: Scene) -> Values:
    """A building's gas."""
    full = scene.fixed("cookers_m3_h", 1.0, 6.0)
    flow = full * in_use(_COOKER, scene.t_s) * (1 + 0.3 * scene.wander("cookers", 1500))
    return {"gas_volume_m3": full * used_h(_COOKER, scene.t_s), "gas_flow_m3_h": flow}


def _session(base: int, slot: int) -> tuple[float, float]:
    """Return (start, end), seconds into the slot, of the car charged in it; equal when there was none."""
    hour = (slot * 3) % 24
    if draw(base, 3 * slot) >= (0.7 if 8 <= hour < 23 else 0.35):
        return 0.0, 0.0
    start = 2400 * draw(base, 3 * slot + 1)
    return start, start + 1800 + 6000 * draw(base, 3 * slot + 2)


@lru_cache(maxsize=256)
def _charged_days_s(base: int) -> list[float]:
    return [0.0]


def charged_s(base: int, t_s: float) -> float:
    """Return for how many seconds a pile has charged since EPOCH_S."""
    slot = max(0, math.floor((t_s - EPOCH_S) / _PILE_SLOT_S))
    sums = _charged_days_s(base)
    while len(sums) <= slot:
        start, end = _session(base, len(sums) - 1)
        sums.append(sums[-1] + end - start)
    start, end = _session(base, slot)
    into = t_s - EPOCH_S - slot * _PILE_SLOT_S
    return sums[slot] + max(0.0, min(into, end) - start)


def charging_pile(scene: Scene) -> Values:
    """A pile: one car in three hours, by chance, at 7 kW or 60 kW."""
    base = key(scene.seed, scene.node.id, "cars")
    full_w = 60_000.0 if scene.fixed("fast", 0, 1) < 0.3 else 7_000.0
    start, end = _session(base, math.floor((scene.t_s - EPOCH_S) / _PILE_SLOT_S))
    into = (scene.t_s - EPOCH_S) % _PILE_SLOT_S
    charging = start <= into < end
    power = full_w if charging else 12.0
    volts = voltage_v(scene) * (math.sqrt(3) if full_w > 7_000 else 1)
    idle_wh = 12.0 * max(0.0, scene.t_s - EPOCH_S) / 3600
    return {
        "charging": float(charging),
        "voltage_v": volts,
        "current_a": power / volts,
        "power_w": power,
        "energy_wh": (full_w - 12.0) * charged_s(base, scene.t_s) / 3600 + idle_wh,
    }
