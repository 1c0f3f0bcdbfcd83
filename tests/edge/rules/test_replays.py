"""Recordings of real rivers, air and power under the default rules, judged by the real checks."""

from __future__ import annotations

import pytest
from rules_rig import logan, ms, node, rows

from edge.model.alert import Episode, Level
from edge.rules import load_rules, read_rules
from edge.rules.backtest import Recorded, backtest

RULES = load_rules()
WATER = [rule for rule in RULES if "water_level" in rule.kinds]
SHIFT_M = 0.2978  # of the corrected stage from April on: 103 cm corrected is 132.78 cm as read


def local(time: str) -> int:
    return ms(time, -7)


def named(episodes: list[Episode], *rules: str) -> list[Episode]:
    return [one for one in episodes if one.rule in rules]


@pytest.fixture(scope="module")
def waterlab() -> list[Episode]:
    return backtest(RULES, logan("WaterLab2019", warning_m=1.03 + SHIFT_M))


def test_waterlab_has_one_flood_not_one_a_day(waterlab: list[Episode]) -> None:
    (flood,) = named(waterlab, "flood")
    assert local("2019-06-06 00:00") <= flood.start_ms <= local("2019-06-06 23:00")
    assert flood.end_ms is not None
    assert local("2019-06-09 14:30") <= flood.end_ms < local("2019-06-10 00:00")
    assert (flood.level, flood.peak, flood.peak_ms) == (Level.YELLOW, 1.416, local("2019-06-08 09:00"))


def test_the_technicians_lift_of_the_sensor_ends_no_standing_flood_and_is_no_fast_rise() -> None:
    found = backtest(WATER, logan("WaterLab2019", warning_m=0.95))
    standing = [
        one for one in named(found, "flood") if one.start_ms < local("2019-05-30 12:15") <= (one.end_ms or 0)
    ]
    assert len(standing) == 1
    assert standing[0].end_ms is not None and standing[0].end_ms > local("2019-06-05 00:00")
    assert named(found, "fast_rise") == []


def test_no_sentinel_is_a_value(waterlab: list[Episode]) -> None:
    assert all(one.peak is None or -10 < one.peak < 100_000 for one in waterlab)
    water = read_rules(
        'rule.cold = { quantity = "water_temperature_c", direction = "below", levels = { red = -100 } }'
    )
    assert backtest(water, logan("WaterLab2019")) == []


def test_the_flood_was_forecast(waterlab: list[Episode]) -> None:
    (forecast,) = named(waterlab, "flood_forecast")
    (flood,) = named(waterlab, "flood")
    assert 60 <= (flood.start_ms - forecast.start_ms) / 60_000 <= 120
    assert forecast.level is Level.BLUE


def test_ice_at_tony_grove_is_doubted_and_no_flood() -> None:
    recorded = logan("TonyGrove2014", warning_m=0.55, guaranteed_m=0.6, record_m=0.65)
    assert named(backtest(WATER, recorded), "flood", "fast_rise") == []
    unchecked = named(backtest(WATER, recorded, checks=None), "flood")
    assert max(one.highest for one in unchecked) is Level.RED  # the data would have it otherwise


def sds011(sensor: str) -> dict[str, Recorded]:
    found = Recorded(node("sds011", "air_quality"))
    for row in rows(f"air-sds011-aberdeen/sds011_{sensor}.csv.gz", ";"):
        t_ms = ms(row["timestamp"])
        for column, quantity in (("P1", "pm10_ug_m3"), ("P2", "pm2_5_ug_m3")):
            found.add(t_ms, quantity, float(row[column]) if row[column] else None, None)
    return {"sds011": found}


def test_a_real_rise_of_dust_is_found_and_single_full_scale_samples_raise_nothing() -> None:
    recorded = sds011("5331_2018-01-20_2018-02-20")
    found = named(backtest(RULES, recorded), "dust")
    rise = [
        one
        for one in found
        if one.start_ms <= ms("2018-02-05 15:34") and (one.end_ms or 0) >= ms("2018-02-05 15:17")
    ]
    assert len(rise) == 1 and rise[0].highest >= Level.YELLOW
    readings = recorded["sds011"].readings
    full = {
        t_ms
        for t_ms, row in readings.items()
        if (row["pm10_ug_m3"][0] or 0) >= 1999 or (row["pm2_5_ug_m3"][0] or 0) >= 999
    }
    assert full and all(any(one.start_ms <= t_ms <= (one.end_ms or t_ms) for one in rise) for t_ms in full)
    for t_ms in list(readings)[100::500]:  # the same month with many a full-scale sample in clean air
        if all(abs(t_ms - one.start_ms) > 3_600_000 for one in found):
            readings[t_ms] = {"pm10_ug_m3": (1999.9, None), "pm2_5_ug_m3": (999.9, None)}
    assert {one.key for one in named(backtest(RULES, recorded), "dust")} == {one.key for one in found}


def household() -> dict[str, Recorded]:
    found = Recorded(node("home", "power_meter"))
    for row in rows("power-household-uci/household_2007-01-31_2007-02-01.csv", ";"):
        t_ms = ms(f"{row['Date']} {row['Time']}", 1, "%d/%m/%Y %H:%M:%S")
        for column, quantity, scale in (
            ("Global_active_power", "power_w", 1000), ("Voltage", "voltage_v", 1),
            ("Global_intensity", "current_a", 1),
        ):  # fmt: skip
            text = row[column]
            found.add(t_ms, quantity, None if text in ("", "?") else float(text) * scale, None)
    return {"home": found}


def inverter() -> dict[str, Recorded]:
    found = Recorded(node("pv", "power_meter"))
    for row in rows("power-pv-inverter/system1_2015-11-11.csv"):
        t_ms = ms(row["TIMESTAMP"], -7, "%m/%d/%Y %H:%M")
        for column, quantity in (
            ("Sys1Vac_Avg", "voltage_v"), ("Sys1Iac_Avg", "current_a"), ("Sys1Wac_Avg", "power_w"),
            ("Sys1PowerFactor_Avg", "power_factor"), ("Sys1Frequency_Avg", "frequency_hz"),
        ):  # fmt: skip
            found.add(t_ms, quantity, float(row[column]), None)
    return {"pv": found}


@pytest.mark.parametrize(("recorded", "volts", "hertz"), [(household, 230, 50), (inverter, 240, 60)])
def test_good_power_raises_nothing_once_the_grid_is_the_right_one(recorded, volts, hertz) -> None:  # type: ignore[no-untyped-def]
    grid = f"[constant]\ngrid_v = {volts}\ngrid_hz = {hertz}\n"
    assert backtest(read_rules(grid, defaults=True), recorded()) == []
    assert backtest(RULES, recorded()) != []  # a grid of 220 V and 50 Hz would be another matter


def test_a_lamp_look_alike_of_half_a_minute_is_no_lamp_out() -> None:
    found = Recorded(node("usb0", "power_meter"))
    for row in rows("power-pzem004t/pzem_usb0.csv"):
        t_ms = ms(row["datetime"].strip(), 7)
        for quantity in ("voltage_v", "current_a", "power_w", "frequency_hz"):
            found.add(t_ms, quantity, float(row[quantity]), None)
    lamp = read_rules(
        """[rule.lamp_out]
        quantity = "current_a"
        direction = "below"
        given = { quantity = "voltage_v", at_least = 100 }
        levels.blue = { enter = 0.005, leave = 0.02 }
        for = "2min"
        """
    )
    at = [t_ms for t_ms, row in found.readings.items() if row["current_a"] == (0.0, None)]
    assert len(at) == 5 and backtest(lamp, {"usb0": found}) == []
