"""The checks, a situation a row: what each test finds in a short series, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from edge.model.kinds import KINDS
from edge.model.quality import Flag
from edge.quality import Checks, load_limits, profile
from edge.quality.marks import fail, meaning, suspect
from edge.quality.neighbours import Peer, between_marks, cleared, neighbour_marks

T0_MS = 1_790_000_000_000
_ = None


def found(row: dict[str, Any], values: list[float | None], step_s: float = 60) -> list[str]:
    """Judge a series of one quantity; return the tests not passed, a word a value, revisions taken in."""
    limits = load_limits({"quality": {"x": {"sentinels": False, **row}}}, "test")
    checks = Checks(profile(["x"], limits, period_s=60))
    told: dict[int, tuple[str, ...]] = {}
    for index, value in enumerate(values):
        t_ms = T0_MS + round(index * step_s * 1000)
        verdict = checks.take(t_ms, [value])
        told[t_ms] = verdict.failed[0]
        for revision in verdict.revised or []:
            told[revision.t_ms] = revision.failed
    return ["+".join(names) for names in told.values()]


@pytest.mark.parametrize(
    ("row", "values", "expected"),
    [
        ({}, [1.0, _, 1.0], ["", "missing", ""]),
        ({}, [1.0, float("nan"), float("inf")], ["", "syntax", "syntax"]),
        ({"sentinels": [-200]}, [1.0, -200.0, 1.0], ["", "sentinel", ""]),
        ({"fail": [0, 10], "suspect": [1, 9]}, [0.5, 9.0, 11.0], ["gross_range", "", "gross_range"]),
        ({"saturated_high": 10, "saturated_low": 0}, [0.0, 5.0, 10.0], ["saturation", "", "saturation"]),
        ({"rate_per_s": 0.1, "excursion": False}, [0.0, 6.0, 13.0, 13.0], ["", "", "rate_of_change", ""]),
        ({"rate_per_s": 0.1}, [0.0, 15.0, 15.0, 15.0], ["", "rate_of_change", "excursion", ""]),
        ({"rate_per_s": 0.1}, [0.0, 20.0, 20.0, 0.0], ["", "rate_of_change", "excursion", "rate_of_change"]),
        ({"rate_per_s": 0.1, "fail": [0, 99]}, [0.0, -999.0, 0.0], ["", "gross_range", ""]),
        ({"spike": 3}, [0.0, 0.0, 10.0, 0.0, 0.0], ["", "spike", "spike", "spike", ""]),
        ({"spike": 3, "spike_method": "differential"}, [0.0, 0.0, 10.0, 0.0, 0.0], ["", "", "spike", "", ""]),
        ({"spike": 3, "spike_method": "differential"}, [0.0, 0.0, 10.0, 10.0], ["", "", "", ""]),
        ({"flat_after_s": 120}, [1.0, 1.0, 1.0, 2.0], ["", "", "flat_line", ""]),
        ({"flat_after_s": 120, "flat_tolerance": 0.5}, [1.0, 1.2, 0.9, 1.6], ["", "", "flat_line", ""]),
        ({"form": "counter", "rate_per_s": 1}, [5.0, 9.0, 2.0, 3.0], ["", "", "counter_reset", ""]),
        ({"form": "counter", "rate_per_s": 1, "roll_over": 100}, [95.0, 99.0, 2.0, 3.0], ["", "", "", ""]),
        ({"form": "counter", "rate_per_s": 1, "roll_over": 1000}, [95.0, 99.0, 2.0], ["", "", "counter_reset"]),
    ],
    ids=["missing", "syntax", "sentinel", "gross range", "saturation", "rate", "excursion heals",
         "excursion ends", "a fault is nobody's neighbour", "spike", "differential spike",
         "a step is no spike", "flat line",
         "flat line within a tolerance", "counter reset", "roll-over", "no roll-over so early"],
)  # fmt: skip
def test_what_is_found_in_a_series(
    row: dict[str, Any], values: list[float | None], expected: list[str]
) -> None:
    assert found(row, values) == expected


def test_after_a_gap_the_past_is_not_evaluated() -> None:
    assert found({}, [1.0, 1.0], step_s=180) == ["", ""]
    assert found({}, [1.0, 1.0], step_s=181) == ["", "gap"]


def test_who_sends_seldom_all_the_time_leaves_no_gaps() -> None:
    assert found({}, [1.0, 1.0, 1.0, 1.0], step_s=300) == ["", "gap", "", ""]


def test_a_sensor_that_was_off_warms_up() -> None:
    assert found({"warm_up_s": 90, "off_after_s": 600, "gap_s": 900}, [1.0, 1.0], step_s=600) == ["", "warm_up"]


def test_late_data_is_judged_alone_and_leaves_no_trace() -> None:
    limits = load_limits({"quality": {"x": {"rate_per_s": 0.001, "fail": [0, 100]}}}, "test")
    checks = Checks(profile(["x"], limits, period_s=60))
    checks.take(T0_MS, [1.0])
    before = checks.dump()
    assert checks.take(T0_MS - 1, [50.0]).flags == [Flag.PASS]
    assert checks.take(T0_MS, [101.0]).flags == [Flag.FAIL]
    assert checks.dump() == before


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ({"pm2_5_ug_m3": 20.0, "pm10_ug_m3": 15.0}, [("cross_total",), ("cross_total",)]),
        ({"pm2_5_ug_m3": 15.0, "pm10_ug_m3": 15.0}, [(), ()]),
        ({"pm2_5_ug_m3": 20.0, "pm10_ug_m3": -5.0}, [(), ("gross_range",)]),
        ({"noise_laeq_db": 70.0, "noise_lamax_db": 60.0}, [("cross_total",), ("cross_total",)]),
        ({"lamp_on": 1.0, "power_w": 0.6}, [("cross_lamp",), ("cross_lamp",)]),
        ({"lamp_on": 0.0, "power_w": 0.6}, [(), ()]),
        ({"level_m": 1.0, "water_temperature_c": 0.0}, [("cross_ice",), ()]),
        ({"level_m": 1.0, "water_temperature_c": 4.0}, [(), ()]),
    ],
)  # fmt: skip
def test_quantities_of_one_reading_are_held_against_one_another(
    values: dict[str, float], failed: list[tuple[str, ...]]
) -> None:
    assert Checks(profile(list(values))).take(T0_MS, list(values.values())).failed == failed


def test_a_calibration_holds_from_its_time_on() -> None:
    row = {"calibration": [{"offset": 1.0}, {"from": "2026-09-21T14:13:21Z", "gain": 2.0}]}
    checks = Checks(profile(["x"], load_limits({"quality": {"x": row}}, "test")))
    assert checks.take(T0_MS, [3.0]).values == [4.0]
    assert checks.take(T0_MS + 1000, [3.0]).values == [6.0]


def test_a_state_of_six_quantities_is_small() -> None:
    checks = Checks(profile(KINDS["water_quality"].quantities, period_s=60))
    for minute in range(3):
        checks.take(T0_MS + minute * 60_000, [8.0, 370.0, 8.4, 9.0, 2.0, 0.1])
    assert checks.calm and len(checks.dump()) < 180


def test_a_state_of_other_quantities_or_damaged_is_forgotten() -> None:
    checks = Checks(profile(["ph"]))
    checks.take(T0_MS, [7.0])
    data = checks.dump()
    assert checks.load(data)
    assert not Checks(profile(["level_m"])).load(data)
    assert not checks.load(data[:-1]) and not checks.load(b"\xff" * 40)
    assert checks.take(T0_MS, [7.0]).flags == [Flag.PASS]


def test_a_station_that_departs_from_all_around_it_is_doubted() -> None:
    peers = [Peer(20.0), Peer(22.0), Peer(25.0), Peer(21.0)]
    assert meaning(neighbour_marks(400.0, peers, tolerance=30)) == (Flag.SUSPECT, ("neighbours",))
    assert neighbour_marks(40.0, peers, tolerance=30) == 0
    assert neighbour_marks(400.0, peers[:2], tolerance=30) == 0
    assert neighbour_marks(400.0, [Peer(390.0), Peer(410.0), Peer(420.0)], tolerance=30) == 0


def test_a_stage_lies_between_those_up_and_down_the_river() -> None:
    assert between_marks(3.1, upstream=3.2, downstream=3.0, tolerance=0.1) == 0
    assert between_marks(4.5, upstream=3.2, downstream=3.0, tolerance=0.1) != 0


def test_what_rests_at_the_floor_at_all_sites_at_once_is_clean_air() -> None:
    flat, rest = suspect("flat_line"), [Peer(5.0, rests=True), Peer(5.0, rests=True), Peer(6.0)]
    assert cleared(flat, 5.0, rest, tolerance=1) == 0
    assert cleared(flat | fail("gross_range"), 5.0, rest, tolerance=1) == fail("gross_range")
    assert cleared(flat, 5.0, [Peer(5.0), Peer(60.0), Peer(80.0)], tolerance=1) == flat
