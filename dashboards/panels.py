"""Panels: a drawing of what signals ask, with its unit, its description and its place on the 24 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dashboards.limits import CALM
from dashboards.signals import DAYS, HOURS, RAW, Signal
from dashboards.texts import Language, label, text
from edge.model.alert import Level
from edge.model.kinds import SYSTEMS, Kind, System
from edge.rules.rule import Rule

Json = dict[str, Any]

SOURCE: Json = {"type": "influxdb", "uid": RAW}
"""The data source of readings as they came; deploy/grafana provisions it and those of the roll-ups."""

SOURCES = (RAW, HOURS, DAYS)
Steps = list[dict[str, Any]]

LINES: Json = {
    "legend": {"calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
BARS: Json = {
    "showValue": "never",
    "rowHeight": 0.9,
    "mergeValues": True,
    "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
    "tooltip": {"mode": "single", "sort": "none"},
}
STACKED: Json = {"drawStyle": "bars", "fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}}
STATE_COLOURS = (CALM, "#a3b1c2", "#64748b", "purple", "#3f4a5a")
"""Of node states: colours of warnings are kept for warnings, so what is not heard fades to grey."""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What a board looks at: its language, the variables that narrow it, its system if it has one.

    place: (tag, variable) of readings, status and episodes. system: only this one's status and episodes.
    """

    language: Language
    place: tuple[tuple[str, str], ...] = (("district", "district"),)
    system: str = ""

    @property
    def only(self) -> tuple[tuple[str, str | int], ...]:
        """What status and episodes must be of."""
        return (("system", self.system),) if self.system else ()

    def say(self, key: str, **values: object) -> str:
        """Return a text in the view's language."""
        return text(key, self.language, **values)

    def to(self, name: str, **variables: str) -> str:
        """Return the address of another board, with the time shown and these variables."""
        given = "".join(f"&var-{key}={value}" for key, value in variables.items())
        return f"/d/{name}-{self.language}?${{__url_time_range}}&${{district:queryparam}}{given}"

    def to_node(self, kind: str = "${__data.fields.kind}", node: str = "${__data.fields.node}") -> Json:
        """Return the link that opens a node's own board."""
        return {"title": self.say("open_node"), "url": self.to(f"node-{kind}", node=node), "targetBlank": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A signal as a panel asks it; `alias` names its series."""

    signal: Signal
    alias: str = ""
    table: bool = False

    def to_dict(self, ref: str) -> Json:
        """Return the target as Grafana reads it."""
        return {
            "refId": ref,
            "datasource": source_of(self.signal),
            "rawQuery": True,
            "query": self.signal.query,
            "resultFormat": "table" if self.table else "time_series",
            "alias": self.alias,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel: `width` of 24 columns, `height` in grid rows; id and place are given by the row it is in."""

    type: str
    title: str
    description: str
    targets: tuple[Target, ...]
    unit: str
    decimals: int | None = None
    options: Json
    custom: Json = field(default_factory=dict)
    mappings: tuple[Json, ...] = ()
    overrides: tuple[Json, ...] = ()
    thresholds: Steps = field(default_factory=list)
    colour: str = ""
    links: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()
    bounds: tuple[float, float] | None = None
    no_value: str = ""
    time_from: str = ""
    interval: str = ""
    width: int = 12
    height: int = 8

    def sized(self, width: int, height: int) -> Panel:
        """Return the panel in another size."""
        return replace(self, width=width, height=height)

    def to_dict(self, panel_id: int, x: int, y: int) -> Json:
        """Return the panel as Grafana reads it."""
        panel: Json = {
            "id": panel_id,
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "datasource": source_of(self.targets[0].signal),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [target.to_dict(chr(ord("A") + index)) for index, target in enumerate(self.targets)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": self._overrides()},
            "options": self.options,
            "timeFrom": self.time_from,
            "interval": self.interval,
            "transformations": list(self.transformations),
        }
        return {key: value for key, value in panel.items() if value not in ("", []) or key == "targets"}

    def _overrides(self) -> list[Json]:
        """Links go to every field by an override: Grafana's schema knows no data link among the defaults."""
        every = {"matcher": {"id": "byRegexp", "options": "/.*/"}}
        return [
            *([{**every, "properties": [{"id": "links", "value": list(self.links)}]}] if self.links else []),
            *self.overrides,
        ]

    def _defaults(self) -> Json:
        low, high = self.bounds or (None, None)
        defaults: Json = {
            "unit": self.unit,
            "custom": self.custom,
            "decimals": self.decimals,
            "mappings": list(self.mappings) or None,
            "noValue": self.no_value or None,
            "min": low,
            "max": high,
            "thresholds": {"mode": "absolute", "steps": self.thresholds} if self.thresholds else None,
            "color": {"mode": self.colour} if self.colour else None,
        }
        return {key: value for key, value in defaults.items() if value is not None}


def source_of(signal: Signal) -> Json:
    """Return the reference to the data source that a signal asks."""
    return {"type": "influxdb", "uid": signal.source}


def override(name: str, **properties: object) -> Json:
    """Return the override of one field by its name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def system_names(language: Language) -> tuple[Json, ...]:
    """Return the names of series that are called by their system's."""
    return tuple(override(name, displayName=label(row, language)) for name, row in SYSTEMS.items())


def values(words: Iterable[tuple[int, str, str]]) -> tuple[Json, ...]:
    """Return a mapping of numbers to words and colours."""
    return (
        {
            "type": "value",
            "options": {
                str(number): {"text": word, "color": colour, "index": index}
                for index, (number, word, colour) in enumerate(words)
            },
        },
    )


def yes_no(language: Language) -> tuple[Json, ...]:
    """Return the words of a state that is on or off."""
    return values(((0, text("off", language), "dark-blue"), (1, text("on", language), "orange")))


def state_words(language: Language) -> tuple[Json, ...]:
    """Return the words and colours of a node's state."""
    return values((n, text(f"state_{n}", language), colour) for n, colour in enumerate(STATE_COLOURS))


def level_words(language: Language) -> tuple[Json, ...]:
    """Return the words and colours of alert levels."""
    return values((level, text(f"level_{level:d}", language), level.word) for level in Level)


def stat_options(*, coloured: str = "none", names: bool = True) -> Json:
    """Return how numbers are shown, with their names or without, coloured by value, background or not."""
    return {
        "graphMode": "none",
        "colorMode": coloured,
        "justifyMode": "auto",
        "textMode": "value_and_name" if names else "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }


def table(
    view: View,
    title: str,
    about: str,
    signals: Iterable[Signal],
    columns: Iterable[Json],
    *,
    order: str = "",
    **more: Any,
) -> Panel:
    """Return a table of what signals ask; `order`: the title of the column whose highest value stands first."""
    given: Json = {"unit": "none", "no_value": view.say("none"), **more}
    ordered = [{"displayName": order, "desc": True}] if order else []
    return Panel(
        type="table",
        title=title,
        description=about,
        targets=tuple(Target(signal=signal, table=True) for signal in signals),
        options={"frameIndex": 0, "showHeader": True, "sortBy": ordered},
        custom={"align": "auto", "inspect": False},
        overrides=tuple(columns),
        **given,
    )  # fmt: skip


def column(view: View, name: str, called: str = "", **properties: object) -> Json:
    """Return how a table shows a column; `called`: the key of its title, by default its own name."""
    return override(name, displayName=view.say(called or name), **properties)


def hidden(name: str) -> Json:
    """Return the override of a column that is asked for but not shown: links may name it."""
    return override(name, **{"custom.hidden": True})


def words(rows: Mapping[str, Kind | System | Rule], language: Language) -> list[Json]:
    """Return a mapping of what rows of the catalogue are called in the store to what people call them."""
    shown = {name: {"text": label(row, language), "index": n} for n, (name, row) in enumerate(rows.items())}
    return [{"type": "value", "options": shown}]


PAINTED: Json = {"custom.cellOptions": {"type": "color-background", "mode": "basic"}}
WRITTEN: Json = {"custom.cellOptions": {"type": "color-text"}}
"""A cell in the colour of its value, or its text alone."""
