"""`dashboards check`: what is generated passes, and each way to break it is caught and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dashboards.build import DashboardError
from dashboards.check import check, judge
from dashboards.check.files import Files, read
from dashboards.check.influxql import faults, grouped_by, tokens
from dashboards.cli import app

Json = dict[str, Any]

GOOD = 'SELECT mean("level_m") FROM "water_level" WHERE $timeFilter'


def board() -> Json:
    """A small board that is as it should be, with one of everything that can be broken."""
    source = {"type": "influxdb", "uid": "cityneuron"}
    query = (
        'SELECT mean("level_m") AS "value" FROM "water_level" WHERE $timeFilter AND "node" =~ /^${node:regex}$/'
        ' GROUP BY time($__interval), "node" fill(none)'
    )
    target = {
        "refId": "A",
        "datasource": source,
        "rawQuery": True,
        "query": query,
        "resultFormat": "time_series",
        "alias": "$tag_node",
    }
    thresholds = {
        "mode": "absolute",
        "steps": [{"color": "green", "value": None}, {"color": "red", "value": 3.5}],
    }
    trend = {
        "id": 2,
        "type": "timeseries",
        "title": "Level",
        "description": "Water level, in metres, mean of each interval.",
        "datasource": source,
        "gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},
        "targets": [target],
        "fieldConfig": {
            "defaults": {
                "unit": "lengthm",
                "decimals": 2,
                "custom": {"drawStyle": "line"},
                "thresholds": thresholds,
                "links": [
                    {
                        "title": "Node",
                        "url": "/d/stations?${__url_time_range}&var-node=${__field.labels.node}",
                        "targetBlank": False,
                    }
                ],
            },
            "overrides": [],
        },
        "options": {
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
    closed = {**deepcopy(trend), "id": 4, "title": "Level again", "gridPos": {"x": 0, "y": 11, "w": 24, "h": 8}}
    return {
        "uid": "stations",
        "title": "Stations",
        "description": "The stations of the water network.",
        "tags": ["city-neuron"],
        "schemaVersion": 41,
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {
                    "type": "query",
                    "name": "node",
                    "label": "Node",
                    "datasource": source,
                    "query": 'SHOW TAG VALUES FROM "water_level" WITH KEY = "node" WHERE $timeFilter',
                    "refresh": 2,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                }
            ]
        },
        "annotations": {"list": []},
        "links": [
            {
                "title": "City",
                "type": "link",
                "url": "/d/city-en",
                "icon": "external link",
                "tooltip": "",
                "tags": [],
                "asDropdown": False,
                "targetBlank": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "panels": [
            {**row(1, 0), "panels": []},
            trend,
            {**row(3, 10), "collapsed": True, "panels": [closed]},
        ],
    }


def row(number: int, y: int) -> Json:
    return {
        "id": number,
        "type": "row",
        "title": f"Row {number}",
        "collapsed": False,
        "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
    }


def alerting() -> Json:
    """A small alert file that is as it should be."""
    asks = {
        "refId": "A",
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": "cityneuron",
        "model": {
            "refId": "A",
            "rawQuery": True,
            "query": f'{GOOD} GROUP BY time(1m), "node" fill(none)',
            "resultFormat": "time_series",
        },
    }
    reduces = {
        "refId": "B",
        "datasourceUid": "__expr__",
        "model": {
            "refId": "B",
            "type": "reduce",
            "expression": "A",
            "reducer": "last",
            "settings": {"mode": "dropNN"},
        },
    }
    decides = {
        "refId": "C",
        "datasourceUid": "__expr__",
        "model": {
            "refId": "C",
            "type": "threshold",
            "expression": "B",
            "conditions": [
                {
                    "evaluator": {"type": "gt", "params": [3.5]},
                    "unloadEvaluator": {"type": "lt", "params": [3.4]},
                }
            ],
        },
    }
    rule = {
        "uid": "level-high",
        "title": "Level high",
        "condition": "C",
        "data": [asks, reduces, decides],
        "dashboardUid": "stations",
        "panelId": 2,
        "noDataState": "OK",
        "execErrState": "Error",
        "for": "5m",
        "annotations": {"summary": "{{ $labels.node }} is at {{ $values.B }} m"},
        "labels": {"level": "red", "where": "{{ $$labels.node }}"},
        "isPaused": False,
    }
    return {
        "apiVersion": 1,
        "groups": [{"orgId": 1, "name": "water", "folder": "City Neuron", "interval": "1m", "rules": [rule]}],
        "contactPoints": [
            {
                "orgId": 1,
                "name": "duty",
                "receivers": [
                    {
                        "uid": "duty",
                        "type": "webhook",
                        "settings": {"url": "$DUTY_URL", "message": '{{ template "city" . }}'},
                    }
                ],
            }
        ],
        "policies": [
            {
                "orgId": 1,
                "receiver": "duty",
                "group_by": ["alertname"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "4h",
                "routes": [
                    {
                        "receiver": "duty",
                        "object_matchers": [["level", "=~", "red|orange"]],
                        "mute_time_intervals": ["nights"],
                    },
                    {"receiver": "duty", "object_matchers": [["where", "=", "gate-01"]]},
                ],
            }
        ],
        "muteTimes": [
            {
                "orgId": 1,
                "name": "nights",
                "time_intervals": [
                    {
                        "times": [{"start_time": "22:00", "end_time": "24:00"}],
                        "weekdays": ["monday:friday", "sunday"],
                        "location": "Asia/Shanghai",
                    }
                ],
            }
        ],
        "templates": [
            {
                "orgId": 1,
                "name": "city",
                "template": '{{ define "city" }}{{ range .Alerts }}x{{ end }}{{ end }}',
            }
        ],
    }


def files(board: Json, alerting: Json) -> Files:
    return Files(boards={"board.json": board}, alerting={"alerts.yaml": alerting})


# (what is broken, the path of keys to it, what is put there, what the fault must say)
P = ("panels", 1)
T = (*P, "targets", 0)
D = (*P, "fieldConfig", "defaults")
V = ("templating", "list", 0)
R = ("groups", 0, "rules", 0)
M = ("muteTimes", 0, "time_intervals", 0)
ROUTE = ("policies", 0, "routes", 0)
GONE = object()

OF_BOARDS: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("a board without a uid", ("uid",), GONE, "no usable uid"),
    ("a uid with a blank", ("uid",), "my board", "no usable uid"),
    ("a board without a title", ("title",), "", "has no title"),
    ("a board without a description", ("description",), "", "has no description"),
    ("a key that no board has", ("colour",), "red", "colour"),
    ("a text where a number belongs", ("graphTooltip",), "one", "graphTooltip"),
    ("a panel without a description", (*P, "description"), "", "has no description"),
    ("a panel without a title", (*P, "title"), "", "has no title"),
    ("a panel of a type that does not exist", (*P, "type"), "time-series", "'time-series'"),
    ("a unit that Grafana does not know", (*D, "unit"), "metres", "'metres'"),
    ("a panel without a unit", (*D, "unit"), GONE, "has no unit"),
    ("too many decimals", (*D, "decimals"), 12, "12 decimals"),
    ("decimals as a text", (*D, "decimals"), "2", "'2' decimals"),
    ("thresholds without a base", (*D, "thresholds", "steps", 0, "value"), 1.0, "without a base"),
    ("a threshold of no colour", (*D, "thresholds", "steps", 1, "color"), GONE, "color"),
    ("a panel over another", (*P, "gridPos", "y"), 0, "lies over"),
    ("a panel beyond the columns", (*P, "gridPos", "w"), 25, "ends at column 25"),
    ("a panel without a place", (*P, "gridPos"), GONE, "has no place"),
    ("an id given twice", (*P, "id"), 4, "has the id 4"),
    ("a panel in an open row", ("panels", 2, "collapsed"), False, "is no closed row"),
    ("a draw style that does not exist", (*D, "custom", "drawStyle"), "zigzag", "drawStyle"),
    ("an option misspelt", (*P, "options", "legends"), {}, "legends"),
    ("a legend as a text", (*P, "options", "legend"), "bottom", "SDK"),
    ("a data source that nothing provisions", (*T, "datasource", "uid"), "influx", "data source influx"),
    ("no query", (*T, "query"), "", "query is empty"),
    ("a panel that asks nothing", (*P, "targets"), [], "asks nothing"),
    ("a query that Grafana ignores", (*T, "rawQuery"), False, "rawQuery"),
    ("a key misspelt in a target", (*T, "resultFromat"), "table", "'resultFromat'"),
    ("a format that does not exist", (*T, "resultFormat"), "matrix", "'matrix'"),
    ("an alias by a tag that is not grouped", (*T, "alias"), "$tag_district", "tag district"),
    ("a variable that is not defined", (*P, "title"), "Level of $station", "uses $station"),
    ("a variable that is used by nothing", (*V, "name"), "nodes", "is used by nothing"),
    ("several values where one belongs", (*T, "query"), f"{GOOD} AND \"node\" = '$node'", "several values"),
    ("a variable without a query", (*V, "query"), "", "asks nothing"),
    ("a variable that is never asked again", (*V, "refresh"), 0, "never asked again"),
    ("a variable of no type", (*V, "type"), "choice", "'choice'"),
    ("a variable without a time filter", (*V, "query"), 'SHOW TAG VALUES WITH KEY = "node"', "no time filter"),
    ("a link that drops the variables", ("links", 0, "includeVars"), False, "does not carry the variables"),
    ("a link that drops the time", ("links", 0, "keepTime"), False, "does not carry the time"),
    ("a link to nowhere", ("links", 0, "url"), "/d/village", "the board village"),
    ("a data link without the time", (*D, "links", 0, "url"), "/d/stations?var-node=x", "without the time"),
    (
        "a data link without a variable",
        (*D, "links", 0, "url"),
        "/d/stations?${__url_time_range}",
        "without a variable",
    ),
    (
        "a data link with a variable that the target lacks",
        (*D, "links", 0, "url"),
        "/d/stations?${__url_time_range}&var-pole=x",
        "the variable pole",
    ),
]

OF_ALERTING: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("a key that Grafana ignores", (*R, "noDataSate"), "OK", "'noDataSate'"),
    ("a key in another spelling", (*R, "no_data_state"), "OK", "'no_data_state'"),
    ("no version of the file", ("apiVersion",), GONE, "apiVersion"),
    ("a number where a text belongs", (*R, "for"), 300, "the int 300"),
    ("no word on missing data", (*R, "noDataState"), GONE, "lacks noDataState"),
    ("a state that does not exist", (*R, "execErrState"), "Failing", "'Failing'"),
    ("a rule's uid too long", (*R, "uid"), "x" * 41, "no usable uid"),
    ("an interval beside the beat", ("groups", 0, "interval"), "15s", "every '15s'"),
    ("a group without a folder", ("groups", 0, "folder"), GONE, "lacks folder"),
    (
        "a variable in a rule's query",
        (*R, "data", 0, "model", "query"),
        f"{GOOD} AND \"node\" = '$node'",
        "uses $node",
    ),
    (
        "a query that bounds no time",
        (*R, "data", 0, "model", "query"),
        'SELECT last("v") FROM "w"',
        "bounds no time",
    ),
    ("a rule that asks for a table", (*R, "data", 0, "model", "resultFormat"), "table", "format 'table'"),
    (
        "a rule that asks an unknown store",
        (*R, "data", 0, "datasourceUid"),
        "prometheus",
        "data source prometheus",
    ),
    ("a range that ends before it begins", (*R, "data", 0, "relativeTimeRange", "to"), 900, "from 600 to 900"),
    ("a reducer that does not exist", (*R, "data", 1, "model", "reducer"), "newest", "'newest'"),
    ("values that are no numbers let through", (*R, "data", 1, "model", "settings"), GONE, "no numbers"),
    ("an expression of nothing", (*R, "data", 2, "model", "expression"), "D", "reads 'D'"),
    (
        "two conditions in a threshold",
        (*R, "data", 2, "model", "conditions"),
        [{"evaluator": {"type": "gt", "params": [1]}}] * 2,
        "2 conditions",
    ),
    (
        "a threshold that compares by nothing",
        (*R, "data", 2, "model", "conditions", 0, "evaluator", "type"),
        "above",
        "'above'",
    ),
    (
        "hysteresis the wrong way round",
        (*R, "data", 2, "model", "conditions", 0, "unloadEvaluator", "params"),
        [3.6],
        "leaves at 3.6",
    ),
    ("a rule decided by a query", (*R, "condition"), "A", "no threshold"),
    ("a rule decided by nothing", (*R, "condition"), "E", "'E'"),
    ("a label that no query gives", (*R, "annotations", "summary"), "{{ $labels.pole }}", "label pole"),
    ("a value that no step gives", (*R, "annotations", "summary"), "{{ $values.X }}", "value of X"),
    ("a label with a single dollar", (*R, "labels", "where"), "{{ $labels.node }}", "write $$"),
    ("an annotation with two", (*R, "annotations", "more"), "{{ $$labels.node }}", "says $$"),
    ("no summary", (*R, "annotations", "summary"), GONE, "no summary"),
    ("a board that is not there", (*R, "dashboardUid"), "village", "the board village"),
    ("a panel that is not there", (*R, "panelId"), 99, "panel 99"),
    ("a route to nobody", (*ROUTE, "receiver"), "police", "“police”"),
    ("a root to nobody", ("policies", 0, "receiver"), "police", "“police”"),
    ("a mute timing that is not there", (*ROUTE, "mute_time_intervals"), ["weekends"], "“weekends”"),
    ("a matcher without an operator", (*ROUTE, "object_matchers"), [["level", "red"]], "matcher"),
    ("a matcher that is no expression", (*ROUTE, "object_matchers"), [["level", "=~", "("]], "level=~("),
    ("a route that takes all", (*ROUTE, "object_matchers"), GONE, "never reached"),
    ("a route's key misspelt", (*ROUTE, "group_waits"), "30s", "'group_waits'"),
    ("a repeat that is no duration", ("policies", 0, "repeat_interval"), "4 hours", "'4 hours'"),
    ("repeats faster than groups", ("policies", 0, "repeat_interval"), "1m", "more often than it groups"),
    ("a contact point that tells nobody", ("contactPoints", 0, "receivers"), [], "tells nobody"),
    ("a receiver of no type", ("contactPoints", 0, "receivers", 0, "type"), "pigeon", "'pigeon'"),
    (
        "a webhook without an address",
        ("contactPoints", 0, "receivers", 0, "settings", "url"),
        GONE,
        "without url",
    ),
    ("weekdays that go backwards", (*M, "weekdays"), ["monday:sunday"], "goes backwards"),
    ("a weekday that does not exist", (*M, "weekdays"), ["mon"], "'mon'"),
    ("a night in one piece", (*M, "times", 0, "end_time"), "07:00", "before it begins"),
    ("an hour that does not exist", (*M, "times", 0, "end_time"), "25:00", "to 25:00"),
    ("a zone that does not exist", (*M, "location"), "Shanghai", "'Shanghai'"),
    ("a month that does not exist", (*M, "months"), ["13"], "'13'"),
    ("a day that does not exist", (*M, "days_of_month"), ["1:32"], "'1:32'"),
    (
        "a template that never ends",
        ("templates", 0, "template"),
        '{{ define "city" }}{{ if . }}x{{ end }}',
        "never ends",
    ),
    (
        "a template with a brace too few",
        ("templates", 0, "template"),
        '{{ define "city" }x{{ end }}',
        "without its",
    ),
    (
        "a template that is not defined",
        ("templates", 0, "template"),
        '{{ define "town" }}x{{ end }}',
        "“city”, which is not defined",
    ),
]


def broken(whole: Json, path: tuple[Any, ...], value: Any) -> Json:
    """Return the file with one thing in it changed, or gone."""
    inner: Any = whole
    for key in path[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return whole


def said(found: list[Any]) -> str:
    return "\n".join(f"{fault.file} {fault.where}: {fault.what} ({fault.remedy})" for fault in found)


def test_the_unbroken_files_pass() -> None:
    assert said(judge(files(board(), alerting()))) == ""


@pytest.mark.parametrize(
    ("path", "value", "expected"), [m[1:] for m in OF_BOARDS], ids=[m[0] for m in OF_BOARDS]
)
def test_a_broken_board_is_caught_and_the_fault_named(path: tuple[Any, ...], value: Any, expected: str) -> None:
    found = judge(files(broken(board(), path, value), alerting()))
    assert expected in said(found)
    assert all(fault.remedy and fault.where for fault in found)


@pytest.mark.parametrize(
    ("path", "value", "expected"), [m[1:] for m in OF_ALERTING], ids=[m[0] for m in OF_ALERTING]
)
def test_a_broken_alert_file_is_caught_and_the_fault_named(
    path: tuple[Any, ...], value: Any, expected: str
) -> None:
    found = judge(files(board(), broken(alerting(), path, value)))
    assert expected in said(found)
    assert all(fault.remedy and fault.file == "alerts.yaml" for fault in found)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a file, by its path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from places(one, (*path, key))


@pytest.mark.parametrize("value", [[[]], 1.5, {"a": [1]}, None], ids=["lists", "a number", "a table", "null"])
def test_a_value_of_any_type_anywhere_is_judged_and_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    monkeypatch.setenv("PATH", "")  # without amtool, which would be started for each
    for path in places(board()):
        judge(files(broken(board(), path, value), alerting()))
    for path in places(alerting()):
        judge(files(board(), broken(alerting(), path, value)))


def test_a_file_that_cannot_be_judged_keeps_no_other_from_being_judged() -> None:
    odd, plain = (
        broken(board(), ("links", 0, "tags"), [[]]),
        {**broken(board(), (*D, "unit"), "metres"), "uid": "others"},
    )
    text = said(judge(Files(boards={"odd.json": odd, "plain.json": plain})))
    assert "odd.json links: has a value of a type that cannot be judged" in text
    assert "plain.json panel 2 “Level”: has the unit 'metres'" in text


NOT_PORTABLE = {
    'CREATE DATABASE "city"': "says CREATE",
    'DROP MEASUREMENT "w"': "says DROP",
    'DELETE FROM "w" WHERE time < now()': "says DELETE",
    'SELECT mean("v") INTO "x" FROM "w" WHERE $timeFilter': "says INTO",
    'SELECT mean("v") FROM "w" WHERE $timeFilter GROUP BY "node" SLIMIT 5': "says SLIMIT",
    'SELECT sample("v", 3) FROM "w" WHERE $timeFilter': "calls sample()",
    'SELECT holt_winters(mean("v"), 3, 4) FROM "w" WHERE $timeFilter GROUP BY time(1h)': "calls holt_winters()",
    "SHOW SERIES": "says SHOW SERIES",
    "SHOW DATABASES": "says SHOW DATABASES",
    'SHOW TAG VALUES ON "city" WITH KEY = "node" WHERE $timeFilter': "says ON",
    "SHOW MEASUREMENTS WHERE time > now() - 1h": "which InfluxDB 1 refuses",
    'SELECT mean("v") FROM "city"."autogen"."w" WHERE $timeFilter': "names a database",
    'SELECT mean("v") FROM "city".."w" WHERE $timeFilter': "names a database",
    'SELECT mean("v") FROM "w" WHERE $timeFilter; SELECT 1': "several statements",
    'SELECT max(v) FROM (SELECT mean(v) AS v FROM (SELECT v FROM "w" WHERE $timeFilter))': "2 deep",
    'SELECT mean("v") FROM "w"': "bounds no time",
    'SELECT mean("v") FROM "w" WHERE "time_zone" = 3': "bounds no time",
    'SELECT mean("v") FROM "w" WHERE $timeFilter GROUP BY time(1h) fill(zero)': "fill(zero)",
    'SELECT mean("v") FROM "w" WHERE $timeFilter tz(\'Asia/Yangpu\')': "no time zone",
    'SELECT mean("v" FROM "w" WHERE $timeFilter': "parenthesis",
    'SELECT mean("v) FROM w WHERE $timeFilter': "cannot be read",
    'from(bucket: "city") |> range(start: -1h)': "cannot be read",
    'WITH x AS (SELECT 1) SELECT 1 FROM "w" WHERE $timeFilter': "begins with 'WITH'",
    "   ": "is empty",
}

PORTABLE = [
    GOOD,
    'SELECT 10 * log10(mean("e")) FROM (SELECT pow(10, "db" / 10) AS "e" FROM "noise" WHERE $timeFilter AND'
    ' "district" =~ /^${district:regex}$/ GROUP BY "node") WHERE $timeFilter'
    ' GROUP BY time($__interval), "node" fill(none)',
    'SELECT last("v") FROM /^water_.*/ WHERE time >= now() - 1h AND "a" !~ /x\\/y/ GROUP BY "node"',
    'SELECT mean("v") FROM "w" WHERE $timeFilter AND "note" = \'DROP; INTO\' GROUP BY time(1d) fill(-1)'
    " tz('Asia/Shanghai')",
    'SELECT "drop" AS "into" FROM "delete" WHERE time > 1700000000000ms LIMIT 10',
    'SHOW TAG VALUES WITH KEY = "district" WHERE $timeFilter',
    'SHOW TAG VALUES FROM "w" WITH KEY IN ("a", "b") WHERE time > now() - 7d AND "c" =~ /x/',
    "SHOW MEASUREMENTS",
]


@pytest.mark.parametrize("query", NOT_PORTABLE)
def test_a_query_that_not_every_influxdb_would_do_is_caught(query: str) -> None:
    assert NOT_PORTABLE[query] in "; ".join(faults(query))


@pytest.mark.parametrize("query", PORTABLE)
def test_a_portable_query_passes_whatever_its_texts_and_names_say(query: str) -> None:
    assert list(faults(query)) == []


@pytest.mark.parametrize("query", NOT_PORTABLE)
def test_a_query_is_judged_in_a_panel_and_in_a_rule_alike(query: str) -> None:
    panel = judge(files(broken(board(), (*T, "query"), query), alerting()))
    rule = judge(files(board(), broken(alerting(), (*R, "data", 0, "model", "query"), query)))
    assert any(fault.where == "panel 2 “Level” A" and NOT_PORTABLE[query] in fault.what for fault in panel)
    assert any(fault.where == "rule “Level high” A" and NOT_PORTABLE[query] in fault.what for fault in rule)


def test_a_query_is_cut_into_what_it_is_made_of() -> None:
    cut = [(token.kind, token.text) for token in tokens('a =~ /x y/ AND b / 2 > "c" -- d')]
    assert cut == [
        ("word", "a"),
        ("op", "=~"),
        ("regex", "/x y/"),
        ("word", "AND"),
        ("word", "b"),
        ("op", "/"),
        ("number", "2"),
        ("op", ">"),
        ("ident", '"c"'),
    ]


def test_the_tags_that_a_query_groups_by_are_found_at_every_level() -> None:
    inner = 'SELECT last("v") FROM "w" WHERE $timeFilter GROUP BY time(1m), "node", "district" fill(none)'
    assert grouped_by(inner) == {"node", "district"}
    assert grouped_by(f'SELECT sum("v") FROM ({inner}) WHERE "x" = 1 GROUP BY site ORDER BY time') == {
        "node",
        "district",
        "site",
    }


def test_two_folders_of_alert_files_are_two_choices_and_do_not_clash(tmp_path: Path) -> None:
    for choice in ("one", "other"):
        (tmp_path / choice).mkdir()
        (tmp_path / choice / "alerts.yaml").write_text(json.dumps(alerting()))
    (tmp_path / "board.json").write_text(json.dumps(board()))
    assert said(check([tmp_path])) == ""
    (tmp_path / "one" / "more.yaml").write_text(json.dumps({**alerting(), "policies": []}))
    assert "has the uid level-high" in said(check([tmp_path]))


def test_boards_that_share_a_uid_are_caught() -> None:
    assert "has the uid stations" in said(judge(Files(boards={"a.json": board(), "b.json": board()})))


def test_a_file_that_is_no_json_is_a_fault_and_the_others_are_judged(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps(broken(board(), ("title",), "")))
    (tmp_path / "c.yaml").write_text("- a: [")
    (tmp_path / "d.yaml").write_text("- a")
    text = said(check([tmp_path]))
    assert "a.json file: cannot be read" in text
    assert "b.json board: has no title" in text
    assert "c.yaml file: cannot be read" in text
    assert "d.yaml file: is not a table" in text


def test_data_sources_that_are_read_are_the_ones_that_may_be_asked(tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(json.dumps(board()))
    ours = "datasources: [{uid: mine, type: influxdb, jsonData: {version: InfluxQL, dbName: city}}]"
    (tmp_path / "sources.yaml").write_text(ours)
    assert "data source cityneuron, which nothing provisions" in said(check([tmp_path]))
    (tmp_path / "sources.yaml").write_text(
        "datasources: [{uid: cityneuron, type: influxdb, jsonData: {version: Flux}}]"
    )
    text = said(check([tmp_path]))
    assert "speaks 'Flux'" in text
    assert "names no database" in text


def test_the_command_says_each_fault_with_its_place_and_remedy_and_fails(tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(json.dumps(broken(board(), (*D, "unit"), "metres")))
    told = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert told.exit_code == 1
    assert "panel 2 “Level”: has the unit 'metres'" in told.output
    assert "dashboards/units.py" in told.output
    as_json = CliRunner().invoke(app, ["check", "--json", str(tmp_path)])
    assert as_json.exit_code == 1
    (fault,) = json.loads(as_json.stdout)
    assert fault["file"] == "board.json"
    assert "metres" in fault["what"]


def test_the_command_finds_nothing_wrong_with_what_is_generated() -> None:
    told = CliRunner().invoke(app, ["check"])
    assert told.output == "nothing is wrong\n"
    assert CliRunner().invoke(app, ["check", "--json"]).stdout.strip() == "[]"


def test_a_folder_that_is_not_there_or_empty_is_an_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="is not there"):
        read([tmp_path / "nowhere"])
    with pytest.raises(DashboardError, match="nothing to check"):
        read([tmp_path])


def test_amtool_reads_routes_mutes_and_templates_as_alertmanager_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards.check import amtool

    assert shutil.which("amtool"), "the tests need amtool: scripts/debian-packages"
    assert list(amtool.check(files(board(), alerting()))) == []
    breaks: list[Callable[[Json], Json]] = [
        lambda whole: broken(whole, (*M, "weekdays"), ["monday:sunday"]),
        lambda whole: broken(whole, (*ROUTE, "receiver"), "police"),
        lambda whole: broken(whole, (*ROUTE, "mute_time_intervals"), ["weekends"]),
        lambda whole: broken(whole, ("templates", 0, "template"), '{{ define "city" }}{{ nofunc }}{{ end }}'),
    ]
    for breaking in breaks:
        (fault,) = amtool.check(files(board(), breaking(alerting())))
        assert fault.what.startswith("amtool refuses it")
    monkeypatch.setenv("PATH", "")
    assert list(amtool.check(files(board(), breaks[0](alerting())))) == []
