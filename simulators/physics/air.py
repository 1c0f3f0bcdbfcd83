"""Air and noise: what traffic, weather and the hour do to them."""

from __future__ import annotations

import math

from simulators.physics import weather
from simulators.physics.scene import Scene, Values

# traffic by hour of a working day and of a weekend day, share of the busiest
_WORKDAY = (
    .15, .09, .07, .06, .09, .22, .48, .83, 1., .88, .74, .72,
    .70, .71, .74, .79, .88, .99, .97, .78, .62, .51, .38, .25,
)  # fmt: skip
_WEEKEND = (
    .22, .14, .10, .08, .08, .13, .24, .38, .52, .66, .75, .79,
    .78, .76, .77, .79, .82, .84, .80, .71, .62, .54, .43, .31,
)  # fmt: skip
_NOISE_CLASS_DB = {"0": 42.0, "1": 47.0, "2": 51.5, "3": 55.5, "4a": 62.0, "4b": 63.0}


def traffic(scene: Scene) -> float:
    """Return the traffic in the streets, 0 to 1."""
    table = _WEEKEND if scene.weekend else _WORKDAY
    hour = int(scene.local_hour)
    part = scene.local_hour - hour
    return table[hour] + (table[(hour + 1) % 24] - table[hour]) * part


def street(scene: Scene) -> float:
    """Return the traffic at the node: the city's, times its street's share."""
    return traffic(scene) * scene.trait("traffic", 1.0) * (1 + 0.15 * scene.wander("cars", 1200))


def winter(scene: Scene) -> float:
    """Return how much of winter it is: 1 in the middle of January, 0 in that of July."""
    return 0.5 + 0.5 * math.cos(2 * math.pi * (scene.t_s / 86400 / 365.2425 - 15 / 365.2425))


def haze(scene: Scene) -> float:
    """Return how much stays in still air, about 1."""
    return math.exp(0.75 * scene.shared("haze", 200_000) + 0.2 * scene.wander("haze", 15_000))


def washed(scene: Scene) -> float:
    """Return what the rain of the last hours has left."""
    return math.exp(-0.03 * min(scene.wetness_mm(), 40))


def particles(scene: Scene) -> tuple[float, float]:
    """Return the fine and the coarse dust of the streets, ug/m3: PM2.5 and PM10 without the sensor's noise."""
    cars = street(scene)
    fine = (14 + 16 * winter(scene) + 9 * cars) * haze(scene) * washed(scene)
    return fine, fine * (1.35 + 0.25 * scene.wander("dust", 9000)) + 6 * cars + 4


def air_quality(scene: Scene) -> Values:
    """An air station. Particles build up in still winter air, ozone in summer sun; rain washes out."""
    still, cars = math.sqrt(haze(scene)), street(scene)
    fine, coarse = particles(scene)
    light = max(0.0, weather.day_course(scene.t_s)) * (1.1 - 0.7 * winter(scene))
    return {
        "pm2_5_ug_m3": fine + 0.4 * scene.noise("pm"),
        "pm10_ug_m3": coarse + 0.8 + 0.4 * scene.noise("pm10"),
        "no2_ug_m3": (10 + 34 * cars) * still * washed(scene),
        "so2_ug_m3": 5 + 2.5 * scene.wander("so2", 30_000),
        "o3_ug_m3": max(4.0, 52 + 95 * light - 25 * cars + 15 * scene.shared("o3", 90_000)),
        "co_mg_m3": (0.42 + 0.45 * cars) * still,
        "temperature_c": weather.air_temperature_c(scene),
        "humidity_pct": weather.humidity_pct(scene),
    }


def dust(scene: Scene) -> Values:
    """A building site's station: coarse dust by working hours and wind, laid by rain; machines are heard."""
    fine, coarse = particles(scene)
    at_work = 7 <= scene.local_hour < 18 and not scene.weekend
    digging = (1 + 0.5 * scene.wander("site", 2_400)) * (1.0 if at_work else 0.15)
    raised = 45 * digging * (0.6 + 0.12 * weather.wind_m_s(scene)) / (1 + 0.2 * min(scene.wetness_mm(), 20))
    return {
        "tsp_ug_m3": 1.4 * coarse + raised,
        "pm10_ug_m3": coarse + 0.4 * raised,
        "pm2_5_ug_m3": fine + 0.05 * raised,
        "noise_laeq_db": 51 + 13 * min(1.0, digging) + 1.5 * scene.noise("site"),
        **{name: value for name, value in weather.weather(scene).items() if name != "illuminance_lx"},
    }


def noise(scene: Scene) -> Values:
    """A noise station of a class of GB 3096: the class's level, traffic in decibels, now and then a horn."""
    base = _NOISE_CLASS_DB.get(str(scene.traits.get("class", "2")), 52.0)
    level = (
        base
        + 8.5 * math.log10(0.08 + traffic(scene))
        + 1.2 * scene.wander("street", 1800)
        + 0.9 * scene.noise("l")
    )
    if scene.happens("horn", 60, 0.01 * traffic(scene)):
        level += 9.0
    level += 3.5 * math.log10(1 + scene.rain_rate_mm_h())
    return {"noise_laeq_db": level, "noise_lamax_db": level + 7 + 2.5 * abs(scene.noise("max"))}


def tunnel(scene: Scene) -> Values:
    """A road tunnel: exhaust gases follow traffic, fans start at 12 mg/m3 of CO, water gathers in the sump."""
    cars = street(scene)
    gas = 2.0 + 14.0 * cars
    fan = gas > 12
    return {
        "co_mg_m3": gas * (0.7 if fan else 1.0),
        "no2_ug_m3": 60 + 180 * cars,
        "fan_on": float(fan),
        "level_m": 0.25 + 0.2 * scene.wander("sump", 3000) ** 2 + 0.01 * scene.wetness_mm(3600),
        "illuminance_lx": 90 + 4 * scene.noise("lamp"),
    }


def structure(scene: Scene) -> Values:
    """A bridge: tilt and strain breathe with temperature, vibration comes with lorries."""
    warm = weather.air_temperature_c(scene) - 17
    cars = street(scene)
    return {
        "tilt_deg": scene.fixed("tilt", -0.25, 0.25) + 0.002 * warm + 0.003 * scene.noise("tilt"),
        "strain_um_m": scene.fixed("strain", -60, 60) + 9.5 * warm + 14 * cars * scene.noise("strain"),
        "vibration_mm_s": 0.15 + 1.8 * cars * abs(scene.noise("lorry")),
        "crack_mm": scene.fixed("crack", 0.05, 0.4) + 0.002 * warm,
    }


def footfall(scene: Scene) -> Values:
    """People who passed in the period."""
    crowd = traffic(scene) * (1.5 if scene.weekend else 1.0) * (0.35 if scene.rain_rate_mm_h() > 0.5 else 1.0)
    minute = scene.fixed("crowd", 12, 70) * crowd * (1 + 0.35 * scene.noise("people"))
    return {"people_count": minute * scene.period_s / 60}
