"""Uplinks of ChirpStack v4 and The Things Stack v3: what becomes a reading, and under which number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conformance import lines, wrong
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case, Hear
from edge.adapters.cli import case_of
from edge.adapters.frame import FrameError
from edge.adapters.lorawan import LorawanOptions, read
from edge.adapters.lorawan.session import Sessions
from edge.adapters.report import Report, Value
from edge.config import read_table
from edge.model.errors import ConfigError

EUI = "70b3d57ed0000007"
TOPIC = f"application/app/device/{EUI}/event/up"
NOW_MS = 1_790_000_000_000


def chirpstack(counter: int, second: int, **more: Any) -> bytes:
    body = {
        "deduplicationId": f"d{counter}",
        "time": f"2026-09-21T14:13:{second:02}.123456789+00:00",
        "deviceInfo": {"devEui": EUI, "applicationId": "app"},
        "devAddr": "01dbce85",
        "fPort": 2,
        "data": "A2cBEA==",
        "object": {"temperature_3": 27.2, "level": {"mm": 812}, "ok": True, "label": "x"},
        "rxInfo": [{"rssi": -113, "snr": -4.5}, {"rssi": -97, "snr": 3.2}],
    }
    if counter:
        body["fCnt"] = counter
    return json.dumps({**body, **more}).encode()


def things_stack(**more: Any) -> bytes:
    message = {
        "session_key_id": "AXA50tHUGUucuzS/bCGMNw==",
        "f_port": 2,
        "f_cnt": 5,
        "frm_payload": "A2cBEA==",
        "decoded_payload": {"temperature_3": 27.2},
        "rx_metadata": [{"rssi": -90, "snr": 7}],
        "received_at": "2026-09-21T14:13:20.5Z",
    }
    return json.dumps({"end_device_ids": {"dev_eui": EUI.upper()}, "uplink_message": message, **more}).encode()


def hearing(**options: Any) -> Hear:
    hear = adapter("lorawan-uplinks").hear
    assert hear is not None
    return hear({EUI: LorawanOptions(**options)}, lambda: NOW_MS)


def one(reports: Any) -> Report:
    (report,) = reports
    assert isinstance(report, Report)
    return report


def test_every_vector_decodes_as_expected(shared_data: Path) -> None:
    assert list(wrong(shared_data, "lorawan-uplinks")) == []


def test_an_uplink_heard_by_two_receivers_is_one_reading_with_the_better_signal() -> None:
    assert one(hearing()(TOPIC, chirpstack(7, 20))) == Report(
        device=EUI,
        values=(
            Value("temperature_3", 27.2),
            Value("level.mm", 812.0),
            Value("ok", 1.0),
            Value("rssi_dbm", -97),
            Value("snr_db", 3.2),
        ),
        time_ms=NOW_MS + 123,
        number=7,
        session=Sessions().of(EUI, "01dbce85", 7, 0),
    )


def test_the_bytes_are_read_as_cayenne_where_the_device_says_so() -> None:
    values = one(hearing(payload="cayenne-lpp")(TOPIC, chirpstack(7, 20, object=None))).values
    assert values[0] == Value("temperature_3", 27.2)


@pytest.mark.parametrize(
    "more",
    [{"fPort": 0}, {"fPort": 9}, {"data": "", "object": None}, {"joinServerContext": {"sessionKeyId": "x"}}],
)
def test_an_uplink_without_values_of_the_device_is_counted_all_the_same(more: dict[str, Any]) -> None:
    report = one(hearing(f_port=2)(TOPIC, chirpstack(7, 20, **more)))
    assert report.number == 7
    assert [value.key for value in report.values] == ["rssi_dbm", "snr_db"]


def test_a_redelivered_uplink_has_the_number_that_it_had_also_at_a_gateway_that_forgot() -> None:
    hear = hearing()
    numbers = [(report.session, report.number) for second in (1, 2, 3)
               for report in hear(TOPIC, chirpstack(second, second))]  # fmt: skip
    again = [one(hear(TOPIC, chirpstack(second, second))) for second in (1, 2, 3)]
    fresh = [one(hearing()(TOPIC, chirpstack(second, second))) for second in (3, 1, 2)]
    assert [(report.session, report.number) for report in again] == numbers
    assert sorted((report.session, report.number or 0) for report in fresh) == numbers
    assert len({session for session, _ in numbers}) == 1


def test_a_join_begins_a_new_session() -> None:
    hear = hearing()
    before = one(hear(TOPIC, chirpstack(900, 1)))
    joined = one(hear(TOPIC, chirpstack(0, 2, devAddr="00aa11bb")))
    late = one(hear(TOPIC, chirpstack(901, 3)))
    assert (before.number, joined.number) == (900, 0)
    assert before.session == late.session != joined.session


def test_a_counter_that_goes_back_begins_a_new_session_and_late_frames_stay_in_theirs() -> None:
    hear = hearing()
    first = [one(hear(TOPIC, chirpstack(number, number))).session for number in (10, 11, 12)]
    second = [one(hear(TOPIC, chirpstack(number, 20 + number))).session for number in (0, 1, 2)]
    again = [one(hear(TOPIC, chirpstack(number, number))).session for number in (11, 12)]
    repeated = [one(hear(TOPIC, chirpstack(number, 20 + number))).session for number in (0, 2)]
    assert len({*first}) == len({*second}) == 1
    assert first[0] != second[0]
    assert again == first[:2]
    assert repeated == second[:2]


def test_a_device_whose_counter_is_not_to_be_trusted_is_numbered_by_time() -> None:
    assert one(hearing(counter=False)(TOPIC, chirpstack(7, 20))).number is None


def test_the_session_of_the_things_stack_is_that_of_its_keys() -> None:
    report = one(hearing()("v3/app/devices/dev/up", things_stack()))
    assert (report.device, report.number, report.time_ms) == (EUI, 5, NOW_MS + 500)
    assert report.values == (Value("temperature_3", 27.2), Value("rssi_dbm", -90), Value("snr_db", 7))
    assert report.session == Sessions().of("", "AXA50tHUGUucuzS/bCGMNw==", 0, 0)


def test_a_simulated_uplink_never_becomes_a_reading() -> None:
    assert hearing()("v3/app/devices/dev/up", things_stack(simulated=True)) == ()
    said = adapter("lorawan-uplinks").decoder()(Case(raw=things_stack(simulated=True)))
    assert said == {"event": "up", "telemetry": False}


@pytest.mark.parametrize(
    ("topic", "event", "body"),
    [
        ("application/a/device/d/event/join", "join", {"deviceInfo": {"devEui": EUI}, "devAddr": "01dbce85"}),
        ("", "join", {"deviceInfo": {"devEui": EUI}, "devAddr": "01dbce85"}),
        ("application/a/device/d/event/status", "status", {"deviceInfo": {}, "margin": 10}),
        ("", "status", {"deviceInfo": {}, "batteryLevel": 99.2}),
        ("application/a/device/d/event/ack", "ack", {"deviceInfo": {}}),
        ("", "ack", {"deviceInfo": {}, "acknowledged": True, "fCntDown": 3}),
        ("", "txack", {"deviceInfo": {}, "downlinkId": 1, "gatewayId": "g"}),
        ("", "log", {"deviceInfo": {}, "level": "ERROR", "code": "UPLINK_F_CNT_RESET"}),
        ("", "location", {"deviceInfo": {}, "location": {"latitude": 1}}),
        ("", "integration", {"deviceInfo": {}, "integrationName": "x"}),
        ("v3/a/devices/d/join", "join", {"end_device_ids": {}, "join_accept": {"session_key_id": "x"}}),
        ("", "down/ack", {"end_device_ids": {}, "downlink_ack": {}}),
        ("v3/a/devices/d/location/solved", "location/solved", {"end_device_ids": {}}),
        ("", "service/data", {"end_device_ids": {}, "service_data": {}}),
    ],
)
def test_other_events_are_no_telemetry(topic: str, event: str, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    assert adapter("lorawan-uplinks").decoder()(Case(raw=raw, topic=topic)) == {
        "event": event,
        "telemetry": False,
    }
    assert hearing()(topic, raw) == ()


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("format", {"applicationID": "1", "devEUI": "AAAAAAAAAAE=", "fCnt": 1, "objectJSON": "{}"}),
        ("format", {"app_id": "a", "hardware_serial": EUI, "payload_raw": "AA==", "counter": 1}),
        ("format", {"deviceInfo": {"devEui": "70b3"}, "fCnt": 1}),
        ("format", {"deviceInfo": {"devEui": EUI}, "fCnt": -1}),
        ("format", {"deviceInfo": {"devEui": EUI}, "fCnt": True}),
        ("format", {"deviceInfo": {"devEui": EUI}, "fCnt": 1, "time": "yesterday"}),
        ("format", {"deviceInfo": {"devEui": EUI}, "fCnt": 1, "rxInfo": 3}),
        ("base64", {"deviceInfo": {"devEui": EUI}, "data": "A"}),
        ("base64", {"end_device_ids": {"dev_eui": EUI}, "uplink_message": {"frm_payload": "qg=*"}}),
        ("format", {"end_device_ids": {}, "uplink_message": {}}),
        ("format", {"end_device_ids": {"dev_eui": EUI}}),
        ("format", []),
    ],
)
def test_what_is_no_uplink_is_refused_with_its_reason(reason: str, body: Any) -> None:
    with pytest.raises(FrameError) as caught:
        read("", json.dumps(body).encode())
    assert caught.value.reason == reason


def test_a_payload_that_is_not_cayenne_is_refused() -> None:
    with pytest.raises(FrameError, match="truncated"):
        hearing(payload="cayenne-lpp")(TOPIC, chirpstack(7, 20, data="A2cB"))


def test_a_message_cut_anywhere_is_refused(shared_data: Path) -> None:
    for case in lines(shared_data, "lorawan-uplinks"):
        raw = case["frame"].strip().encode()
        for end in range(0, len(raw), 7):
            with pytest.raises(FrameError, match="json"):
                read("", raw[:end])


@given(st.data())
def test_a_bent_message_is_read_or_refused(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([chirpstack(7, 20), things_stack()]))
    body = json.loads(base)
    _bend(body, lambda strategy: data.draw(strategy))
    try:
        hearing(payload=data.draw(st.sampled_from(["cayenne-lpp", "object"])))(TOPIC, json.dumps(body).encode())
    except FrameError as error:
        assert error.reason in ("json", "format", "base64", "truncated", "type")


def _bend(body: Any, draw: Callable[[Any], Any]) -> None:
    """Put something else in one place of a message."""
    while True:
        keys = list(body) if isinstance(body, dict) else list(range(len(body)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        if not isinstance(body[key], (dict, list)) or draw(st.booleans()):
            anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
            body[key] = draw(anything | st.lists(anything, max_size=2))
            return
        body = body[key]


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(FrameError):
        read(TOPIC, raw)


def test_a_wrong_option_is_explained() -> None:
    with pytest.raises(ConfigError, match="cayenne-lpp"):
        read_table(LorawanOptions, {"payload": "lpp"}, "device[0]")


def test_the_command_takes_the_topic_of_a_message() -> None:
    line = json.dumps(
        {"frame": '{"deviceInfo":{}}', "encoding": "json", "topic": "application/a/device/d/event/log"}
    )
    assert adapter("lorawan-uplinks").decoder()(case_of(line))["event"] == "log"
