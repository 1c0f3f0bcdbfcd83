"""Weather and ground: air temperature with season and day, pressure systems, wind, light, soil, radiation."""

from __future__ import annotations

import math

from simulators.physics import sun
from simulators.physics.scene import Scene, Values


def season_c(t_s: float) -> float:
    """Return the day's mean air temperature of Shanghai: 4.8 °C in late January, 28.8 °C in late July."""
    return 16.8 - 12.0 * math.cos(2 * math.pi * (t_s / 86400 / 365.2425 - 27 / 365.2425))


def day_course(t_s: float) -> float:
    """Return the daily course in [-1, 1]: lowest at five in the morning, highest at three in the afternoon."""
    hour = (t_s / 3600 + 8) % 24
    if 5 <= hour < 15:
        return -math.cos(math.pi * (hour - 5) / 10)
    return math.cos(math.pi * ((hour - 15) % 24) / 14)


def air_temperature_c(scene: Scene) -> float:
    """Return the air temperature at a place."""
    swing = 3.2 * (1 - 0.5 * cloud(scene))
    return (
        season_c(scene.t_s)
        + swing * day_course(scene.t_s)
        + 4.0 * scene.shared("airmass", 260_000)
        - 0.05 * min(scene.rain_rate_mm_h(), 40)
        + scene.fixed("place", -0.4, 0.6)
        + 0.1 * scene.wander("gust", 900)
    )


def cloud(scene: Scene) -> float:
    """Return the cover of the sky, 0 to 1."""
    return min(1.0, max(0.0, 0.45 + 0.6 * scene.shared("cloud", 50_000) + 0.3 * (scene.rain_rate_mm_h() > 0.1)))


def humidity_pct(scene: Scene) -> float:
    """Return the relative humidity at a place."""
    wet = 15 if scene.rain_rate_mm_h() > 0.1 else 0
    return min(99.0, max(18.0, 72 - 12 * day_course(scene.t_s) + 14 * scene.shared("moist", 180_000) + wet))


def wind_m_s(scene: Scene) -> float:
    """Return the speed of the wind at a place."""
    wind = 3.2 + 2.2 * scene.shared("wind", 60_000) + 0.8 * day_course(scene.t_s) + 0.9 * scene.noise("gust")
    return max(0.0, wind)


def weather(scene: Scene) -> Values:
    """A weather station."""
    return {
        "temperature_c": air_temperature_c(scene),
        "humidity_pct": humidity_pct(scene),
        "pressure_hpa": 1016
        + 9 * math.cos(2 * math.pi * scene.t_s / 86400 / 365.2425)
        + 7 * scene.shared("p", 3e5),
        "wind_speed_m_s": wind_m_s(scene),
        "wind_direction_deg": (135 + 140 * scene.shared("veer", 150_000) + 15 * scene.noise("veer")) % 360,
        "illuminance_lx": sun.daylight_lx(scene.t_s, cloud(scene)),
    }


def soil(scene: Scene) -> Values:
    """A park's soil: damped temperature, moisture that rises with rain and dries for days."""
    return {
        "soil_moisture_pct": min(
            48.0, 21 + 4 * scene.wander("moisture", 500_000) + 0.4 * scene.wetness_mm(86_400)
        ),
        "soil_temperature_c": season_c(scene.t_s - 6e5)
        + 0.8 * day_course(scene.t_s - 10_800)
        + 0.05 * scene.noise("t"),
    }


def radiation(scene: Scene) -> Values:
    """Natural background; rain washes radon's daughters down."""
    background = scene.fixed("background", 78, 96)
    return {"dose_rate_nsv_h": background + 0.8 * min(scene.wetness_mm(3_600), 30) + 3 * scene.noise("count")}
