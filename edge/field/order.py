"""What is ordered: a node of a kind, its place and sensors; and the settings that make a board that node."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.node import node_id

Sensor = Mapping[str, Any]

USUAL_SENSORS: Mapping[str, tuple[str, ...]] = {
    "water_level": ("jsn_sr04t:uart1", "ds18b20:onewire"),
    "manhole": ("jsn_sr04t:uart1",),
    "rain_gauge": ("rain:pin1:tip_um=200",),
    "air_quality": ("pms5003:uart1", "bme280:i2c"),
    "weather": ("bme280:i2c", "bh1750:i2c"),
    "noise": ("noise:adc1",),
    "structure": ("mpu6050:i2c:axis=x",),
    "power_meter": ("pzem004t:uart1",),
    "charging_pile": ("pzem004t:uart1",),
    "streetlight": ("pzem004t:uart1",),
}
"""What is fitted to a kind unless somebody says otherwise: driver:bus."""

DRIVER_BUSES: Mapping[str, str] = {
    "battery": "adc", "bh1750": "i2c", "bme280": "i2c", "contact": "pin", "ds18b20": "onewire", "ina226": "i2c",
    "jsn_sr04t": "uart", "level_4_20ma": "adc", "level_rs485": "uart", "maxbotix": "uart", "mhz19": "uart",
    "mpu6050": "i2c", "noise": "adc", "pms5003": "uart", "pzem004t": "uart", "rain": "pin", "scd4x": "i2c",
    "sds011": "uart", "sps30": "i2c",
}  # fmt: skip
"""The drivers, and at which sort of bus each sits: what a board would say after a minute of flashing."""

_LEVEL = ("jsn_sr04t", "maxbotix")
_LEAST_PERIOD_S, _MOST_PERIOD_S = 0.02, 86_400.0  # what the firmware takes
_INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One node to be. Empty texts are left to the cloud: an id is made of the chip's number there."""

    kind: str
    id: str = ""
    label_en: str = ""
    label_zh: str = ""
    site: str = ""
    district: str = ""
    lat: float | None = None
    lon: float | None = None
    gateway: str = ""
    sensors: tuple[Sensor, ...] = ()
    period_s: float | None = None

    def registration(self) -> dict[str, object]:
        """Return what the cloud is told of the node and its place."""
        names = {"en": self.label_en or self.label_zh, "zh": self.label_zh or self.label_en}
        label = names if names["en"] else {}
        told: dict[str, object] = {
            "kind": self.kind,
            "id": self.id,
            "label": label,
            "site": self.site,
            "district": self.district,
            "lat": self.lat,
            "lon": self.lon,
            "gateway": self.gateway,
        }
        return {name: value for name, value in told.items() if value not in ("", None, {})}


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How the node reaches its broker: what the cloud answered, and the Wi-Fi of the place."""

    broker_host: str
    broker_port: int
    broker_tls: bool = True
    ntp_hosts: tuple[str, ...] = ()
    wifi_ssid: str = ""
    wifi_password: str = ""


def check_order(order: Order) -> Order:
    """Return the order with its usual sensors filled in, or raise ConfigError."""
    if order.kind not in KINDS:
        raise ConfigError(f"unknown kind {order.kind!r}", remedy=f"one of {', '.join(KINDS)}")
    if order.id:
        node_id(order.id)
    if (order.lat is None) != (order.lon is None):
        raise ConfigError("lat without lon, or lon without lat", remedy="give both, in degrees (WGS 84)")
    for name, value, limit in (("lat", order.lat, 90), ("lon", order.lon, 180)):
        if value is not None and not -limit <= value <= limit:
            raise ConfigError(f"{name} {value} is not within ±{limit}", remedy="give degrees, WGS 84")
    if order.period_s is not None and not _LEAST_PERIOD_S <= order.period_s <= _MOST_PERIOD_S:
        raise ConfigError(
            f"a period of {order.period_s:g} s",
            remedy=f"give {_LEAST_PERIOD_S:g} to {_MOST_PERIOD_S:g} seconds",
        )
    for sensor in order.sensors:
        _check_sensor(sensor)
    if order.sensors:
        return order
    usual = USUAL_SENSORS.get(order.kind)
    if usual is None:
        raise ConfigError(
            f"a {order.kind} has no usual sensor", remedy="say what is fitted: --sensor DRIVER:BUS[:name=value]"
        )
    return replace(order, sensors=tuple(parse_sensor(text) for text in usual))


def _check_sensor(sensor: Sensor) -> None:
    driver, bus = str(sensor["driver"]), str(sensor["bus"])
    wanted = DRIVER_BUSES.get(driver)
    if wanted is None:
        raise ConfigError(f"no driver {driver!r}", remedy=f"one of {', '.join(DRIVER_BUSES)}")
    if bus.rstrip("0123456789") != wanted.rstrip("0123456789"):
        raise ConfigError(f"{driver} sits at no {bus!r}", remedy=f"its wires go to {wanted}: docs/hardware.md")


def parse_sensor(text: str) -> Sensor:
    """Read `driver:bus[:name=value...]`, as jsn_sr04t:uart1:datum_mm=5200. Raises ConfigError."""
    driver, *rest = text.split(":")
    bus, options = (rest[0], rest[1:]) if rest else ("", [])
    if not driver or not bus or "=" in bus:
        raise ConfigError(
            f"sensor {text!r} is not driver:bus", remedy="write it like jsn_sr04t:uart1:datum_mm=5200"
        )
    sensor: dict[str, Any] = {"driver": driver, "bus": bus}
    for option in options:
        name, mark, value = option.partition("=")
        if not mark or not name:
            raise ConfigError(f"sensor {text!r}: {option!r} is not name=value")
        sensor[name] = number_or_text(value)
    return sensor


def number_or_text(value: str) -> int | str:
    """Return what somebody typed as the integer that it is, else as it stands."""
    return int(value) if _INTEGER.fullmatch(value) else value


def with_datum(sensors: Sequence[Sensor], datum_mm: int | None) -> tuple[Sensor, ...]:
    """Return the sensors, those of a level with their height over the gauge's zero. Raises ConfigError."""
    found = []
    for sensor in sensors:
        if sensor["driver"] in _LEVEL and "datum_mm" not in sensor:
            if datum_mm is None:
                raise ConfigError(
                    f"{sensor['driver']} needs its height over the gauge's zero",
                    remedy="measure from the sensor's face to the zero, in mm: --datum-mm 5200",
                )
            sensor = {**sensor, "datum_mm": datum_mm}
        found.append(sensor)
    return tuple(found)


def settings(node: str, order: Order, access: Access) -> dict[str, object]:
    """Return settings.json of the node."""
    period_s = order.period_s or KINDS[order.kind].period_s
    chosen: dict[str, object] = {
        "node": node,
        "kind": order.kind,
        "period_ms": round(period_s * 1000),
        "broker_host": access.broker_host,
        "broker_port": access.broker_port,
        "broker_tls": access.broker_tls,
        "sensors": [dict(sensor) for sensor in order.sensors],
    }
    if access.wifi_ssid:
        chosen |= {"wifi_ssid": access.wifi_ssid, "wifi_password": access.wifi_password}
    if access.ntp_hosts:
        chosen["ntp_hosts"] = list(access.ntp_hosts)
    return chosen
