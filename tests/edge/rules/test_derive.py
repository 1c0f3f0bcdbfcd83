"""Numbers derived from readings, each against a sum done by hand or a table of its standard."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import pytest
from rules_rig import node, rows

from edge.model.alert import Episode
from edge.rules import Watch, read_rules
from edge.rules.aqi import iaqi

MIN, HOUR = 60_000, 3_600_000
MIDNIGHT = 1_559_923_200_000  # 2019-06-08 00:00 in Shanghai


class Neighbours:
    def __init__(self, **values: list[tuple[int, float]]) -> None:
        self.values = values

    def latest(self, node: str, quantity: str) -> tuple[int, float] | None:
        return self.values[node][-1] if node in self.values else None

    def series(self, node: str, quantity: str, since_ms: int) -> Sequence[tuple[int, float]]:
        return [row for row in self.values.get(node, []) if row[0] >= since_ms]


def watch(rule: str, kind: str, quantities: Sequence[str], peers: Neighbours | None = None) -> Watch:
    return Watch(node("n-01", kind, warning_m=3.0), quantities, read_rules(rule), peers, period_s=60)


def feed(
    watch: Watch, values: Sequence[float | Sequence[float]], begin_ms: int = MIDNIGHT, step_ms: int = MIN
) -> list[Episode]:
    found: list[Episode] = []
    for k, value in enumerate(values):
        row = list(value) if isinstance(value, Sequence) else [value]
        found += watch.take(begin_ms + k * step_ms, row, [1] * len(row))
    return found


@pytest.mark.parametrize(
    ("quantity", "mean", "index"),
    [
        ("pm2_5_ug_m3", 35, 50), ("pm2_5_ug_m3", 60, 100), ("pm2_5_ug_m3", 115, 150), ("pm2_5_ug_m3", 150, 200),
        ("pm2_5_ug_m3", 250, 300), ("pm2_5_ug_m3", 350, 400), ("pm2_5_ug_m3", 500, 500),
        ("pm2_5_ug_m3", 900, 500), ("pm2_5_ug_m3", 75, 114),
        ("pm10_ug_m3", 120, 100), ("so2_ug_m3", 475, 150), ("no2_ug_m3", 565, 300),
        ("co_mg_m3", 4, 100), ("o3_ug_m3", 160, 100), ("o3_ug_m3", 265, 200), ("o3_ug_m3", 900, 300),
        ("pm10_ug_m3", 0, 0), ("pm10_ug_m3", 1, 1), ("pm10_ug_m3", 0.5, 1),
    ],
)  # fmt: skip
def test_iaqi_follows_the_table_of_hj_633_2026_and_rounds_up(quantity: str, mean: float, index: int) -> None:
    assert iaqi(quantity, mean) == index


def test_the_air_index_is_that_of_the_worst_pollutant_and_names_it() -> None:
    rule = '[rule.aqi]\nderive = { aqi = "realtime" }\nlevels.yellow = 151'
    air = watch(rule, "air_quality", ["pm2_5_ug_m3", "pm10_ug_m3"])
    assert feed(air, [(30.0, 60.0)] * 60) == []
    (opened,) = feed(air, [(30.0, 300.0)] * 60, MIDNIGHT + HOUR)
    assert opened.quantity == "aqi" and opened.note is not None and opened.note.keys() == {"pm10_ug_m3"}
    assert 250 < opened.note["pm10_ug_m3"] < 300


def test_an_hour_mean_of_decibels_is_a_mean_of_energies() -> None:
    loud = watch(
        '[rule.x]\nquantity = "noise_laeq_db"\nderive = { mean = "1h" }\nlevels.red = 66.9',
        "noise",
        ["noise_laeq_db"],
    )
    told = feed(loud, [40.0, 70.0] * 40)
    assert told and told[0].value == pytest.approx(10 * log10((1e4 + 1e7) / 2), abs=0.01)  # 67, not 55


def test_a_mean_needs_three_quarters_of_its_window() -> None:
    text = '[rule.x]\nquantity = "pm2_5_ug_m3"\nderive = { mean = "1h" }\nlevels.red = 10'
    assert feed(watch(text, "air_quality", ["pm2_5_ug_m3"]), [50.0] * 43) == []
    assert feed(watch(text, "air_quality", ["pm2_5_ug_m3"]), [50.0] * 46) != []


def test_rain_is_summed_over_its_window_and_no_longer() -> None:
    rain = watch(
        '[rule.x]\nquantity = "rain_mm"\nderive = { sum = "3h" }\nlevels.orange = 50', "rain_gauge", ["rain_mm"]
    )
    opened, *_, ended = feed(rain, [1.0] * 60 + [0.0] * 240)
    assert (opened.start_ms, opened.value) == (MIDNIGHT + 49 * MIN, 50)
    assert ended.end_ms is not None and abs(ended.end_ms - MIDNIGHT - 3 * HOUR - 10 * MIN) <= 8 * MIN


def test_the_rate_of_a_counter_survives_its_reset() -> None:
    text = '[rule.x]\nquantity = "quarantined_readings"\nderive = { rate = "10min" }\nlevels.red = 59'
    grows = watch(text, "gateway", ["quarantined_readings"])
    told = feed(grows, [float(k) for k in range(100, 130)] + [float(k) for k in range(30)])
    assert told[0].is_open and told[-1].is_open and told[0].value == pytest.approx(60)


def test_a_sensor_lifted_and_put_back_is_no_rise_but_a_rise_is() -> None:
    text = '[rule.x]\nquantity = "level_m"\nderive = { rate = "1h" }\nlevels.red = 0.4'
    still = [2.0] * 60
    assert feed(watch(text, "water_level", ["level_m"]), still + [0.3] * 10 + still) == []
    assert feed(watch(text, "water_level", ["level_m"]), still + [2 + k / 100 for k in range(60)])


@pytest.mark.parametrize(("minutes", "opens"), [(8, True), (60, False)])
def test_a_difference_between_stations_needs_a_recent_neighbour(minutes: int, opens: bool) -> None:
    text = '[rule.x]\nquantity = "level_m"\nderive = { difference = "up/level_m" }\nlevels.red = 0.5'
    peers = Neighbours(up=[(MIDNIGHT - minutes * MIN, 1.0)])
    told = feed(watch(text, "water_level", ["level_m"], peers), [1.6])
    assert bool(told) is opens
    if told:
        assert told[0].value == pytest.approx(0.6)


def test_water_that_flows_back_counts_only_while_the_gate_is_open() -> None:
    text = """[rule.x]
    quantity = "level_down_m"
    derive = { difference = "level_up_m" }
    given = { quantity = "gate_opening_m", at_least = 0.05 }
    levels.yellow = 0.1"""
    names = ["gate_opening_m", "level_up_m", "level_down_m"]
    assert feed(watch(text, "sluice_gate", names), [(0.0, 2.0, 2.5)]) == []
    assert feed(watch(text, "sluice_gate", names), [(0.2, 2.0, 2.5)])[0].value == 0.5


def test_the_energy_of_a_charge_begins_anew_with_each() -> None:
    levels = "levels.blue = { enter = 1000, leave = 1 }"
    text = f'[rule.x]\nquantity = "energy_wh"\nderive = {{ energy = "charging" }}\n{levels}'
    pile = watch(text, "charging_pile", ["charging", "energy_wh"])
    told = feed(
        pile,
        [(1.0, 5000.0 + 400 * k) for k in range(4)]
        + [(0.0, 6200.0)]
        + [(1.0, 6200.0 + 400 * k) for k in range(4)],
    )
    assert [one.value for one in told] == [1200, 0, 1200]


def test_power_adds_up_to_energy() -> None:
    text = '[rule.x]\nquantity = "power_w"\nderive = { energy = "lamp_on" }\nlevels.blue = 100'
    (opened,) = feed(watch(text, "streetlight", ["lamp_on", "power_w"]), [(1.0, 120.0)] * 52)
    assert opened.value == pytest.approx(100) and opened.start_ms == MIDNIGHT + 50 * MIN


def test_leq_of_the_night_is_that_of_22_to_06_and_begins_anew_each_night() -> None:
    text = '[rule.x]\nquantity = "noise_laeq_db"\nderive = { leq = "night" }\nlevels.blue = 50.1'
    noise = watch(text, "noise", ["noise_laeq_db"])
    assert feed(noise, [80.0] * 100, MIDNIGHT - 4 * HOUR) == []  # the evening
    assert feed(noise, [49.0] * 120, MIDNIGHT - 2 * HOUR) == []
    told = feed(noise, [70.0] * 60, MIDNIGHT)
    assert told[0].value == pytest.approx(10 * log10((120 * 10**4.9 + 1e7) / 121), abs=0.1)
    (ended, *_) = feed(noise, [70.0], MIDNIGHT + 23 * HOUR)
    assert ended.end_ms == MIDNIGHT + 6 * HOUR


def test_leq_agrees_with_the_seconds_of_a_real_street() -> None:
    minutes = {
        row["datetime"]: float(row[next(k for k in row if "LEQ" in k)])
        for row in rows("noise-laeq/laeq_1min_2025-03-21_2025-03-26.csv")
    }
    night = [level for time, level in minutes.items() if "2025-03-21 00:00" <= time < "2025-03-21 06:00"]
    assert len(night) == 360
    by_hand = 10 * log10(sum(10 ** (level / 10) for level in night) / 360)
    text = '[rule.x]\nquantity = "noise_laeq_db"\nderive = { leq = "night" }\nlevels.blue = 0'
    noise = watch(text, "noise", ["noise_laeq_db"])
    feed(noise, night, MIDNIGHT)
    source = noise.lines.values[0].source
    assert source is not None and source.take(MIDNIGHT + 6 * HOUR - 1, [None], [9], 2) is None
    sums, count = source.dump()[2:]
    assert 10 * log10(sums / count) == pytest.approx(by_hand)


FORECAST = """[rule.x]
quantity = "level_m"
derive = { forecast = "warning_m", over = "2h"MORE }
levels.blue = { enter = 60, leave = 180 }
"""


def test_a_steady_rise_is_forecast_to_the_minute() -> None:
    water = watch(FORECAST.replace("MORE", ""), "water_level", ["level_m"])
    told = feed(water, [1.0 + 0.005 * k for k in range(390)])
    first = told[0]
    assert first.note is not None and first.value is not None
    assert first.note["reaches_min"] == pytest.approx((3.0 - first.value) / 0.005, abs=2)
    assert first.note["earliest_min"] < first.note["reaches_min"] < first.note["latest_min"]
    assert first.note["stage_m"] == 3.0 and 55 <= first.note["reaches_min"] <= 60


def test_still_and_falling_water_are_not_forecast() -> None:
    water = watch(FORECAST.replace("MORE", ""), "water_level", ["level_m"])
    assert feed(water, [2.9] * 200 + [2.9 - k / 1000 for k in range(200)]) == []


def test_rain_upstream_brings_the_forecast_forward() -> None:
    more = ', rain = "up/rain_mm", rain_lead = "2h", rain_rise_m_per_mm = 0.03'
    rising = [2.0 + 0.001 * k for k in range(200)]
    peers = Neighbours(up=[(MIDNIGHT + 180 * MIN, 40.0)])
    assert feed(watch(FORECAST.replace("MORE", ""), "water_level", ["level_m"]), rising) == []
    assert feed(watch(FORECAST.replace("MORE", more), "water_level", ["level_m"], peers), [*rising, 2.5]) != []
