"""The [alerts] table of cloud.toml: channels, routes, escalation, and how long things wait for one another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

from cloud.alerts.routes import Escalation, Route, read_escalation, read_route
from edge.model.alert import Level
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsConfig:
    """Whom the cloud tells of alerts, and when.

    group_wait_s: how long what is slow anyway (`slow`: signals such as silence) waits to be told together.
    group_window_s: within it, more of the same rule and district is gathered into one message. settle_s: how
    long something must be over before that is told; what comes back meanwhile is no new event. lost_after_s:
    without a report for so long a gateway is lost. return_grace_s: how long its nodes then have to be heard.
    tell_within_h: what began longer ago is history when it becomes known. keep_days: how long ended alerts
    and their audit are kept.
    """

    channels_file: Path | None = None
    rules_files: tuple[Path, ...] = ()
    url: str = ""
    routes: tuple[Route, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    fallback: tuple[str, ...] = ()
    slow: tuple[str, ...] = ("silence_s", "doubt_s", "clock_qc", "battery_v", "rssi_dbm")
    group_wait_s: float = 5.0
    group_window_s: float = 60.0
    settle_s: float = 300.0
    lost_after_s: float = 60.0
    lost_level: Level = Level.ORANGE
    return_grace_s: float = 120.0
    tell_within_h: float = 24.0
    keep_days: float = 1_095.0

    def check_channels(self, known: Collection[str]) -> None:
        """Raise ConfigError if a channel is named that there is not."""
        named = [route.channels for route in self.routes] + [row.channels for row in self.escalations]
        for name in (*chain.from_iterable(named), *self.fallback):
            if name not in known:
                listed = ", ".join(sorted(known)) or "none; set channels_file"
                raise ConfigError(f"[alerts]: there is no channel {name!r}", remedy=f"known are: {listed}")


_NUMBERS: dict[str, tuple[float, float]] = {
    "group_wait_s": (0, 300),
    "group_window_s": (0, 3_600),
    "settle_s": (0, 86_400),
    "lost_after_s": (5, 86_400),
    "return_grace_s": (0, 3_600),
    "tell_within_h": (0.1, 8_760),
    "keep_days": (1, 36_500),
}
_TEXTS = ("channels_file", "url", "lost_level")
_LISTS = ("rules_files", "fallback", "slow")


def read_alerts(table: object, place: str, base: Path) -> AlertsConfig:
    """Read the [alerts] table; raise ConfigError. Files are looked for beside `base`."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place}: alerts is not a table", remedy="write [alerts]")
    known = (*_TEXTS, *_LISTS, *_NUMBERS, "route", "escalation")
    for key in table:
        if key not in known:
            raise ConfigError(f"{place}: alerts.{key} is not known", remedy=f"known are: {', '.join(known)}")
    given: dict[str, Any] = {key: _number(table, key, place) for key in _NUMBERS if key in table}
    given |= {key: _text(table, key, place) for key in _TEXTS if key in table}
    given |= {key: _list(table, key, place) for key in _LISTS if key in table}
    if "channels_file" in given:
        given["channels_file"] = base / given["channels_file"]
    if "rules_files" in given:
        given["rules_files"] = tuple(base / name for name in given["rules_files"])
    if "lost_level" in given:
        given["lost_level"] = Level.of(given["lost_level"])
    given["routes"] = tuple(
        read_route(row, f"{place}: [[alerts.route]] {number}")
        for number, row in enumerate(_tables(table, "route", place), 1)
    )
    given["escalations"] = tuple(
        read_escalation(row, f"{place}: [[alerts.escalation]] {number}")
        for number, row in enumerate(_tables(table, "escalation", place), 1)
    )
    return AlertsConfig(**given)


KEYS = frozenset(field.name for field in fields(AlertsConfig)) - {"routes", "escalations"}
"""The plain keys of the table."""


def _number(table: Mapping[str, Any], key: str, place: str) -> float:
    value, (low, high) = table[key], _NUMBERS[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"{place}: alerts.{key} {value!r} is out of range", remedy=f"use {low:g} to {high:g}")
    return float(value)


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    if not isinstance(table[key], str):
        raise ConfigError(f"{place}: alerts.{key} must be a text")
    return str(table[key])


def _list(table: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = table[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{place}: alerts.{key} is no list of texts", remedy=f'write {key} = ["..."]')
    return tuple(value)


def _tables(table: Mapping[str, Any], key: str, place: str) -> list[object]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"{place}: alerts.{key} is no list of tables", remedy=f"write [[alerts.{key}]]")
    return value
