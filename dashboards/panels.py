"""Panels: how a signal is drawn, with its unit, its description and its place on the 24 columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dashboards.signals import Signal, flagged
from dashboards.texts import Language, label, text
from dashboards.units import grafana_unit
from edge.model.kinds import Kind
from edge.model.quantities import QUANTITIES, Form
from edge.model.units import UNITS

Json = dict[str, Any]

SOURCE = {"type": "influxdb", "uid": "cityneuron"}
"""The data source that deploy/grafana provisions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel: `width` of 24 columns, `height` in grid rows; id and place are given by the row it is in."""

    type: str
    title: str
    description: str
    targets: tuple[Json, ...]
    unit: str
    decimals: int | None = None
    options: Json
    custom: Json = field(default_factory=dict)
    mappings: tuple[Json, ...] = ()
    overrides: tuple[Json, ...] = ()
    no_value: str = ""
    time_from: str = ""
    width: int = 12
    height: int = 8

    def wide(self, width: int, height: int) -> Panel:
        """Return the panel in another size."""
        return replace(self, width=width, height=height)

    def to_dict(self, panel_id: int, x: int, y: int) -> Json:
        """Return the panel as Grafana reads it."""
        defaults: Json = {"unit": self.unit, "custom": self.custom}
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        if self.mappings:
            defaults["mappings"] = list(self.mappings)
        if self.no_value:
            defaults["noValue"] = self.no_value
        panel: Json = {
            "id": panel_id,
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": list(self.targets),
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "options": self.options,
        }
        if self.time_from:
            panel["timeFrom"] = self.time_from
        return panel


def trend(signal: Signal, language: Language) -> Panel:
    """The course of a signal: a line a node (or district); a state as coloured bars."""
    quantity = signal.quantity
    form = "share" if signal.is_share else "rate" if signal.is_rate else "trend"
    as_bars = quantity.form is Form.STATE and not signal.is_share
    return Panel(
        type="state-timeline" if as_bars else "timeseries",
        title=_title(form, signal, language),
        description=describe(signal, language),
        targets=(_target(signal.trend(), alias=f"$tag_{signal.by}"),),
        unit="percent" if signal.is_share else grafana_unit(quantity.unit, per_hour=signal.is_rate),
        decimals=None if signal.is_rate or signal.is_share else quantity.decimals,
        options=_BARS if as_bars else _LINES,
        custom={"fillOpacity": 70, "lineWidth": 0} if as_bars else _line_style(signal),
        mappings=_yes_no(language) if as_bars else (),
        no_value=text("no_data", language),
    )


def latest(signal: Signal, language: Language) -> Panel:
    """A table of each node's newest value, the highest first."""
    quantity = signal.quantity
    titles = {name: text(name, language) for name in ("node", "district", "value")}
    return Panel(
        type="table",
        title=_title("latest", signal, language),
        description=text("latest_about", language, about=describe(signal, language)),
        targets=(_target(signal.latest(), table=True),),
        unit=grafana_unit(quantity.unit),
        decimals=quantity.decimals,
        options={
            "frameIndex": 0,
            "showHeader": True,
            "sortBy": [{"displayName": titles["value"], "desc": True}],
        },
        custom={"align": "auto", "inspect": False},
        mappings=_yes_no(language) if quantity.form is Form.STATE else (),
        overrides=(
            _override("Time", {"displayName": text("time", language), "unit": "dateTimeFromNow"}),
            *(_override(name, {"displayName": title}) for name, title in titles.items()),
        ),
        no_value=text("no_data", language),
    )


def quality(kind: Kind, language: Language) -> Panel:
    """How many values of a kind did not pass a check, by quantity."""
    names = {name: label(QUANTITIES[name], language) for name in kind.quantities}
    return Panel(
        type="timeseries",
        title=text("flagged", language, kind=label(kind, language)),
        description=text("flagged_about", language),
        targets=(_target(flagged(kind, names), alias="$col"),),
        unit="short",
        decimals=0,
        options=_LINES,
        custom={"drawStyle": "bars", "fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}},
        no_value="0",
    )


def heard(name: str, headlines: tuple[Signal, ...], language: Language) -> Panel:
    """How many nodes of a system reported in the last hour, a number a kind."""
    return Panel(
        type="stat",
        title=name,
        description=text("heard_about", language),
        targets=tuple(
            _target(signal.heard(), ref=chr(ord("A") + index), alias=label(signal.kind, language))
            for index, signal in enumerate(headlines)
        ),
        unit="short",
        decimals=0,
        options={
            "graphMode": "none",
            "colorMode": "none",
            "justifyMode": "auto",
            "textMode": "value_and_name",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
        no_value="0",
        time_from="1h",
    )


def describe(signal: Signal, language: Language) -> str:
    """Return what a reader must know of a signal: unit, range, resolution and how it was averaged."""
    quantity = signal.quantity
    how = "share" if signal.is_share else "rate" if signal.is_rate else quantity.mean.value
    if how == "last" and signal.by == "district":
        how = "arithmetic"
    shown = UNITS[quantity.unit].display
    return text(
        "about",
        language,
        quantity=label(quantity, language),
        unit=text("unit", language, unit=shown) if shown else "",
        low=_number(quantity.low),
        high=_number(quantity.high),
        resolution=_number(quantity.resolution),
        how=text(f"how_{how}", language),
    )


def _number(value: float) -> str:
    return f"{value:,.12g}"


def _title(key: str, signal: Signal, language: Language) -> str:
    quantity = label(signal.quantity, language)
    if language is Language.EN and not quantity[1:2].isupper():  # "water level", but "PM2.5" and "NO₂"
        quantity = quantity[0].lower() + quantity[1:] if quantity != "pH" else quantity
    return text(key, language, kind=label(signal.kind, language), quantity=quantity)


def _target(query: str, *, ref: str = "A", alias: str = "", table: bool = False) -> Json:
    return {
        "refId": ref,
        "datasource": SOURCE,
        "rawQuery": True,
        "query": query,
        "resultFormat": "table" if table else "time_series",
        "alias": alias,
    }


def _override(name: str, properties: Json) -> Json:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def _yes_no(language: Language) -> tuple[Json, ...]:
    return (
        {
            "type": "value",
            "options": {
                "0": {"text": text("off", language), "color": "dark-blue", "index": 0},
                "1": {"text": text("on", language), "color": "orange", "index": 1},
            },
        },
    )


def _line_style(signal: Signal) -> Json:
    # a gap of three periods breaks the line: silence must not look like a steady value
    gap_ms = int(signal.kind.period_s * 3000)
    return {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "auto", "insertNulls": gap_ms}


_LINES: Json = {
    "legend": {"calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
_BARS: Json = {
    "showValue": "never",
    "rowHeight": 0.9,
    "mergeValues": True,
    "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "single", "sort": "none"},
}
