"""Forecasts, means, sums, rates and indices: told by the names of what their rules watch."""

from __future__ import annotations

from dataclasses import replace

import pytest
from channels_peers.flood import EN, FLOOD, HARBOUR, NOW, ZH, alert

from edge.channels.compose import compose_alert, compose_group, compose_resolved
from edge.channels.sentence import Subject
from edge.model.alert import Level
from edge.model.node import Node, node_id
from edge.rules import Rule, load_rules


def test_a_forecast_says_which_stage_and_when() -> None:
    note = {"reaches_min": 42, "stage_m": 2.8}
    forecast = {"level": Level.BLUE, "value": 2.65, "threshold": None, "note": note}
    assert "水位 2.65 m，10 分钟上涨 4 cm，预计 42 分钟后达警戒水位 2.80 m，" in alert(ZH, **forecast).title
    assert "expected to reach the warning stage of 2.80 m in 42 min" in alert(EN, **forecast).title


def test_a_forecast_tells_its_band_and_never_its_minutes_as_metres() -> None:
    note = {"reaches_min": 42.3, "earliest_min": 30.0, "latest_min": 65.0, "stage_m": 2.8}
    forecast = {"level": Level.BLUE, "value": 2.65, "peak": 2.4, "threshold": 60.0, "note": note}
    assert "，预计 42 分钟后（30 分钟至 1 小时 5 分）达警戒水位 2.80 m，" in alert(ZH, **forecast).title
    assert (
        "expected to reach the warning stage of 2.80 m in 42 min (30 min to 1 h 5 min)"
        in alert(EN, **forecast).title
    )
    assert "60" not in alert(ZH, **forecast).title
    over = replace(FLOOD, end_ms=NOW, **forecast)  # type: ignore[arg-type]
    assert compose_resolved(over, HARBOUR, ZH, now_ms=NOW).title == (
        "✓【解除】杨浦港水位站：水位 2.65 m，历时 11 分钟，曾达橙色"
    )


RULES = {rule.name: rule for rule in load_rules()}
STATION = Node(
    id=node_id("ys-07"), kind="water_level", label_en="Yangpu Harbour", label_zh="杨浦港水位站", site="harbour",
    district="yangpu", stages={"near_m": 2.6, "warning_m": 2.8, "guaranteed_m": 3.0, "crack_limit_mm": 0.2},
)  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "value", "threshold", "zh", "en"),
    [
        (
            "flood",
            3.12,
            3.0,
            "水位 3.12 m，超保证水位 3.00 m",
            "water level 3.12 m, over the guaranteed stage of 3.00 m",
        ),
        (
            "fast_rise",
            0.62,
            0.5,
            "水位上涨速度 0.62 m/h，超限值 0.5 m/h",
            "rise of water level 0.62 m/h, over the limit of 0.5 m/h",
        ),
        (
            "heavy_rain",
            61.5,
            50,
            "12 小时累计雨量 61.5 mm，超限值 50 mm",
            "12 h rain 61.5 mm, over the limit of 50 mm",
        ),
        (
            "wind",
            18.4,
            17.2,
            "10 分钟平均风速 18.4 m/s，超限值 17.2 m/s",
            "10 min mean wind speed 18.4 m/s, over the limit of 17.2 m/s",
        ),
        (
            "noise_night",
            56.24,
            55,
            "夜间等效声级 56.2 dB，超限值 55 dB",
            "night Leq 56.2 dB, over the limit of 55 dB",
        ),
        (
            "air_pollution",
            162,
            151,
            "空气质量指数 162，超限值 151",
            "air quality index 162, over the limit of 151",
        ),
        (
            "charging_too_much",
            160000,
            150000,
            "单次电量 160.0 kWh，超限值 150 kWh",
            "energy of one run 160.0 kWh, over the limit of 150 kWh",
        ),
        (
            "backflow",
            0.12,
            0.1,
            "闸下水位与闸上水位之差 0.12 m，超限值 0.10 m",
            "level downstream minus level upstream 0.12 m, over the limit of 0.10 m",
        ),
        (
            "oxygen_low",
            1.8,
            1.99,
            "溶解氧 1.80 mg/L，低于限值 1.99 mg/L",
            "dissolved oxygen 1.80 mg/L, under the limit of 1.99 mg/L",
        ),
        (
            "crack",
            0.26,
            0.2,
            "1 小时平均裂缝宽度 0.26 mm，超限值 0.2 mm",
            "1 h mean crack width 0.26 mm, over the limit of 0.2 mm",
        ),
        ("lamp_out", 0.0, 1, "功率 0.0 W，低于限值 1 W", "power 0.0 W, under the limit of 1 W"),
    ],
)
def test_the_default_rules_are_told_in_the_words_of_what_they_watch(
    rule: str, value: float, threshold: float, zh: str, en: str
) -> None:
    episode = replace(
        FLOOD,
        rule=rule,
        quantity=RULES[rule].quantity,
        value=value,
        peak=value,
        threshold=threshold,
        rate_per_h=None,
    )
    subject = Subject.of(episode, STATION, RULES[rule])
    assert f"：{zh}，自" in compose_alert(episode, subject, ZH, now_ms=NOW).title
    assert f": {en}, since" in compose_alert(episode, subject, EN, now_ms=NOW).title


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_default_rule_makes_sentences_without_a_foreign_word(rule: Rule) -> None:
    for threshold in (step.enter.at({}, 60.0) or 1.0 for step in rule.steps):
        episode = replace(
            FLOOD, rule=rule.name, quantity=rule.quantity, value=threshold * 1.1, threshold=threshold
        )
        for node in (STATION, None):
            subject = Subject.of(episode, node, rule)
            for compose in (compose_alert, compose_resolved):
                chinese = compose(episode, subject, ZH, now_ms=NOW).title
                english = compose(episode, subject, EN, now_ms=NOW).title
                assert "_" not in chinese + english and "None" not in chinese + english
                assert not any(ord(c) > 0x2E80 for c in english.replace(STATION.label_zh, ""))


def test_the_pollutant_that_decides_the_index_is_named() -> None:
    index = replace(
        FLOOD, quantity="aqi", value=162.0, peak=162.0, threshold=151.0, note={"pm2_5_ug_m3": 123.4}
    )
    subject = Subject.of(index, STATION, RULES["air_pollution"])
    assert "，首要污染物 PM2.5 123.4 µg/m³，" in compose_alert(index, subject, ZH, now_ms=NOW).title
    assert ", mostly PM2.5 at 123.4 µg/m³, " in compose_alert(index, subject, EN, now_ms=NOW).title


def test_a_gateway_that_is_lost_is_called_one() -> None:
    lost = replace(FLOOD, rule="gateway_lost", node="gw-07", quantity="silence_s", value=90.0, threshold=60.0)
    for rule in (RULES["gateway_lost"], None):
        title = compose_group(lost, Subject.of(lost, None, rule), ZH, nodes=3, now_ms=NOW).title
        assert title == "✦【橙色预警】网关 gw-07 失联，影响 3 个节点，自 19:31 起"
