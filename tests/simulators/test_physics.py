"""The behaviour of the district: deterministic, within range, and as water, lamps and people behave."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from datetime import datetime, timedelta

import astral.sun
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.model.kinds import KINDS, Kind
from edge.model.node import Node, node_id
from edge.model.quantities import QUANTITIES, Form
from simulators.city import City, load_city
from simulators.physics import MODELS, generic, power, rain, sense, sun, water
from simulators.physics.chance import course, draw, key, smooth
from simulators.physics.scene import Scene
from simulators.sensor_faults import NO_FAULTS, SENTINEL, FaultConfig, is_silent, with_sentinel

CITY = load_city(1)
BEGIN_S = datetime(2025, 3, 1, tzinfo=sun.LOCAL).timestamp()
END_S = datetime(2027, 3, 1, tzinfo=sun.LOCAL).timestamp()
MOMENTS = st.floats(BEGIN_S, END_S)


def local(*when: int) -> float:
    return datetime(*when, tzinfo=sun.LOCAL).timestamp()  # type: ignore[arg-type,misc]


def scene(node: Node, t_s: float, period_s: float = 60, city: City = CITY) -> Scene:
    return Scene(city.seed, node, city.traits[node.id], t_s, period_s)


def values(node: Node, t_s: float) -> dict[str, float]:
    return dict(zip(KINDS[node.kind].quantities, sense(scene(node, t_s)), strict=True))


def every_kind() -> Iterator[Node]:
    for kind in KINDS:
        yield (CITY.of_kind(kind) or (CITY.centre,))[0]


def test_every_kind_that_the_district_speaks_for_has_a_model_or_a_range() -> None:
    assert set(MODELS) < set(KINDS)
    for node in CITY.nodes:
        assert len(sense(scene(node, BEGIN_S))) == len(KINDS[node.kind].quantities)


def test_models_name_only_quantities_of_their_kind() -> None:
    for kind, model in MODELS.items():
        assert set(model(scene(CITY.of_kind(kind)[0], BEGIN_S))) <= set(KINDS[kind].quantities), kind


def test_the_same_seed_gives_the_same_values_and_another_seed_gives_others() -> None:
    other = load_city(2)
    for node in CITY.of_kind("air_quality"):
        assert sense(scene(node, BEGIN_S)) == sense(scene(node, BEGIN_S))
        assert sense(scene(node, BEGIN_S)) != sense(scene(node, BEGIN_S, city=other))


@settings(max_examples=60, deadline=None)
@given(MOMENTS)
def test_values_lie_within_the_range_of_the_catalogue_and_on_its_resolution(t_s: float) -> None:
    for node in every_kind():
        traits = CITY.traits.get(node.id, {})
        reading = sense(Scene(1, node, traits, t_s, 60))
        for name, value in zip(KINDS[node.kind].quantities, reading, strict=True):
            row = QUANTITIES[name]
            assert row.low <= value <= row.high, f"{node.id} {name} {value}"
            steps = value / row.resolution
            assert math.isclose(steps, round(steps), abs_tol=1e-6, rel_tol=1e-12), f"{name} {value}"


@settings(max_examples=40, deadline=None)
@given(MOMENTS)
def test_no_model_leans_on_the_limits_of_a_sensor(t_s: float) -> None:
    """The clamp to the range is for safety: no model may need it."""
    for kind, model in MODELS.items():
        for name, value in model(scene(CITY.of_kind(kind)[0], t_s)).items():
            row = QUANTITIES[name]
            assert value is None or row.low <= value <= row.high, f"{kind} {name} {value}"


@settings(max_examples=40, deadline=None)
@given(MOMENTS)
def test_rivers_do_not_jump(t_s: float) -> None:
    for node in CITY.of_kind("water_level"):
        a, b = values(node, t_s)["level_m"], values(node, t_s + 60)["level_m"]
        assert abs(a - b) < QUANTITIES["level_m"].max_rate_per_s * 60 / 10


def test_the_tide_comes_twice_a_day_in_the_huangpu_and_hardly_in_the_inner_rivers() -> None:
    day = [BEGIN_S + 600 * step for step in range(149)]
    huangpu = [values(CITY.of_kind("water_level")[0], t_s)["level_m"] for t_s in day]
    inner = [values(CITY.of_kind("water_level")[9], t_s)["level_m"] for t_s in day]
    middle = sum(huangpu) / len(huangpu)
    crossings = sum((a < middle) != (b < middle) for a, b in itertools.pairwise(huangpu))
    assert crossings in (3, 4, 5)
    assert max(huangpu) - min(huangpu) > 1.2
    assert max(inner) - min(inner) < 0.5


def wettest_hour() -> float:
    return max(
        (BEGIN_S + 3600 * hour for hour in range(24 * 200)),
        key=lambda t_s: rain.wetness_mm(1, 31.30, 121.50, t_s),
    )


def test_rain_raises_the_rivers() -> None:
    t_s = wettest_hour()
    wet = rain.wetness_mm(1, 31.30, 121.50, t_s)
    assert wet > 8
    node = next(node for node in CITY.nodes if node.id == "ys-10")
    dry = Scene(1, node, {**CITY.traits[node.id], "runoff": 0.0}, t_s, 60)
    assert water.stage_m(scene(node, t_s)) - water.stage_m(dry) > 0.05


def test_a_gauge_counts_what_fell_whatever_its_period() -> None:
    peak_s = wettest_hour()
    begin_s = peak_s - 6 * 3600
    fine = sum(rain.rain_mm(1, 31.30, 121.50, begin_s + 60 * n, 60) for n in range(1, 361))
    coarse = sum(rain.rain_mm(1, 31.30, 121.50, begin_s + 600 * n, 600) for n in range(1, 37))
    assert fine == pytest.approx(coarse, abs=0.35)
    assert fine > 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_rains_about_as_much_as_in_shanghai(seed: int) -> None:
    total = sum(rain.rain_mm(seed, 31.3, 121.52, BEGIN_S + 3600 * hour, 3600) for hour in range(24 * 365))
    assert 700 < total < 2_200


@pytest.mark.parametrize("month", range(1, 13))
def test_lamps_follow_the_sun(month: int) -> None:
    evening = datetime(2026, month, 15, tzinfo=sun.LOCAL)
    sunset = astral.sun.sunset(sun.CITY, evening.date(), tzinfo=sun.LOCAL)
    sunrise = astral.sun.sunrise(sun.CITY, (evening + timedelta(days=1)).date(), tzinfo=sun.LOCAL)
    lamps = [lamp for lamp in CITY.of_kind("streetlight")[:40] if not dead(lamp)]
    for lamp in lamps:
        assert values(lamp, (sunset - timedelta(minutes=10)).timestamp())["lamp_on"] == 0
        assert values(lamp, (sunset + timedelta(minutes=10)).timestamp())["lamp_on"] == 1
        assert values(lamp, (sunrise - timedelta(minutes=10)).timestamp())["lamp_on"] == 1
        assert values(lamp, (sunrise + timedelta(minutes=10)).timestamp())["lamp_on"] == 0


def dead(lamp: Node) -> bool:
    return values(lamp, local(2026, 1, 15, 22))["lamp_on"] == 0


def test_lamps_are_dimmed_after_midnight_and_few_are_dead() -> None:
    lamps = CITY.of_kind("streetlight")
    evening = [values(lamp, local(2026, 1, 15, 22)) for lamp in lamps]
    small_hours = [values(lamp, local(2026, 1, 16, 2)) for lamp in lamps]
    lit = [row for row in evening if row["lamp_on"]]
    assert 0.95 < len(lit) / len(lamps) < 1
    assert {row["dim_pct"] for row in lit} == {100}
    assert {row["dim_pct"] for row in small_hours if row["lamp_on"]} == {50}
    assert sum(row["power_w"] for row in small_hours) < 0.6 * sum(row["power_w"] for row in evening)


def counters() -> list[tuple[Node, str]]:
    found = []
    for node in every_kind():
        names = [name for name in KINDS[node.kind].quantities if QUANTITIES[name].form is Form.COUNTER]
        found += [(node, name) for name in names if node.kind != "gateway"]
    return found


@pytest.mark.parametrize(("node", "name"), counters(), ids=lambda part: str(getattr(part, "id", part)))
def test_counters_never_run_backwards_whenever_they_are_read(node: Node, name: str) -> None:
    moments = sorted(BEGIN_S + draw(key("moments", node.id), n) * (END_S - BEGIN_S) for n in range(400))
    day = [local(2026, 11, 20) + 120 * step for step in range(720)]
    for series in (moments, day):
        readings = [values(node, t_s)[name] for t_s in series]
        assert readings == sorted(readings)
    assert values(node, END_S)[name] > values(node, BEGIN_S)[name]


def test_counters_do_not_depend_on_what_was_read_before() -> None:
    lamp, pile = CITY.of_kind("streetlight")[3], CITY.of_kind("charging_pile")[0]
    once = values(lamp, END_S)["energy_wh"], values(pile, END_S)["energy_wh"]
    sun._full_nights[1:] = []
    sun.night.cache_clear()
    power._charged_days_s.cache_clear()
    assert (values(lamp, END_S)["energy_wh"], values(pile, END_S)["energy_wh"]) == once


@pytest.mark.parametrize("kind", ["streetlight", "charging_pile", "power_meter"])
def test_energy_is_the_sum_of_power(kind: str) -> None:
    node = CITY.of_kind(kind)[1]
    begin_s, step_s = local(2026, 11, 20, 12), 30
    moments = [begin_s + step_s * (n + 0.5) for n in range(2 * 86400 // step_s)]
    summed_wh = sum(values(node, t_s)["power_w"] for t_s in moments) * step_s / 3600
    counted_wh = values(node, begin_s + 2 * 86400)["energy_wh"] - values(node, begin_s)["energy_wh"]
    assert counted_wh == pytest.approx(summed_wh, rel=0.03)


@settings(max_examples=60, deadline=None)
@given(MOMENTS)
def test_fine_dust_is_part_of_coarse_dust(t_s: float) -> None:
    for node in CITY.of_kind("air_quality"):
        row = values(node, t_s)
        assert 0 < row["pm2_5_ug_m3"] <= row["pm10_ug_m3"]


def test_the_night_is_quieter_than_the_day() -> None:
    for node in CITY.of_kind("noise"):
        day = [values(node, local(2026, 11, 18, 10, minute))["noise_laeq_db"] for minute in range(60)]
        night = [values(node, local(2026, 11, 18, 3, minute))["noise_laeq_db"] for minute in range(60)]
        assert sum(day) / 60 - sum(night) / 60 > 4


def test_the_sun_is_up_at_noon_and_down_at_midnight() -> None:
    assert sun.elevation_deg(local(2026, 6, 21, 12)) > 75
    assert sun.elevation_deg(local(2026, 6, 21, 0)) < -30
    assert sun.daylight_lx(local(2026, 6, 21, 12), 0.0) > 80_000
    assert sun.daylight_lx(local(2026, 6, 21, 0), 0.0) < 1


def test_a_new_kind_is_simulated_from_its_catalogue_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Kind("geyser", "water", "Geyser", "间歇泉", 99, 60, "co2_ppm", ("co2_ppm", "flow_m3_s", "cover_open"))
    monkeypatch.setitem(KINDS, "geyser", row)
    node = Node(id=node_id("gey-1"), kind="geyser", label_en="", label_zh="", site="x", district="y")
    readings = [sense(Scene(1, node, {}, BEGIN_S + 600 * n, 60)) for n in range(50)]
    assert len(set(readings)) > 30
    for name, column in zip(row.quantities, zip(*readings, strict=True), strict=True):
        assert all(QUANTITIES[name].low <= value <= QUANTITIES[name].high for value in column)


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_can_be_simulated_from_its_row_alone(name: str) -> None:
    node = Node(id=node_id("any-1"), kind="soil", label_en="", label_zh="", site="x", district="y")
    row = QUANTITIES[name]
    readings = [generic.value(Scene(1, node, {}, BEGIN_S + 900 * n, 60), name) for n in range(100)]
    assert all(row.low <= value <= row.high for value in readings)
    if row.form is Form.COUNTER:
        assert readings == sorted(readings)


@given(st.integers(0, 2**63), st.floats(-1e9, 1e9), st.floats(1, 1e6))
def test_random_courses_stay_within_one_and_do_not_jump(base: int, t_s: float, period_s: float) -> None:
    for walk in (smooth, course):
        assert -1 <= walk(base, t_s, period_s) <= 1
        assert abs(walk(base, t_s, period_s) - walk(base, t_s + period_s / 1000, period_s)) < 0.05


def test_draws_are_even() -> None:
    numbers = [draw(key("even"), n) for n in range(20_000)]
    assert 0.49 < sum(numbers) / len(numbers) < 0.51
    assert all(0 <= number < 1 for number in numbers)


def test_faults_are_as_rare_as_configured_and_the_same_for_the_same_seed() -> None:
    config = FaultConfig(sentinel_share=0.01, silent_share=0.05)
    moments = [BEGIN_S + 60 * n for n in range(20_000)]
    hits = [with_sentinel(config, 1, "ys-01", t_s, (1.0, 2.0)) for t_s in moments]
    assert hits == [with_sentinel(config, 1, "ys-01", t_s, (1.0, 2.0)) for t_s in moments]
    assert 0.006 < sum(SENTINEL in row for row in hits) / len(hits) < 0.014
    silent = [is_silent(config, 1, f"lamp-{n}", BEGIN_S) for n in range(5_000)]
    assert 0.03 < sum(silent) / len(silent) < 0.07


def test_a_city_without_faults_has_none() -> None:
    for n in range(2_000):
        t_s = BEGIN_S + 60 * n
        assert with_sentinel(NO_FAULTS, 1, "ys-01", t_s, (1.0,)) == (1.0,)
        assert not is_silent(NO_FAULTS, 1, "ys-01", t_s)
