"""A node's words become stages that are passed, and the one at which it stands becomes a diagnosis in time."""

from __future__ import annotations

from typing import Any

import pytest
from field_rig import status

from edge.field.diagnosis import Symptom
from edge.field.stages import Stage
from edge.field.watch import PATIENCE_S, WATCHED, Watch, detail_of, signal

FACTS = {
    "ssid": "city-iot",
    "broker": "broker.city",
    "broker_port": 8883,
    "node": "cn-1",
    "port": "/dev/ttyUSB0",
}
NOTHING: dict[str, Any] = {
    "net": "joining", "broker": "down", "clock": "unknown", "stage": "network", "produced": 0, "acknowledged": 0
}  # fmt: skip


def watch() -> Watch:
    return Watch(0.0, facts=FACTS)


def test_a_node_that_is_well_has_passed_everything_at_once() -> None:
    one = watch()
    assert one.take(status(), 1.0) == list(WATCHED)
    assert one.stage is None and one.trouble(10_000.0) is None


def test_stages_are_passed_in_their_order_one_status_after_the_other() -> None:
    one, passed = watch(), []
    for row in (
        NOTHING,
        NOTHING | {"net": "up", "stage": "clock"},
        NOTHING | {"net": "up", "clock": "synced", "stage": "broker"},
        NOTHING | {"net": "up", "clock": "synced", "broker": "up", "stage": "birth"},
        NOTHING | {"net": "up", "clock": "synced", "broker": "up", "stage": "sample", "produced": 1},
        {},
    ):
        passed.append(one.take(status(**row), 1.0))
    assert [stage for each in passed for stage in each] == list(WATCHED)
    assert passed[0] == [] and passed[1] == [Stage.NETWORK]


def test_a_wrong_password_is_told_when_the_node_has_said_it_twice_not_after_a_minute() -> None:
    one = watch()
    row = status(**NOTHING, errors=[{"stage": "network", "text": "no Wi-Fi 'city-iot' (status 202)"}])
    one.take(row, 1.0)
    assert one.trouble(1.0) is None
    one.take(row, 2.0)
    error = one.trouble(2.0)
    assert error is not None and error.symptom is Symptom.BAD_PASSWORD
    assert error.cause == "Wi-Fi city-iot refuses the password"


def test_a_network_that_is_not_seen_yet_may_still_come_until_patience_ends() -> None:
    one = watch()
    one.take(status(**NOTHING, errors=[{"stage": "network", "text": "no Wi-Fi 'city-iot' (status 201)"}]), 1.0)
    assert one.trouble(PATIENCE_S[Stage.NETWORK] - 1) is None
    error = one.trouble(PATIENCE_S[Stage.NETWORK])
    assert error is not None and error.symptom is Symptom.NO_WIFI


def test_a_node_that_was_told_no_wifi_is_told_apart_from_one_that_finds_none() -> None:
    one = Watch(0.0, facts={"ssid": ""})
    errors = [{"stage": "network", "text": "no Wi-Fi '': nobody calls itself that here"}]
    one.take(status(**NOTHING, errors=errors), 1.0)
    assert one.trouble(1.0) is None
    error = one.trouble(2.0)
    assert error is not None and error.symptom is Symptom.NO_WIFI_NAME and "--wifi" in error.remedies[0]


@pytest.mark.parametrize(
    ("row", "symptom"),
    [
        (NOTHING, Symptom.NO_WIFI),
        (NOTHING | {"net": "up", "stage": "clock"}, Symptom.NO_TIME),
        (NOTHING | {"net": "up", "clock": "synced", "stage": "broker"}, Symptom.BROKER_AWAY),
        ({"stage": "broker", "broker": "up", "produced": 0, "acknowledged": 0}, Symptom.ACCESS_LIST),
        ({"stage": "sample", "produced": 0, "acknowledged": 0}, Symptom.NO_SAMPLE),
        ({"stage": "sample", "acknowledged": 0}, Symptom.GATEWAY_SILENT),
    ],
)
def test_a_node_that_says_nothing_more_is_diagnosed_by_where_it_stands(
    row: dict[str, Any], symptom: Symptom
) -> None:
    one = watch()
    one.take(status(**row), 0.0)
    error = one.trouble(1_000.0)
    assert error is not None and error.symptom is symptom and error.stage is one.stage


def test_a_silent_sensor_is_named_with_what_it_said() -> None:
    one = watch()
    sensors = [{"name": "pms5003", "ok": False, "error": "no frame in 2 s", "values": {}}]
    one.take(status(stage="sample", acknowledged=0, sensors=sensors), 0.0)
    assert one.trouble(5.0) is None, "a particle sensor spins up for half a minute"
    error = one.trouble(PATIENCE_S[Stage.SAMPLE])
    assert error is not None and error.symptom is Symptom.SENSOR_SILENT
    assert error.cause == "sensor pms5003 is silent: no frame in 2 s"


def test_a_value_outside_the_catalogues_range_is_told_with_the_range() -> None:
    one = watch()
    sensors = [{"name": "ds18b20", "ok": True, "values": {"water_temperature_c": "85.000"}}]
    for _ in range(2):
        one.take(status(stage="acked", acknowledged=0, sensors=sensors), 0.0)
        error = one.trouble(0.0)
    assert error is not None and error.symptom is Symptom.IMPLAUSIBLE
    assert error.cause.startswith("water_temperature_c = 85.000 is not plausible (")


def test_what_is_known_of_a_stage_is_said_in_a_few_words() -> None:
    assert detail_of(Stage.NETWORK, status()) == "-61 dBm, good"
    assert detail_of(Stage.CLOCK, status()) == "synced"
    assert detail_of(Stage.BIRTH, status()) == "firmware 0.2.0"
    assert detail_of(Stage.SAMPLE, status()) == "level_m 2.143"
    assert detail_of(Stage.STORED, status()) == "1 acknowledged"
    assert [signal(dbm) for dbm in (-50, -65, -75, -90)] == ["strong", "good", "weak", "very weak"]
