"""Plain JSON: Tasmota, zigbee2mqtt, and whatever else has numbers under paths."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case, Hear
from edge.adapters.frame import FrameError
from edge.adapters.plain import WORDS, JsonOptions
from edge.adapters.report import Report, Value, Word
from edge.model.errors import ConfigError
from edge.model.quantities import QUANTITIES

SENSOR = {
    "Time": "2026-09-21T22:13:20",
    "BME280": {"Temperature": 68.0, "Humidity": 41.5, "DewPoint": 43.2, "Pressure": 760.0},
    "ENERGY": {"TotalStartTime": "2026-01-01T00:00:00", "Total": 3.185, "Power": 86, "Voltage": [229, 231]},
    "SDS0X1": {"PM2.5": 12.3},
    "PressureUnit": "mmHg",
    "TempUnit": "F",
}


def hearing(**known: JsonOptions) -> Hear:
    hear = adapter("json").hear
    assert hear is not None
    return hear({name.replace("_", "-"): options for name, options in known.items()}, lambda: 0)


def values(topic: str, body: Any, **known: JsonOptions) -> dict[str, float | None]:
    (report,) = hearing(**known)(topic, json.dumps(body).encode())
    return {value.key: value.number for value in report.values}


def test_tasmota_speaks_in_metric_units_and_in_its_own_time_zone() -> None:
    options = JsonOptions(timezone="Asia/Shanghai")
    (report,) = hearing(plug_7=options)("tele/plug-7/SENSOR", json.dumps(SENSOR).encode())
    assert (report.device, report.series, report.time_ms) == ("plug-7", "", 1_790_000_000_000)
    assert {value.key: value.number for value in report.values} == {
        "BME280.Temperature": 20.0,
        "BME280.Humidity": 41.5,
        "BME280.DewPoint": 6.222,
        "BME280.Pressure": 1013.25,
        "ENERGY.Total": 3.185,
        "ENERGY.Power": 86,
        "ENERGY.Voltage.0": 229,
        "ENERGY.Voltage.1": 231,
        "SDS0X1.PM2.5": 12.3,
    }


def test_a_time_without_a_zone_is_not_guessed_at() -> None:
    (report,) = hearing()("tele/plug-7/SENSOR", json.dumps(SENSOR).encode())
    assert (report.device, report.time_ms) == ("plug-7", None)


def test_what_tasmota_says_of_its_state_is_a_series_of_its_own() -> None:
    body = {"Time": "2026-09-21T22:13:20", "POWER": "ON", "UptimeSec": 97, "Wifi": {"Signal": -61, "SSId": "x"}}
    (report,) = hearing(plug_7=JsonOptions(timezone="UTC"))("tele/plug-7/STATE", json.dumps(body).encode())
    assert report == Report(
        device="plug-7",
        series="STATE",
        values=(Value("POWER", 1.0), Value("UptimeSec", 97), Value("Wifi.Signal", -61)),
    )


@pytest.mark.parametrize(
    ("stamp", "time_ms"),
    [
        ("2026-09-21T22:13:20.987654321+08:00", 1_790_000_000_987),
        ("2026-09-21T14:13:20Z", 1_790_000_000_000),
        (1_790_000_000, 1_790_000_000_000),
        (1_790_000_000_123, 1_790_000_000_123),
    ],
)
def test_zigbee_devices_tell_when_they_were_heard(stamp: str | int, time_ms: int) -> None:
    body = {"contact": True, "battery": 97, "state": "OFF", "last_seen": stamp, "update": {"state": "idle"}}
    (report,) = hearing()("zigbee2mqtt/hall/door", json.dumps(body).encode())
    assert report == Report(
        device="hall/door",
        time_ms=time_ms,
        values=(Value("contact", 1.0), Value("battery", 97), Value("state", 0.0)),
    )
    assert WORDS["contact"] == Word("door_open", -1.0, 1.0)  # a closed contact is a closed door


@pytest.mark.parametrize(
    "topic",
    ["tele/x/LWT", "stat/x/RESULT", "cmnd/x/POWER", "zigbee2mqtt/x/availability", "zigbee2mqtt/bridge/info"],
)
def test_topics_that_hold_no_readings_are_left_alone(topic: str) -> None:
    assert hearing()(topic, b"Online") == ()


def test_any_message_is_laid_flat_and_words_count_as_the_device_says() -> None:
    body = {
        "at": {"s": 1_790_000_000},
        "a": [{"b": "1.5"}, {"b": None}],
        "door": "Open",
        "label": "x",
        "n": "nan",
    }
    options = JsonOptions(time="at.s", states={"open": 1, "SHUT": 0})
    (report,) = hearing(well_7=options)("town/well-7/up", json.dumps(body).encode())
    assert report.time_ms == 1_790_000_000_000
    assert report.values == (Value("a.0.b", 1.5), Value("a.1.b", None), Value("door", 1.0))


def test_a_number_alone_has_the_name_that_follows_the_device() -> None:
    assert values("home/well-7/air/temp", 21.5, well_7=JsonOptions()) == {"air.temp": 21.5}
    assert values("home/well-7", 21.5, well_7=JsonOptions()) == {"value": 21.5}
    assert values("home/well-9", "ON") == {"value": 1.0}


def test_topics_of_one_device_are_numbered_apart() -> None:
    hear = hearing(well_7=JsonOptions())
    temperature, humidity = (hear(f"home/well-7/{name}", b"1")[0].series for name in ("temp", "hum"))
    assert temperature.startswith("temp/") and humidity.startswith("hum/")
    assert int(temperature.partition("/")[2]) != int(humidity.partition("/")[2])


def test_the_longest_known_name_in_a_topic_is_the_device() -> None:
    known: dict[str, Any] = dict.fromkeys(("a", "a/b"), JsonOptions())
    hear = adapter("json").hear
    assert hear is not None
    assert hear(known, lambda: 0)("x/a/b/temp", b"1")[0].device == "a/b"
    assert hear(known, lambda: 0)("x/a/c", b"1")[0].device == "a"


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        ("json", b'{"a":'),
        ("json", b"\xff"),
        ("json", b'{"a":NaN}'),
        ("json", b'{"a":1e999}'),
        ("json", b'{"a":"\\ud800"}'),
        ("format", b'{"a":1' + b"0" * 400 + b"}"),
        ("format", b'{"a":1,"Time":"noon"}'),
        ("format", b'{"a":1,"Time":"2026-13-01T00:00:00Z"}'),
        ("format", b'{"a":1,"time":12345}'),
        ("format", b"[" * 40 + b"]" * 40),
        ("format", json.dumps([1] * 1001).encode()),
        ("json", b" " * 300_000),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(reason: str, payload: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        hearing()("x", payload)
    assert caught.value.reason == reason


def test_a_time_that_should_be_there_and_is_not_is_a_fault() -> None:
    with pytest.raises(FrameError, match="no time stands"):
        values("x/well-7", {"a": 1}, well_7=JsonOptions(time="at.s"))


def test_a_wrong_time_zone_is_explained() -> None:
    with pytest.raises(ConfigError, match="Mars"):
        JsonOptions(timezone="Mars/Base")


def test_every_word_means_a_quantity_of_the_catalogue() -> None:
    assert {word.quantity for word in WORDS.values()} <= QUANTITIES.keys()


@given(st.binary(max_size=40) | st.recursive(st.none() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8).map(lambda body: json.dumps(body).encode()))  # fmt: skip
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    try:
        hearing()("a/b", payload)
    except FrameError as error:
        assert error.reason in ("json", "format")


def test_the_command_shows_values_by_path() -> None:
    decode = adapter("json").decoder()
    assert decode(Case(raw=b'{"a":{"b":1},"Time":"2026-09-21T14:13:20Z"}', topic="tele/x/SENSOR")) == {
        "device": "x",
        "time_ms": 1_790_000_000_000,
        "values": {"a.b": 1.0},
    }
