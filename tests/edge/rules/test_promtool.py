"""promtool's tables for alert rules, as far as they speak of what rules here do.

Translated: `up == 0` for five minutes as `up` at most 0 (here a state of the catalogue); a series that is
stale, or missing for less or more than five minutes; keep_firing_for; rule files that must be refused when
they are loaded. Not translated: expressions of PromQL (count, timestamp, sums, histograms, subqueries),
recording rules, and the templates of labels and annotations: rules here name a quantity, record nothing, and
leave messages to others. AlwaysFiring has no series at all; its like is a rule that every value fulfils.
"""

from __future__ import annotations

import pytest
import yaml
from rules_rig import DATA, node, promtool

from edge.model.alert import Episode
from edge.model.errors import ConfigError
from edge.rules import Watch, read_rules

MIN = 60_000
T0 = 1_700_000_000_000 // MIN * MIN
TABLES = DATA / "alert-rule-tests"
DOWN = """
[rule.InstanceDown]
quantity = "lamp_on"
direction = "below"
levels.red = 0
for = "5m"
no_data = "end"
no_data_after = "5m"

[rule.AlwaysFiring]
quantity = "lamp_on"
levels.blue = -1
"""


class Run:
    """A series played to the end, evaluated each minute."""

    def __init__(self, rules: str, values: str) -> None:
        self.watch = Watch(node("x-0", "streetlight"), ["lamp_on"], read_rules(rules))
        self.samples = promtool(values)
        self.at = -1

    def until(self, minute: float) -> dict[str, Episode]:
        """Play up to a time, and return what fires then, by rule."""
        end = int(minute * MIN)
        for now in sorted({*range(0, end + 1, MIN), *(at for at in self.samples if at <= end)}):
            if now <= self.at:
                continue
            self.at = now
            if now in self.samples:
                value = self.samples[now]
                self.watch.take(T0 + now, [value], [9 if value is None else 1])
            self.watch.tick(T0 + now, T0)
        return {one.rule: one for one in self.watch.open_episodes()}


def test_the_table_is_the_one_that_was_translated() -> None:
    tests = yaml.safe_load((TABLES / "unittest.yml").read_text())["tests"]
    (alerts,) = [one for one in tests if "alert_rule_test" in one]
    assert alerts["input_series"][0]["values"] == "0+0x1440"
    table = [(row["eval_time"], row["alertname"], len(row["exp_alerts"])) for row in alerts["alert_rule_test"]]
    assert table == [
        ("1d", "AlwaysFiring", 1), ("1d", "InstanceDown", 1), (0, "AlwaysFiring", 1), (0, "InstanceDown", 0),
    ]  # fmt: skip
    rules = yaml.safe_load((TABLES / "rules.yml").read_text())["groups"][0]["rules"]
    assert (rules[0]["alert"], rules[0]["expr"], rules[0]["for"]) == ("InstanceDown", "up == 0", "5m")


def test_pending_at_four_minutes_firing_after_a_day() -> None:
    run = Run(DOWN, "0+0x1440")
    assert run.until(0).keys() == {"AlwaysFiring"}
    assert run.until(4).keys() == {"AlwaysFiring"}
    assert run.watch.busy  # pending
    assert run.until(5).keys() == {"AlwaysFiring", "InstanceDown"}
    firing = run.until(1440)
    assert firing["InstanceDown"].start_ms == T0 and firing["AlwaysFiring"].start_ms == T0


def test_missing_for_less_than_five_minutes_is_not_stale_and_for_more_it_is() -> None:
    values = "0 _ _ _ _ _ _ 0"  # test_missing
    always = DOWN.replace("levels.blue = -1", 'levels.blue = -1\nno_data = "end"\nno_data_after = "5m"')
    run = Run(always, values)
    assert "AlwaysFiring" in run.until(4)
    assert "AlwaysFiring" not in run.until(6)
    assert run.until(7)["AlwaysFiring"].start_ms == T0 + 7 * MIN


def test_a_gap_within_for_begins_it_anew() -> None:
    run = Run(DOWN, "0x3 _x7 0x4 1 0x6")
    assert "InstanceDown" not in run.until(21)
    assert run.until(22)["InstanceDown"].start_ms == T0 + 17 * MIN


def test_a_stale_mark_is_a_value_that_is_absent_and_clears_nothing() -> None:
    run = Run(DOWN, "0x6 stale")  # test_stale: the value itself is gone at once
    assert run.samples[7 * MIN] is None
    assert "InstanceDown" in run.until(7)


def test_keep_firing_outlasts_the_condition() -> None:
    keep = DOWN.replace('for = "5m"', 'for = "5m"\nkeep_firing = "3m"')
    run = Run(keep, "0x5 1x2 0 1x8")
    assert "InstanceDown" in run.until(8)
    assert "InstanceDown" in run.until(12)
    assert "InstanceDown" not in run.until(13)


@pytest.mark.parametrize(
    "name", ["no_rec_alert.bad.yaml", "record_and_alert.bad.yaml", "record_and_keep_firing_for.bad.yaml"]
)
def test_a_rule_without_its_condition_or_with_what_does_not_belong_is_refused_when_loaded(name: str) -> None:
    (rule,) = yaml.safe_load((TABLES / name).read_text())["groups"][0]["rules"]
    text = f"[rule.{rule.get('alert') or 'Hello'}]\n"
    text += "".join(f'{key} = "{value}"\n' for key, value in rule.items() if key != "alert")
    with pytest.raises(ConfigError, match=r"R\.toml: rule Hello: unknown key '(record|expr)'"):
        read_rules(text, "R.toml")


def test_the_short_notation_is_read_as_promtool_reads_it() -> None:
    assert list(promtool("1+1x2").items()) == [(0, 1), (MIN, 2), (2 * MIN, 3)]
    assert list(promtool("0 _ _ 5").items()) == [(0, 0), (3 * MIN, 5)]
    assert list(promtool("1x2 stale").values()) == [1, 1, 1, None]
