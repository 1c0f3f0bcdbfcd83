"""Names: colours, properties, matchers, transformations, times. Of one it does not know Grafana is silent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dashboards.check.durations import is_zone
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.schemas import custom_keys
from dashboards.check.walk import annotation_queries, as_dict, as_dicts, panels, texts, variables

_HUES = ("red", "orange", "yellow", "green", "blue", "purple")
_SHADES = ("", "dark-", "semi-dark-", "light-", "super-light-")
_COLOURS = {f"{shade}{hue}" for hue in _HUES for shade in _SHADES}
_COLOURS |= {"transparent", "text", "white", "black", "gray", "grey", "panel-bg"}
_RGB = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|rgba?\([\d., %]+\)")

_PROPERTIES = frozenset(
    {"unit", "min", "max", "decimals", "displayName", "color", "noValue", "links", "mappings", "thresholds"}
    | {"filterable", "description", "actions", "fieldMinMax", "mappingsWithColor"}
)
_ANYWHERE = frozenset({"hideFrom", "hidden"})
_MATCHERS = frozenset(
    {"byName", "byNames", "byRegexp", "byRegexpOrNames", "byType", "byTypes", "byFrameRefID", "byValue"}
    | {"byIndex", "numeric", "time", "first", "firstTimeField", "anyMatch", "allMatch", "invertMatch"}
)
_TRANSFORMATIONS = frozenset(
    {"joinByField", "calculateField", "organize", "sortBy", "limit", "merge", "reduce", "filterFieldsByName"}
    | {"filterByRefId", "filterByValue", "filterFields", "filterFrames", "groupBy", "groupToNestedTable"}
    | {"groupingToMatrix", "joinByLabels", "labelsToFields", "seriesToRows", "concatenate", "convertFieldType"}
    | {"convertFrameType", "configFromData", "rowsToFields", "prepareTimeSeries", "partitionByValues"}
    | {"extractFields", "fieldLookup", "formatTime", "formatString", "histogram", "heatmap", "spatial"}
    | {"renameByRegex", "ensureColumns", "timeSeriesTable", "transpose", "regression", "seriesToColumns"}
    | {"smoothing"}
)
_CALCULATIONS = frozenset(
    {
        "lastNotNull",
        "last",
        "firstNotNull",
        "first",
        "min",
        "max",
        "mean",
        "median",
        "variance",
        "stdDev",
        "sum",
    }
    | {"count", "range", "delta", "step", "diff", "logmin", "allIsZero", "allIsNull", "changeCount"}
    | {"distinctCount", "diffperc", "allValues", "uniqueValues", "countAll"}
)
_GLOBALS = frozenset(
    {"__interval", "__interval_ms", "__rate_interval", "__from", "__to", "__range", "__range_s", "__range_ms"}
    | {"__user", "__org", "__dashboard", "__name", "__timeFilter", "__timezone", "__url_time_range", "__data"}
    | {"__all_variables", "__url", "__all", "__field", "__series", "__value", "__auto", "__searchFilter"}
)
_NAMED = re.compile(r"\$\{?(__\w+)")

_AGO = re.compile(r"now(?:[-+]\d+[smhdwMQy])?(?:/[smhdwMQy]|/f[Qy])?|\d{10,}|\d{4}-\d\d-\d\dT?.*")
_SPAN = re.compile(r"\d+(?:ms|[smhdwMy])")
_REFRESH = re.compile(r"|auto|\d+[smhd]|\d+ms")
_TIMES = ((("time", "from"), _AGO, "now-24h"), (("time", "to"), _AGO, "now"), (("refresh",), _REFRESH, "1m"))


def check(files: Files) -> Faults:
    """Look at every board, panel and annotation."""
    for name, board in files.boards.items():
        for what, remedy in (*_board(board), *_globals(board)):
            yield Fault(file=name, where="board", what=what, remedy=remedy)
        for where, panel in panels(board):
            for what, remedy in (*_panel(panel, board), *_globals(panel)):
                yield Fault(file=name, where=where, what=what, remedy=remedy)


def _board(board: Json) -> Iterator[tuple[str, str]]:
    for path, form, example in _TIMES:
        value: Any = board
        for key in path:
            value = as_dict(value).get(key)
        if isinstance(value, str) and not form.fullmatch(value):
            yield f"says {'.'.join(path)}: {value!r}", f"write it as {example}"
    zone = board.get("timezone")
    if zone not in (None, "", "browser", "utc") and not is_zone(str(zone)):
        yield (
            f"is in the time zone {zone!r}, which is none",
            "write browser, utc, or Asia/Shanghai",
        )
    for annotation in annotation_queries(board):
        yield from _colour(annotation.get("iconColor"))


def _globals(content: Json) -> Iterator[tuple[str, str]]:
    """Names that begin as Grafana's own do; a board's panels are looked at one by one."""
    own = {key: value for key, value in content.items() if key != "panels"}
    for found in sorted({name for _, text in texts(own) for name in _NAMED.findall(text)} - _GLOBALS):
        yield f"says ${found}, which Grafana does not fill in", f"it fills in {', '.join(sorted(_GLOBALS))}"


def _panel(panel: Json, board: Json) -> Iterator[tuple[str, str]]:
    config, options = as_dict(panel.get("fieldConfig")), as_dict(panel.get("options"))
    defaults = as_dict(config.get("defaults"))
    yield from _drawn(list(defaults.items()))
    for override in as_dicts(config.get("overrides")):
        matcher = as_dict(override.get("matcher")).get("id")
        if matcher not in _MATCHERS:
            yield (
                f"has an override by {matcher!r}, which matches nothing",
                f"use one of {_list(_MATCHERS)}",
            )
        properties = [(str(one.get("id")), one.get("value")) for one in as_dicts(override.get("properties"))]
        yield from _properties([key for key, _ in properties], str(panel.get("type")))
        yield from _drawn(properties)
    for step in as_dicts(panel.get("transformations")):
        if step.get("id") not in _TRANSFORMATIONS:
            yield (
                f"has the transformation {step.get('id')!r}, which Grafana lacks",
                f"use one of {_list(_TRANSFORMATIONS)}",
            )
    for part in ("reduceOptions", "legend"):
        for calc in as_dict(options.get(part)).get("calcs") or ():
            if calc not in _CALCULATIONS:
                yield (
                    f"reduces by {calc!r} in {part}",
                    f"use one of {_list(_CALCULATIONS)}",
                )
    yield from _span_of(panel, board)
    low, high = defaults.get("min"), defaults.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        yield f"reaches from {low} to {high}", "let max be over min"
    targets = as_dicts(panel.get("targets"))
    if targets and all(target.get("hide") for target in targets):
        yield "hides all that it asks", "show a target, or remove the panel"


def _span_of(panel: Json, board: Json) -> Iterator[tuple[str, str]]:
    """The panel's own times, and what it is repeated for."""
    for key in ("timeFrom", "timeShift", "interval"):
        value = panel.get(key)
        text = str(value).lstrip(">") if key == "interval" else str(value).removeprefix("now-")
        if value and "$" not in text and not _SPAN.fullmatch(text) and not _AGO.fullmatch(str(value)):
            yield f"says {key}: {value!r}", "write a span such as 30d, 1h or 5m"
    by = panel.get("repeat")
    if by and by not in {variable.get("name") for variable in variables(board)}:
        yield f"is repeated for ${by}, which the board does not define", "name a variable of the board"


def _properties(keys: list[str], kind: str) -> Iterator[tuple[str, str]]:
    for key in keys:
        first, _, rest = key.partition(".")
        known = custom_keys(kind)
        if first == "custom" and (rest.partition(".")[0] in known | _ANYWHERE or not known):
            continue
        if key not in _PROPERTIES:
            yield (
                f"overrides {key!r}, which Grafana does not read",
                f"it reads {_list(_PROPERTIES)} and custom.…",
            )


def _drawn(said: list[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    """Colours, wherever they stand; and ranges of a mapping that end before they begin or meet another."""
    for key, value in said:
        if key == "thresholds":
            for step in as_dicts(as_dict(value).get("steps")):
                yield from _colour(step.get("color"))
        elif key == "color":
            yield from _colour(as_dict(value).get("fixedColor"))
        elif key == "mappings":
            yield from _mappings(as_dicts(value))


def _mappings(mappings: list[Json]) -> Iterator[tuple[str, str]]:
    ranges: list[tuple[float, float]] = []
    for mapping in mappings:
        options = as_dict(mapping.get("options"))
        results = [options.get("result")] if "result" in options else list(options.values())
        for result in results:
            yield from _colour(as_dict(result).get("color"))
        if mapping.get("type") == "range":
            low, high = options.get("from"), options.get("to")
            ranges.append((float("-inf") if low is None else low, float("inf") if high is None else high))
    for at, (low, high) in enumerate(ranges):
        if low > high or any(low <= end and start <= high for start, end in ranges[:at]):
            yield f"maps from {low} to {high}, which is no range of its own", "let ranges rise and not meet"


def _colour(colour: Any) -> Iterator[tuple[str, str]]:
    if colour is not None and not (str(colour) in _COLOURS or _RGB.fullmatch(str(colour))):
        yield (
            f"has the colour {colour!r}, which Grafana lacks",
            f"use #rrggbb or one of {_list(_COLOURS)}",
        )


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
