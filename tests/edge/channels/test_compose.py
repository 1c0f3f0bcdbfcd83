"""What the duty officer reads: the whole sentence, in both languages, for every occasion."""

from __future__ import annotations

from dataclasses import replace

import pytest
from channels_peers.flood import BOTH, EN, FLOOD, HARBOUR, LINK, MINUTE_MS, NOW, START, ZH, alert, at

from edge.channels.compose import (
    compose_alert,
    compose_digest,
    compose_group,
    compose_resolved,
    compose_test,
    compose_unacknowledged,
)
from edge.channels.message import Occasion
from edge.channels.sentence import Subject
from edge.model.alert import Level
from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from edge.model.quantities import QUANTITIES


def test_an_alert_says_level_place_value_stage_trend_and_since_when() -> None:
    assert alert(ZH).title == (
        "✦【橙色预警】杨浦港水位站：水位 3.12 m，超保证水位 3.00 m，10 分钟上涨 4 cm，自 19:31 起"
    )
    assert alert(EN).title == (
        "✦ [ORANGE ALERT] Yangpu Harbour: water level 3.12 m, over the guaranteed stage of 3.00 m, "
        "up 4 cm in 10 minutes, since 19:31"
    )


def test_the_link_ends_the_text_and_both_languages_fit_into_one_message() -> None:
    message = alert(BOTH)
    assert message.text.splitlines() == [alert(ZH).title, alert(EN).title, LINK]


def test_place_and_rule_stand_below_the_sentence() -> None:
    subject = replace(HARBOUR, where_zh="杨浦区", where_en="Yangpu", rule_zh="河道水位", rule_en="River stage")
    assert alert(ZH, subject).lines == ("位置：杨浦区", "规则：河道水位")
    assert alert(EN, subject).lines == ("Place: Yangpu", "Rule: River stage")


@pytest.mark.parametrize(
    ("now_ms", "zh", "en"),
    [
        (at(8, 23, 59), "自 19:31 起", "since 19:31"),
        (at(9, 0, 0), "自 6 月 8 日 19:31 起", "since 8 June 19:31"),
        (at(2, 8, 0, month=1, year=2027), "自 2026 年 6 月 8 日 19:31 起", "since 8 June 2026 19:31"),
    ],
)
def test_the_date_is_told_when_it_was_not_today_in_the_city(now_ms: int, zh: str, en: str) -> None:
    assert alert(ZH, now_ms=now_ms).title.endswith(zh)
    assert alert(EN, now_ms=now_ms).title.endswith(en)


@pytest.mark.parametrize(
    ("rate_per_h", "zh", "en"),
    [
        (0.24, "10 分钟上涨 4 cm", "up 4 cm in 10 minutes"),
        (-0.24, "10 分钟回落 4 cm", "down 4 cm in 10 minutes"),
        (0.02, "1 小时上涨 2 cm", "up 2 cm in an hour"),
        (0.001, "基本持平", "steady"),
        (9.0, "10 分钟上涨 1.50 m", "up 1.50 m in 10 minutes"),
    ],
)
def test_the_trend_of_a_stage_is_told_in_centimetres(rate_per_h: float, zh: str, en: str) -> None:
    assert f"，{zh}，" in alert(ZH, rate_per_h=rate_per_h).title
    assert f", {en}, " in alert(EN, rate_per_h=rate_per_h).title


def test_an_unknown_trend_is_not_told() -> None:
    assert alert(ZH, rate_per_h=None).title.endswith("超保证水位 3.00 m，自 19:31 起")


def test_a_value_that_rounds_to_its_threshold_shows_the_digit_that_differs() -> None:
    assert "水位 3.004 m，超保证水位 3.00 m" in alert(ZH, value=3.004, peak=3.004).title
    assert "水位 3.00 m，达到保证水位 3.00 m，" in alert(ZH, value=3.0, peak=3.0).title


def test_a_level_below_the_first_stage_says_how_far_that_is() -> None:
    near = alert(ZH, level=Level.BLUE, value=2.65, peak=2.65, threshold=2.6).title
    assert "水位 2.65 m，距警戒水位 2.80 m 还差 15 cm，10 分钟" in near
    near = alert(EN, level=Level.BLUE, value=2.65, peak=2.65, threshold=2.6).title
    assert "water level 2.65 m, 15 cm below the warning stage of 2.80 m, up" in near
    between = alert(ZH, value=2.95, peak=2.95, threshold=2.9).title
    assert "水位 2.95 m，超限值 2.90 m，距保证水位 3.00 m 还差 5 cm" in between


def test_a_value_that_turned_is_not_said_to_be_over() -> None:
    assert "水位 2.96 m，曾超保证水位 3.00 m" in alert(ZH, value=2.96).title
    assert "water level 2.96 m, was over the guaranteed stage of 3.00 m" in alert(EN, value=2.96).title


def test_too_little_is_under_the_limit() -> None:
    oxygen = {
        "quantity": "dissolved_oxygen_mg_l",
        "value": 1.8,
        "peak": 1.8,
        "threshold": 2.0,
        "rate_per_h": -0.31,
    }
    assert "溶解氧 1.80 mg/L，低于限值 2 mg/L，1 小时下降 0.31 mg/L" in alert(ZH, **oxygen).title
    assert (
        "dissolved oxygen 1.80 mg/L, under the limit of 2 mg/L, down 0.31 mg/L in an hour"
        in alert(EN, **oxygen).title
    )


def test_a_state_is_a_word_and_no_number() -> None:
    cover = {"quantity": "cover_open", "value": 1.0, "peak": 1.0, "threshold": 1.0, "rate_per_h": None}
    assert alert(ZH, **cover).title == "✦【橙色预警】杨浦港水位站：井盖开启，自 19:31 起"
    assert alert(EN, **cover).title == "✦ [ORANGE ALERT] Yangpu Harbour: cover open, since 19:31"


def test_signals_of_the_node_itself_are_told_in_words() -> None:
    doubt = {"quantity": "doubt_s", "value": 1800.0, "threshold": 900.0, "rate_per_h": None}
    assert "：数据存疑已 30 分钟，自" in alert(ZH, **doubt).title
    assert ": readings doubtful for 30 min, since" in alert(EN, **doubt).title
    clock = {"quantity": "clock_qc", "value": 2.0, "threshold": 2.0, "rate_per_h": None}
    assert "：时钟不可信，自" in alert(ZH, **clock).title
    silent = {"quantity": "silence_s", "value": 720.0, "threshold": 600.0, "rate_per_h": None}
    assert "】杨浦港水位站失联，自 19:31 起" in alert(ZH, **silent).title
    assert "] Yangpu Harbour is silent, since 19:31" in alert(EN, **silent).title


def test_a_derived_quantity_goes_by_the_name_that_it_is_given() -> None:
    derived = {"quantity": "leq_night_db", "value": 58.34, "peak": 58.34, "threshold": 55.0, "rate_per_h": None}
    subject = replace(HARBOUR, quantity_zh="夜间等效声级", quantity_en="Night Leq", unit="dB")
    assert "：夜间等效声级 58.3 dB，超限值 55 dB，" in alert(ZH, subject, **derived).title
    nameless = replace(HARBOUR, rule_zh="空气质量指数", rule_en="AQI")
    aqi = {"quantity": "aqi", "value": 162.0, "peak": 162.0, "threshold": 150.0, "rate_per_h": None}
    assert "：空气质量指数 162，超限值 150，" in alert(ZH, nameless, **aqi).title


def test_a_rise_says_from_which_level() -> None:
    message = compose_alert(FLOOD, HARBOUR, ZH, now_ms=NOW, risen_from=Level.YELLOW)
    assert message.title.startswith("✦【橙色预警，由黄色升级】杨浦港")
    assert message.occasion is Occasion.ROSE
    english = compose_alert(FLOOD, HARBOUR, EN, now_ms=NOW, risen_from=Level.YELLOW)
    assert english.title.startswith("✦ [ORANGE ALERT, up from yellow] Yangpu")


def test_a_group_says_the_cause_and_how_many_follow_from_it() -> None:
    lost = replace(FLOOD, rule="gateway_lost", node="gw-07", quantity="silence_s", value=90.0, threshold=60.0)
    subject = Subject.of_gateway("gw-07", {"zh": "网关失联", "en": "Gateway lost"})
    message = compose_group(lost, subject, ZH, nodes=212, now_ms=NOW)
    assert message.title == "✦【橙色预警】网关 gw-07 失联，影响 212 个节点，自 19:31 起"
    english = compose_group(lost, subject, EN, nodes=212, now_ms=NOW)
    assert english.title == "✦ [ORANGE ALERT] Gateway gw-07 is silent, 212 nodes affected, since 19:31"
    assert message.facts["affected_nodes"] == 212


def test_nobody_acknowledged_says_for_how_long_and_what_to_do() -> None:
    message = compose_unacknowledged(FLOOD, HARBOUR, ZH, waited_ms=15 * MINUTE_MS, now_ms=NOW)
    assert message.title.startswith("✦【橙色预警，无人确认】")
    assert message.lines[0] == "已 15 分钟无人确认，请立即处置。"
    again = compose_unacknowledged(FLOOD, HARBOUR, ZH, waited_ms=30 * MINUTE_MS, now_ms=NOW, round_=2)
    assert again.key != message.key


def test_the_end_is_one_quiet_line_with_duration_and_peak() -> None:
    over = replace(
        FLOOD,
        value=2.65,
        peak=3.31,
        peak_ms=at(8, 21, 4),
        end_ms=at(8, 22, 43),
        highest=Level.RED,
        level=Level.BLUE,
    )
    message = compose_resolved(over, HARBOUR, ZH, now_ms=at(8, 22, 50))
    assert message.text == (
        "✓【解除】杨浦港水位站：水位回落至 2.65 m，历时 3 小时 12 分，最高 3.31 m（21:04），曾达红色"
    )
    assert message.quiet
    assert compose_resolved(over, HARBOUR, EN, now_ms=at(8, 22, 50)).text == (
        "✓ [Resolved] Yangpu Harbour: water level back to 2.65 m after 3 h 12 min, peak 3.31 m at 21:04, "
        "highest level red"
    )


def test_the_end_of_a_silence_says_how_long_it_was() -> None:
    silent = replace(
        FLOOD, quantity="silence_s", value=0.0, threshold=600.0, end_ms=START + 27 * 60 * MINUTE_MS
    )
    assert (
        compose_resolved(silent, HARBOUR, ZH, now_ms=NOW).title
        == "✓【解除】杨浦港水位站：通信恢复，失联 1 天 3 小时"
    )
    assert compose_resolved(silent, HARBOUR, EN, now_ms=NOW).title == (
        "✓ [Resolved] Yangpu Harbour is heard again, silent for 1 d 3 h"
    )


def test_a_digest_has_the_worst_first_and_a_line_each() -> None:
    smog = replace(
        FLOOD,
        node="aq-1",
        quantity="pm2_5_ug_m3",
        level=Level.RED,
        value=260.2,
        peak=260.2,
        threshold=250,
        rate_per_h=31,
    )
    station = Subject(place_zh="五角场空气站", place_en="Wujiaochang")
    items = [(replace(FLOOD, level=Level.YELLOW), HARBOUR), (FLOOD, HARBOUR), (smog, station)]
    message = compose_digest(items, ZH, now_ms=NOW, url=LINK)
    assert message.title == "【预警汇总】共 3 起：红 1、橙 1、黄 1"
    assert (
        message.lines[0]
        == "✸ 红 五角场空气站：PM2.5 260.2 µg/m³，超限值 250 µg/m³，1 小时上升 31.0 µg/m³，自 19:31 起"
    )
    assert [line[:3] for line in message.lines] == ["✸ 红", "✦ 橙", "▲ 黄"]
    assert message.level is Level.RED
    assert compose_digest(items, EN, now_ms=NOW).title == "[Alert digest] 3 alerts: red 1, orange 1, yellow 1"


def test_the_same_digest_has_the_same_key_and_another_one_another() -> None:
    one = compose_digest([(FLOOD, HARBOUR)], ZH, now_ms=NOW)
    assert one.key == compose_digest([(FLOOD, HARBOUR)], ZH, now_ms=NOW + 1).key
    assert one.key != compose_digest([(replace(FLOOD, revision=2), HARBOUR)], ZH, now_ms=NOW).key


def test_a_test_message_says_that_nothing_happened() -> None:
    message = compose_test("duty-room", ZH, now_ms=NOW)
    assert message.text == "【测试】城市神经元：通道“duty-room”可用（19:42）\n这是测试消息，无需处置。"
    assert message.level is None


def test_the_occasions_of_one_episode_have_keys_of_their_own() -> None:
    keys = {
        alert(ZH).key,
        alert(ZH, level=Level.RED).key,
        compose_alert(FLOOD, HARBOUR, ZH, now_ms=NOW, risen_from=Level.BLUE).key,
        compose_unacknowledged(FLOOD, HARBOUR, ZH, waited_ms=1, now_ms=NOW).key,
        compose_resolved(FLOOD, HARBOUR, ZH, now_ms=NOW).key,
    }
    assert len(keys) == 5
    assert alert(ZH).key == alert(EN, value=3.5).key


def test_a_name_from_outside_cannot_break_the_line() -> None:
    node = Node(
        id=node_id("ys-07"), kind="water_level", label_en="A\nBcc: x@y", label_zh="甲\r\n\u202e乙" + "丙" * 90,
        site="s", district="d",
    )  # fmt: skip
    subject = Subject.of_node(node, {"zh": "水位\n规则", "en": "Stage"})
    assert "\n" not in alert(EN, subject).title and "A Bcc: x@y: water level" in alert(EN, subject).title
    assert "】甲 乙丙" in alert(ZH, subject).title and len(alert(ZH, subject).title) < 150
    assert alert(ZH, subject).lines == ("规则：水位 规则",)


@pytest.mark.parametrize("quantity", sorted({name for kind in KINDS.values() for name in kind.quantities}))
def test_every_quantity_of_the_catalogue_makes_a_sentence(quantity: str) -> None:
    row = QUANTITIES[quantity]
    changes = {
        "quantity": quantity,
        "value": row.high,
        "peak": row.high,
        "threshold": row.low,
        "rate_per_h": row.resolution,
    }
    for style, label in ((ZH, row.label_zh), (EN, row.label_en.lower())):
        title = alert(style, **changes).title
        assert "None" not in title and "  " not in title and "/100" not in title and "Cel" not in title
        states = {"cover_open", "door_open", "lamp_on", "fan_on", "charging", "occupied"}
        assert quantity in states or label in title.lower() or label in title


def test_an_episode_without_a_value_still_makes_a_sentence() -> None:
    bare = alert(ZH, value=None, peak=None, threshold=None, rate_per_h=None)
    assert bare.title == "✦【橙色预警】杨浦港水位站：水位无数据，自 19:31 起"
