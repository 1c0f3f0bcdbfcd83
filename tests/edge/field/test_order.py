"""What is ordered becomes settings that the firmware understands; mistakes are named early."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from edge.field.order import (
    DRIVER_BUSES,
    USUAL_SENSORS,
    Access,
    Order,
    check_order,
    number_or_text,
    parse_sensor,
    settings,
    with_datum,
)
from edge.model.errors import CityError, ConfigError
from simulators.sensors import MODELS


def test_a_kind_brings_its_usual_sensors() -> None:
    assert check_order(Order(kind="weather")).sensors == (
        {"driver": "bme280", "bus": "i2c"},
        {"driver": "bh1750", "bus": "i2c"},
    )


def test_a_kind_without_usual_sensors_asks_for_them() -> None:
    with pytest.raises(ConfigError, match="no usual sensor"):
        check_order(Order(kind="soil"))


@pytest.mark.parametrize(
    "order",
    [
        Order(kind="teapot"),
        Order(kind="weather", id="Großer Knoten"),
        Order(kind="weather", lat=31.0),
        Order(kind="weather", lat=131.0, lon=121.0),
        Order(kind="weather", lat=float("nan"), lon=121.0),
        Order(kind="weather", period_s=0),
        Order(kind="weather", period_s=-5),
        Order(kind="weather", period_s=float("nan")),
        Order(kind="weather", sensors=({"driver": "bme820", "bus": "i2c"},)),
        Order(kind="weather", sensors=({"driver": "bme280", "bus": "adc1"},)),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order: Order) -> None:
    with pytest.raises(CityError):
        check_order(order)


def test_a_sensor_is_written_as_driver_bus_and_options() -> None:
    sensor = parse_sensor("jsn_sr04t:uart1:datum_mm=5200:name=up")
    assert sensor == {"driver": "jsn_sr04t", "bus": "uart1", "datum_mm": 5200, "name": "up"}
    for text in ("jsn_sr04t", ":uart1", "jsn_sr04t:datum_mm=5", "a:b:c"):
        with pytest.raises(ConfigError):
            parse_sensor(text)


def test_every_driver_is_known_with_the_sort_of_bus_it_sits_at() -> None:
    assert {name: str(model.sample["bus"]).rstrip("0123456789") for name, model in MODELS.items()} == {
        name: bus.rstrip("0123456789") for name, bus in DRIVER_BUSES.items()
    }
    for kind in USUAL_SENSORS:
        check_order(check_order(Order(kind=kind)))


def test_what_looks_like_a_number_and_is_none_stays_a_text() -> None:
    found = [number_or_text(text) for text in ("-5", "0", "--5", "²", "", "1.5", "-")]
    assert found == [-5, 0, "--5", "²", "", "1.5", "-"]


def test_a_level_sensor_without_its_height_asks_for_it_with_an_example() -> None:
    sensors = check_order(Order(kind="water_level")).sensors
    with pytest.raises(ConfigError) as caught:
        with_datum(sensors, None)
    assert "--datum-mm 5200" in caught.value.remedy
    assert with_datum(sensors, 4800)[0]["datum_mm"] == 4800
    own = (parse_sensor("jsn_sr04t:uart1:datum_mm=5200"),)
    assert with_datum(own, 4800)[0]["datum_mm"] == 5200


def test_settings_hold_what_the_node_needs_and_no_empty_wifi() -> None:
    order = Order(kind="weather", sensors=(parse_sensor("bme280:i2c"),), period_s=30)
    access = Access(broker_host="broker.city", broker_port=8883, ntp_hosts=("ntp.city",))
    row = settings("cn-1", order, access)
    assert row["period_ms"] == 30_000 and row["ntp_hosts"] == ["ntp.city"] and "wifi_ssid" not in row
    assert settings("cn-1", Order(kind="soil"), access)["period_ms"] == 900_000


def test_a_registration_says_only_what_is_known() -> None:
    assert Order(kind="weather").registration() == {"kind": "weather"}
    told = Order(kind="weather", label_zh="河口", lat=31.2, lon=121.5, site="s").registration()
    assert told == {
        "kind": "weather", "label": {"en": "河口", "zh": "河口"}, "site": "s", "lat": 31.2, "lon": 121.5
    }  # fmt: skip


def test_the_firmware_knows_every_setting_that_is_written() -> None:
    source = Path(__file__).parents[3] / "firmware" / "lib" / "cityneuron" / "settings.py"
    known: set[str] = set()
    for statement in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) in (
            "_DEFAULTS",
            "_REQUIRED",
        ):
            value = statement.value
            known |= set(
                ast.literal_eval(value.args[0] if isinstance(value, ast.Call) else value)
            )  # const(...)
    access = Access(broker_host="b", broker_port=1, ntp_hosts=("n",), wifi_ssid="w", wifi_password="p")
    ours = settings("cn-1", Order(kind="weather", sensors=(parse_sensor("bme280:i2c"),)), access)
    assert {"node", "wifi_ssid", "ntp_hosts"} <= set(ours) <= known
