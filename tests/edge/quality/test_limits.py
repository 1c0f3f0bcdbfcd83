"""What users say of limits: read beside the catalogue, every mistake with its place, and the sample too."""

import tomllib
from pathlib import Path

import pytest
import servers

from edge.model.errors import ConfigError
from edge.model.quantities import QUANTITIES, Form
from edge.quality.limits import NO_OVERRIDES, load_limits

SAMPLE = servers.PROJECT / "edge" / "quality" / "quality.sample.toml"


def test_the_sample_is_read_as_it_stands() -> None:
    found = load_limits(tomllib.loads(SAMPLE.read_text(encoding="utf-8")), "sample")
    level = found.limits("level_m", "ys-07")
    assert level is not None
    assert (level.suspect_low, level.suspect_high, level.spike_fail) == (0.5, 4.2, 3.0)
    assert [round(each.apply(1.0), 6) for each in level.calibration] == [0.988, 1.0022]
    energy = found.limits("energy_wh")
    assert energy is not None and (energy.form, energy.roll_over) == (Form.COUNTER, 1e6)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_of_the_catalogue_has_limits(quantity: str) -> None:
    limits = NO_OVERRIDES.limits(quantity)
    assert limits is not None
    assert limits.fail_low < limits.fail_high and limits.rate_per_s
    assert -9999 in limits.sentinels
    assert limits.at_most is None or limits.at_most in QUANTITIES


def test_a_quantity_that_nobody_defined_has_none_until_somebody_does() -> None:
    assert NO_OVERRIDES.limits("chlorophyll_ug_l") is None
    found = load_limits({"quality": {"chlorophyll_ug_l": {"fail": [0, 500]}}}, "x").limits("chlorophyll_ug_l")
    assert found is not None and (found.fail_high, found.rate_per_s) == (500, None)


def test_false_switches_a_test_off() -> None:
    row = {"fail": False, "rate_per_s": False, "sentinels": False, "spike": False}
    found = load_limits({"quality": {"level_m": row}}, "x").limits("level_m")
    assert found is not None
    assert (found.fail_low, found.rate_per_s, found.sentinels, found.spike) == (float("-inf"), None, (), None)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"qality": {}}, "unknown table 'qality'"),
        ({"quality": {"level_m": 3}}, "level_m is not a table"),
        ({"quality": {"level_m": {"spke": 3}}}, "[quality.level_m]: unknown key 'spke'"),
        ({"quality": {"level_m": {"fail": [3]}}}, "[quality.level_m]: fail: [3] is not a list of 2"),
        ({"quality": {"level_m": {"fail": [3, 1]}}}, "fail: 3 is not below 1"),
        ({"quality": {"level_m": {"spike": "a"}}}, "spike: 'a' is not a number"),
        ({"quality": {"level_m": {"spike": 3, "spike_fail": 1}}}, "spike_fail is below spike"),
        ({"quality": {"level_m": {"gap_s": -1}}}, "gap_s is negative"),
        ({"quality": {"level_m": {"roll_over": 100}}}, "roll_over belongs to a counter"),
        ({"node": {"ys-07": {"level_m": {"spike": True}}}}, '"ys-07".level_m]: spike: True is not a number'),
        ({"quality": {"level_m": {"calibration": [{"form": "x"}]}}}, "calibration, number 1: unknown key"),
        ({"quality": {"level_m": {"calibration": [{"from": "soon"}]}}}, "from = 'soon' is no time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(table: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_limits(table, "quality.toml")
    assert caught.value.message.startswith("quality.toml") and said in caught.value.message


def test_a_gateway_reads_its_limits_from_a_file(tmp_path: Path) -> None:
    from gateway.config import QualityConfig

    (tmp_path / "q.toml").write_text("[quality.level_m]\nspike = 1.5\n")
    found = QualityConfig(file=tmp_path / "q.toml").overrides().limits("level_m")
    assert found is not None and found.spike == 1.5
