"""Figures become verdicts in plain words; the worst comes first in the sum."""

from __future__ import annotations

from field_rig import said, status

from edge.field.doctor import Level, Verdict, summary, verdicts
from edge.field.status import NodeStatus, read_status, status_in_line

NOW_MS: int = said()["time_ms"]


def then(**changes: object) -> NodeStatus:
    """A status of that moment."""
    return status(**({"time_ms": NOW_MS, "last_ack_ms": NOW_MS} | changes))


def about(name: str, **changes: object) -> Verdict:
    return next(verdict for verdict in verdicts(then(**changes), NOW_MS) if verdict.about == name)


def test_a_node_that_is_well_is_called_well() -> None:
    found = verdicts(then(), NOW_MS)
    assert {verdict.level for verdict in found} == {Level.GOOD}
    assert summary(found) == Verdict("node", Level.GOOD, "well")


def test_a_silent_sensor_is_bad_and_says_where_to_look() -> None:
    sensors = [{"name": "ds18b20", "ok": False, "error": "no answer", "values": {}}]
    verdict = about("sensor ds18b20", sensors=sensors)
    assert verdict.level is Level.BAD and "power" in verdict.remedy
    assert summary(verdicts(then(sensors=sensors), NOW_MS)).text == "sensor ds18b20: no answer"


def test_a_weak_signal_is_to_be_watched() -> None:
    assert about("network", rssi_dbm=-61).level is Level.GOOD
    assert about("network", rssi_dbm=-84).level is Level.WATCH
    assert about("network", net="joining").level is Level.BAD


def test_a_clock_is_judged_by_its_state_and_by_this_computers() -> None:
    assert about("clock", clock="unknown").level is Level.BAD
    assert about("clock", clock="estimated").level is Level.WATCH
    assert about("clock", time_ms=NOW_MS - 60_000).text == "-60 s off this computer's"


def test_readings_that_nobody_acknowledges_are_bad() -> None:
    assert about("delivery", produced=100, acknowledged=0, held=100).level is Level.BAD
    late = about("delivery", produced=100, acknowledged=40, held=60, last_ack_ms=NOW_MS - 7_200_000)
    assert late.level is Level.BAD and "2 h old" in late.text
    assert (
        about("delivery", produced=1_234, acknowledged=1_234).text
        == "1,234 taken, 1,234 acknowledged, 0 waiting"
    )


def test_room_battery_trial_and_losses_are_told() -> None:
    assert about("memory", heap_free=6_000).level is Level.WATCH
    assert about("flash", flash_free=900_000).level is Level.GOOD
    assert about("battery", battery_mv=3_800).text == "3.80 V"
    assert about("battery", battery_mv=3_250).level is Level.GOOD, "a LiFePO4 cell at rest"
    assert "on trial" in about("firmware", trial="b").text
    assert about("losses", dropped=3).level is Level.WATCH


def test_an_error_that_came_back_is_told_once() -> None:
    errors = [{"stage": "broker", "text": "hung up", "remedy": "look"}] * 4
    found = [v for v in verdicts(then(errors=errors), NOW_MS) if v.about == "broker" and v.level is Level.WATCH]
    assert [(v.text, v.remedy) for v in found] == [("hung up", "look")]


def test_an_error_of_before_the_present_start_is_history() -> None:
    errors = [
        {"stage": "start", "text": "/settings.json is missing", "remedy": "provision", "ms": NOW_MS - 60_000}
    ]
    assert about("start", errors=errors) == Verdict("start", Level.PAST, "/settings.json is missing")
    assert summary(verdicts(then(errors=errors), NOW_MS)).level is Level.GOOD


def test_an_old_error_at_which_the_node_stands_again_is_no_history() -> None:
    errors = [{"stage": "broker", "text": "cannot reach it", "remedy": "look", "ms": NOW_MS - 86_400_000}]
    stands = verdicts(then(errors=errors, broker="down", stage="broker"), NOW_MS)
    assert stands[-1] == Verdict("broker", Level.WATCH, "cannot reach it", "look"), "a node keeps it once"
    assert verdicts(then(errors=errors), NOW_MS)[-1].level is Level.PAST


def test_a_status_of_another_version_is_read_as_far_as_it_goes() -> None:
    row = read_status(
        {"node": "cn-1", "boot": "seven", "news": 1, "sensors": ["?", {"ok": 1}], "errors": ["x"]}
    )
    assert (row.boot, row.errors[0].text, row.sensors[0].name) == (None, "x", "?")
    assert verdicts(read_status({}), NOW_MS)[0].about == "clock"


def test_a_status_is_found_in_the_midst_of_a_consoles_lines() -> None:
    assert status_in_line("joined city-iot") is None
    assert status_in_line('{"other": 1}') is None
    assert status_in_line('> {"node": "cn-1", "boot": 10007}') is not None
    assert status_in_line('{"node": "cn-1", "boo') is None
