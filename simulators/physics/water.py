"""Water: the tide of the Huangpu, rivers that rise after rain, gates, wells, and what the water carries."""

from __future__ import annotations

import math

from simulators.physics import rain, weather
from simulators.physics.scene import Scene, Values

# constituents of the lower Huangpu: period in hours, amplitude relative to M2, phase
_TIDE = (
    (12.4206, 1.0, 0.4),
    (12.0, 0.42, 1.1),
    (23.9345, 0.19, 2.0),
    (25.8193, 0.13, 0.3),
    (6.2103, 0.16, 1.9),
)


def tide(t_s: float) -> float:
    """Return the tide at the estuary in units of the M2 amplitude, mean 0."""
    hours = t_s / 3600
    return sum(share * math.cos(2 * math.pi * hours / period + phase) for period, share, phase in _TIDE)


def stage_m(scene: Scene) -> float:
    """Return the stage at a node's place: mean, tide with its lag, rain, and a little wind."""
    lagged = tide(scene.t_s - 60 * scene.trait("lag_min", 90))
    return (
        scene.trait("mean_m", 2.6)
        + scene.trait("tide_m", 0.1) * lagged
        + scene.trait("runoff", 0.008) * scene.wetness_mm()
        + 0.03 * scene.wander("stage", 14_400)
        + 0.002 * scene.noise("ripple")
    )


def water_temperature_c(scene: Scene) -> float:
    """Return the temperature of a river: the season's, a little of the day's, slow weather."""
    return (
        weather.season_c(scene.t_s)
        + 0.6
        + 0.5 * weather.day_course(scene.t_s)
        + 1.2 * scene.shared("water", 4e5)
    )


def water_level(scene: Scene) -> Values:
    """A stage station: stage over the Wusong datum and water temperature."""
    return {"level_m": stage_m(scene), "water_temperature_c": water_temperature_c(scene)}


def rain_gauge(scene: Scene) -> Values:
    """A tipping bucket of 0.1 mm."""
    return {
        "rain_mm": rain.rain_mm(scene.seed, scene.lat, scene.lon, scene.t_s, scene.period_s),
        "rain_rate_mm_h": scene.rain_rate_mm_h(),
    }


def sluice_gate(scene: Scene) -> Values:
    """A gate between an inner river and the tidal one: it opens at ebb, further after rain."""
    inner = stage_m(scene)
    outer = 2.15 + 0.95 * tide(scene.t_s - 4500)
    head = inner - outer
    opening = min(4.0, max(0.0, 1.6 * head + 0.08 * scene.wetness_mm())) if head > 0.05 else 0.0
    return {"gate_opening_m": opening, "level_up_m": inner, "level_down_m": outer}


def manhole(scene: Scene) -> Values:
    """A sewer shaft: dry weather flow with the day, and the street's rain within minutes."""
    use = 0.06 * (1 + math.sin(2 * math.pi * (scene.local_hour - 9) / 12))
    level = scene.fixed("invert", 0.15, 0.5) + use + 0.05 * scene.wetness_mm(2_400)
    return {
        "level_m": min(4.5, level + 0.004 * scene.noise("flow")),
        "cover_open": 1.0 if scene.happens("cover", 1800, 0.0005) else 0.0,
        "gas_lel_pct": max(0.0, 1.2 + 1.5 * scene.wander("gas", 7200)),
    }


def water_quality(scene: Scene) -> Values:
    """A river's quality: oxygen follows temperature and light, rain brings turbidity and ammonia."""
    celsius = water_temperature_c(scene)
    wet = scene.wetness_mm()
    saturation = 14.6 - 0.39 * celsius + 0.0059 * celsius**2
    return {
        "water_temperature_c": celsius,
        "conductivity_us_cm": 620 - 6 * min(wet, 50) + 60 * scene.wander("salts", 40_000),
        "ph": 7.45 + 0.15 * weather.day_course(scene.t_s) + 0.2 * scene.wander("ph", 50_000),
        "dissolved_oxygen_mg_l": saturation
        * (0.72 + 0.07 * weather.day_course(scene.t_s) + 0.1 * scene.wander("do", 6e4)),
        "turbidity_ntu": 18 + 10 * scene.wander("mud", 20_000) + 2.5 * wet + abs(scene.noise("mud")),
        "ammonia_mg_l": max(0.02, 0.55 + 0.3 * scene.wander("nh3", 80_000) + 0.015 * wet),
    }


def outfall(scene: Scene) -> Values:
    """Treated wastewater of a works: it follows the day's use, rain thins and swells it."""
    use = 1 + 0.35 * math.sin(2 * math.pi * (scene.local_hour - 9) / 24)
    thin = 1 / (1 + 0.01 * min(scene.wetness_mm(), 40))
    return {
        "cod_mg_l": max(8.0, (26 + 8 * scene.wander("cod", 40_000)) * thin),
        "ammonia_mg_l": max(0.1, (1.4 + 1.1 * scene.wander("nh3", 50_000)) * thin),
        "total_phosphorus_mg_l": max(0.03, (0.24 + 0.12 * scene.wander("tp", 60_000)) * thin),
        "total_nitrogen_mg_l": max(2.0, (10.5 + 2.5 * scene.wander("tn", 60_000)) * thin),
        "suspended_solids_mg_l": max(2.0, 6 + 2.5 * scene.wander("ss", 20_000) + 0.1 * scene.wetness_mm()),
        "ph": 7.15 + 0.2 * scene.wander("ph", 50_000),
        "water_temperature_c": 0.7 * water_temperature_c(scene) + 7.5,
        "effluent_m3_h": scene.fixed("works_m3_h", 300, 2_500) * use / thin + 4 * scene.noise("flow"),
    }


def groundwater(scene: Scene) -> Values:
    """A shallow well of the delta: it rises over the days after rain and keeps the year's mean temperature."""
    depth = scene.fixed("depth", 1.2, 3.4) + 0.25 * scene.wander("table", 900_000)
    return {
        "groundwater_depth_m": max(0.1, depth - 0.006 * min(scene.wetness_mm(86_400), 80)),
        "groundwater_temperature_c": 17.3 + 0.3 * scene.wander("warmth", 2e6),
        "conductivity_us_cm": scene.fixed("salts", 800, 1_500) + 30 * scene.wander("salts", 400_000),
    }
