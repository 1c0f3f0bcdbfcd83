"""Rules as people write them, and what they are told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.model.errors import CityError
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES
from edge.rules import Scope, load_rules, read_rules
from edge.rules.rule import SIGNALS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = 1", "unknown key 'rules'"),
        ('zone = "Mars/Base"', "no time zone is called 'Mars/Base'"),
        ("rule.x = 1", "rule x is not a table"),
        ("[rule.x]\nlevels.red = 1", "rule x.quantity is missing"),
        ('[rule.x]\nquantity = "level"\nlevels.red = 1', "has no 'level' (did you mean level_m"),
        ('[rule.x]\nquantity = "level_m"', "rule x.levels is missing"),
        ('[rule.x]\nquantity = "level_m"\nlevels.purple = 1', "no level is called 'purple'"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = { leave = 1 }', "levels.red.enter is missing"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = { enter = 1, exit = 1 }', "red: unknown key 'exit'"),
        (
            '[rule.x]\nquantity = "level_m"\nlevels.red = { enter = 1, leave = 2 }',
            "leave 2 lies beyond enter 1",
        ),
        (
            '[rule.x]\nquantity = "level_m"\nlevels = { blue = 3, red = 1 }',
            "red (1) is reached before blue (3)",
        ),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = "warning"', "stages of a node end in _m here"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = "a + b"', "'a + b' is no threshold"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = true', "True is no threshold"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nfor = 5', 'write "90s", "5min"'),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nfor = "5 fortnights"', "rule x.for"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nkinds = ["river"]', "no kind is called 'river'"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nno_data = "ok"', "use keep or end or alarm"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nschedule = { from = "25:00" }', "is no time of day"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nschedule = { days = ["day"] }', "are no weekdays"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nderive = { median = "1h" }', "names no form"),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\nderive = { mean = "1y" }', "derive.mean: '1y'"),
        (
            '[rule.x]\nquantity = "level_m"\nlevels.red = 1\nderive = { forecast = "warning_m", rain = "a/b" }',
            "all of",
        ),
        ('[rule.x]\nquantity = "level_m"\nlevels.red = 1\ngiven = { quantity = "x" }', "given.quantity"),
        ('[rule.x]\nlike = "floods"', "rule x.like: no rule is called 'floods'"),
        ("rule.x = [", "R.toml is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_rule_and_key(text: str, said: str) -> None:
    with pytest.raises(CityError) as caught:
        read_rules(text, "R.toml")
    assert str(caught.value).startswith("R.toml") and said in str(caught.value)


def test_every_kind_of_the_catalogue_has_a_default_rule_in_both_languages() -> None:
    rules = load_rules()
    for kind in KINDS.values():
        assert any(kind.name in rule.kinds for rule in rules), kind.name
    for rule in rules:
        assert rule.label_en != rule.name and any(ord(c) > 0x4E00 for c in rule.label_zh), rule.name
        assert rule.quantity in {*QUANTITIES, *SIGNALS, "aqi"}
        for kind_name in rule.kinds:
            if rule.quantity in QUANTITIES:
                assert rule.quantity in KINDS[kind_name].quantities, (rule.name, kind_name)


def test_signals_have_default_rules_and_lost_gateways_are_the_citys() -> None:
    rules = {rule.name: rule for rule in load_rules()}
    assert {rule.quantity for rule in rules.values()} >= {*SIGNALS, "battery_v", "backlog_age_s"}
    assert [name for name, rule in rules.items() if rule.scope is Scope.CITY] == ["gateway_lost"]


def test_a_node_may_have_its_own_instead_of_a_constant() -> None:
    enter = next(rule for rule in load_rules() if rule.name == "noise_night").steps[0].enter
    assert (enter.at({}, 60), enter.at({"noise_night_db": 45.0}, 60)) == (
        pytest.approx(55.1),
        pytest.approx(45.1),
    )


def test_a_file_of_ones_own_replaces_amends_and_turns_off(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        """
        constant.grid_v = 230
        rule.gas_leak.off = true
        rule.flood = { like = "flood", for = "1h" }
        [rule.slow_flood]
        like = "flood"
        nodes = ["wl-1*"]
        levels = { red = "record_m" }
        """
    )
    shipped, rules = ({rule.name: rule for rule in load_rules(files)} for files in ((), (own,)))
    assert "gas_leak" not in rules and rules["flood"].for_ms == 3_600_000
    assert rules["flood"].steps == shipped["flood"].steps
    assert [step.level.word for step in rules["slow_flood"].steps] == ["red"]
    assert rules["over_voltage"].steps[0].enter.at({}, 60) == pytest.approx(246.1)
    alone = {rule.name: rule for rule in load_rules([own], defaults=False)}
    assert alone.keys() == {"flood", "slow_flood"} and alone["flood"] == rules["flood"]
