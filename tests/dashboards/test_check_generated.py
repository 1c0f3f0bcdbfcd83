"""`dashboards check` against the files that are shipped: each slip of the pen in them is caught and named."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cloud.registry.models import COUNTS
from cloud.series.status import STAGES, Status, status_point
from cloud.stores.protocol import Latest
from dashboards.check import judge
from dashboards.check.catalogue import TAGS, WRITTEN
from dashboards.check.files import Files, read, standard
from edge.model.node import Node

Json = dict[str, Any]
SHIPPED = read(standard())
ALERTING = {name: content for name, content in SHIPPED.alerting.items() if "all-grafana" in name}

WATER, CITY, ALERTS = "water.en.json", "city.en.json", "alerts.en.json"
LEVEL, STATIONS = "Stage station: water level", "Stations: stage against their own marks"
STATES, OPEN, MAP = "Nodes by state", "What is on now", "Where the nodes are and how they are"
QUERY = ("targets", 0, "query")
DEFAULTS = ("fieldConfig", "defaults")
Change = Callable[[Any], Any]


def put(value: Any) -> Change:
    return lambda _: value


def swap(old: str, new: str) -> Change:
    def change(text: str) -> str:
        assert old in text, text
        return text.replace(old, new)

    return change


def override(name: str, *path: Any) -> tuple[Any, ...]:
    """The path into the override of a column."""
    return ("fieldConfig", "overrides", lambda one: one["matcher"]["options"] == name, *path)


def of(number: str) -> Change:
    return lambda one: one["id"] == number


LINK = (*override("/.*/"), "properties", 0, "value", 0, "url")
NOTE = ("annotations", "list", 0, "target")

# what is broken: (file, panel or "", path, the change, what the fault must say)
OF_BOARDS: dict[str, tuple[str, str, tuple[Any, ...], Change, str]] = {
    "a measurement misspelt": (WATER, LEVEL, QUERY, swap('FROM "water_level"', 'FROM "water_levels"'),
        "asks for 'water_levels', which nothing writes to cityneuron (ask for water_level"),
    "a field misspelt": (WATER, LEVEL, QUERY, swap('"level_m"', '"levle_m"'),
        "names 'levle_m', which water_level"),
    "a tag misspelt": (WATER, LEVEL, QUERY, swap('"district" =~', '"distrct" =~'), "names 'distrct'"),
    "a tag to group by misspelt": (WATER, LEVEL, QUERY, swap(', "node"', ', "nodes"'), "names 'nodes'"),
    "a macro misspelt": (WATER, LEVEL, QUERY, swap("$__interval", "$__intervall"), "uses $__intervall"),
    "a comparison by two signs": (CITY, STATES, QUERY, swap('"value" = 0', '"value" == 0'), "'=' after '='"),
    "a condition without its second part": (WATER, LEVEL, QUERY, swap(" GROUP", " AND GROUP"),
        "'GROUP' after 'AND'"),
    "a comma too many": (WATER, LEVEL, QUERY, swap(" FROM", ", FROM"), "'FROM' after ','"),
    "a comma before fill": (WATER, LEVEL, QUERY, swap(" fill", ", fill"), "'fill' after ','"),
    "a comma too few": (WATER, LEVEL, QUERY, swap(', "node"', ' "node"'), "directly after"),
    "a name that is not given": (WATER, LEVEL, QUERY, swap('AS "value"', "AS"), "'FROM' after 'AS'"),
    "an aggregate of an aggregate": (WATER, LEVEL, QUERY, swap('mean("level_m")', 'mean(max("level_m"))'),
        "calls max() within mean()"),
    "a field beside an aggregate": (WATER, LEVEL, QUERY, swap('AS "value"', 'AS "value", "battery_v"'),
        "mixes mean() with a column"),
    "time grouped without an aggregate": (WATER, LEVEL, QUERY, swap('mean("level_m")', '"level_m"'),
        "groups by time without an aggregate"),
    "a field in single quotes": (WATER, LEVEL, QUERY, swap('"level_m"', "'level_m'"), "of the text 'level_m'"),
    "a value in double quotes": (WATER, STATES, QUERY, swap("'water'", '"water"'), "names 'water'"),
    "metres drawn as millimetres": (WATER, LEVEL, (*DEFAULTS, "unit"), put("lengthmm"),
        "in the unit 'lengthmm'"),
    "metres drawn as degrees": (WATER, LEVEL, (*DEFAULTS, "unit"), put("celsius"), "in the unit 'celsius'"),
    "readings asked of the roll-ups": (WATER, LEVEL, ("targets", 0, "datasource", "uid"),
        put("cityneuron-days"),
        "names 'level_m', which water_level does not have (name level_m_"),
    "a panel and its target apart": (WATER, LEVEL, ("datasource", "uid"), put("cityneuron-days"),
        "asks cityneuron-days, and its target A asks cityneuron"),
    "an override of no column": (WATER, STATIONS, (*override("warning_m"), "matcher", "options"),
        put("warnig_m"),
        "an override of 'warnig_m', which is no column"),
    "an override by no matcher": (WATER, STATIONS, (*override("warning_m"), "matcher", "id"), put("byname"),
        "'byname', which matches nothing"),
    "an override of no property": (WATER, STATIONS, (*override("warning_m"), "properties", 0, "id"),
        put("displayname"), "overrides 'displayname'"),
    "an override of no custom property": (WATER, STATIONS, (*override("value"), "properties", 1, "id"),
        put("custom.minwidth"), "overrides 'custom.minwidth'"),
    "a transformation misspelt": (WATER, STATIONS, ("transformations", 0, "id"), put("joinByFeild"),
        "'joinByFeild'"),
    "a join by no column": (WATER, STATIONS, ("transformations", 0, "options", "byField"), put("nodes"),
        "calculates (joinByField) with 'nodes'"),
    "a difference to no column": (WATER, STATIONS, ("transformations", 1, "options", "binary", "left",
        "matcher", "options"), put("valu"), "calculates (calculateField) with 'valu'"),
    "an order by no column": (WATER, STATIONS, ("options", "sortBy", 0, "displayName"), put("Over"),
        "ordered by 'Over'"),
    "a map without latitudes": (CITY, MAP, ("options", "layers", 0, "location", "latitude"), put("latt"),
        "places its marks by 'latt'"),
    "a map coloured by nothing": (CITY, MAP, ("options", "layers", 0, "config", "style", "color", "field"),
        put("stat"), "draws the color of its marks by 'stat'"),
    "a threshold's colour misspelt": (CITY, MAP, (*DEFAULTS, "thresholds", "steps", 0, "color"), put("gren"),
        "the colour 'gren'"),
    "a mapping's colour misspelt": (CITY, MAP, (*override("state"), "properties", of("mappings"), "value", 0,
        "options", "0", "color"), put("#12345"), "the colour '#12345'"),
    "a calculation misspelt": (CITY, STATES, ("options", "reduceOptions", "calcs"), put(["lastNotNul"]),
        "reduces by 'lastNotNul' in reduceOptions"),
    "a legend's calculation misspelt": (WATER, LEVEL, ("options", "legend", "calcs"), put(["newest"]),
        "reduces by 'newest' in legend"),
    "the least over the greatest": (CITY, "Coverage", (*DEFAULTS, "min"), put(100), "reaches from 100 to 100"),
    "nothing that is shown": (WATER, LEVEL, ("targets", 0, "hide"), put(True), "hides all that it asks"),
    "a span of no length": (WATER, OPEN, ("timeFrom",), put("30 days"), "says timeFrom: '30 days'"),
    "an interval of no length": (WATER, LEVEL, ("interval",), put("hourly"), "says interval: 'hourly'"),
    "a panel repeated for nothing": (WATER, LEVEL, ("repeat",), put("nod"), "repeated for $nod"),
    "a link by no column": (ALERTS, OPEN, LINK, swap("fields.kind", "fields.knid"),
        "links by the column 'knid'"),
    "a link by a column of words": (ALERTS, OPEN, LINK, swap("fields.kind", "fields.kind_of"),
        "links by 'kind_of', whose values are mapped"),
    "a link by no label": (WATER, LEVEL, LINK, swap("labels.node", "labels.nod"), "links by the label 'nod'"),
    "a link with a macro misspelt": (WATER, LEVEL, LINK, swap("__url_time_range", "__url_time&from=1"),
        "$__url_time"),
    "a link to boards of another name": (ALERTS, OPEN, LINK, swap("/d/node-", "/d/nodes-"), "is not there"),
    "a menu of boards that nobody is on": (WATER, "", ("links", 2, "tags"), put(["city-neruon"]),
        "none has them"),
    "a variable that lists another tag": (WATER, "", ("templating", "list", 0, "query"),
        swap('KEY = "district"', 'KEY = "site"'), "lists the tag site, and is compared with district"),
    "a Chinese title on an English board": (WATER, LEVEL, ("title",), put("水位"),
        "says “水位” on a board in English"),
    "an English description on a Chinese board": ("water.zh.json", "", ("description",),
        put("The stages of all stations."), "on a board in Chinese"),
    "an English variable on a Chinese board": ("water.zh.json", "", ("templating", "list", 0, "label"),
        put("District"), "says “District” on a board in Chinese"),
    "an annotation's text misspelt": (WATER, "", (*NOTE, "textColumn"), put("titel"),
        "takes the text from 'titel'"),
    "an annotation's end misspelt": (WATER, "", (*NOTE, "timeEndColumn"), put("end"),
        "takes the end from 'end'"),
    "an annotation's tag misspelt": (WATER, "", (*NOTE, "tagsColumn"), put("node,rulle"),
        "takes tags from 'rulle'"),
    "an annotation's key misspelt": (WATER, "", (*NOTE, "textColum"), put("title_en"), "the key 'textColum'"),
    "an annotation without a text": (WATER, "", (*NOTE, "textColumn"), put(""), "shows no text"),
    "an annotation of no store": (WATER, "", ("annotations", "list", 0, "datasource", "uid"), put("x"),
        "source x"),
    "an annotation's colour misspelt": (WATER, "", ("annotations", "list", 0, "iconColor"), put("ornage"),
        "'ornage'"),
    "a time that is none": (WATER, "", ("time", "from"), put("now-24hours"), "says time.from: 'now-24hours'"),
    "a refresh that is none": (WATER, "", ("refresh",), put("1 minute"), "says refresh: '1 minute'"),
    "a zone that is none": (WATER, "", ("timezone",), put("Asia/Shangai"), "the time zone 'Asia/Shangai'"),
    "a variable of no tag": (WATER, "", ("templating", "list", 0, "query"), swap('"district"', '"distrct"'),
        "names 'distrct', which cityneuron does not have"),
    "a variable without a label": (WATER, "", ("templating", "list", 0, "label"), put(""), "has no label"),
}  # fmt: skip

RULES, POLICIES = "alerting/all-grafana/rules.yaml", "alerting/all-grafana/policies.yaml"
POINTS, TEMPLATES = "alerting/all-grafana/contact-points.yaml", "alerting/all-grafana/templates.yaml"
MUTES = "alerting/all-grafana/mute-timings.yaml"
FLOOD = ("groups", lambda one: one["name"] == "water", "rules", lambda one: one["uid"] == "cn-flood-red")
DUST = ("groups", lambda one: one["name"] == "environment", "rules", lambda one: one["uid"] == "cn-dust-blue")
ROUTES = ("policies", 0, "routes")
SUMMARY = (*FLOOD, "annotations", "summary")
SETTINGS = ("contactPoints", 0, "receivers", 0, "settings")
TEMPLATE = ("templates", 0, "template")


def step(rule: tuple[Any, ...], letter: str, *path: Any) -> tuple[Any, ...]:
    return (*rule, "data", lambda one: one["refId"] == letter, *path)


OF_ALERTING: dict[str, tuple[str, tuple[Any, ...], Change, str]] = {
    "a rule's measurement misspelt": (RULES, step(FLOOD, "A", "model", "query"), swap('"water_level"',
        '"waterlevel"'),
        "asks for 'waterlevel'"),
    "a rule's field misspelt": (RULES, step(FLOOD, "A", "model", "query"), swap('"level_m"', '"level"'),
        "names 'level'"),
    "a threshold of a series": (RULES, step(DUST, "C", "model", "expression"), put("A"), "a series, no number"),
    "a sum of a series": (RULES, step(FLOOD, "D", "model", "expression"), put("$A - $N"),
        "a series, no number"),
    "steps in a circle": (RULES, step(FLOOD, "B", "model", "expression"), put("C"),
        "reads 'C', which no step gives"),
    "a step called otherwise in its model": (RULES, step(FLOOD, "A", "model", "refId"), put("Z"),
        "says refId 'Z'"),
    "a look back shorter than a period": (RULES, step(FLOOD, "A", "relativeTimeRange", "from"), put(10),
        "looks 10 s back, and readings come every 60 s"),
    "a part of a text shown": (RULES, SUMMARY, put("{{ $value.B.Value }}"), "a part of $value"),
    "a variable misspelt": (RULES, SUMMARY, put("{{ $lables.node }}"), "shows $lables"),
    "a function misspelt": (RULES, SUMMARY, put("{{ humanizeDuraton $values.B.Value }}"),
        "calls humanizeDuraton"),
    "a rule that is made and deleted": (RULES, ("deleteRules",), put([{"orgId": 1, "uid": "cn-flood-red"}]),
        "deletes a rule that the files make"),
    "a matcher of a value that no rule has": (POLICIES, (*ROUTES, -2, "object_matchers"),
        put([["source", "=", "city"], ["level", "=", "yelow"]]),
        "matches level=yelow, which no rule's alerts have (the rules have level: blue"),
    "a matcher of a label that no rule has": (POLICIES, (*ROUTES, -2, "object_matchers"), put([["levl", "=",
        "red"]]),
        "matches levl=red"),
    "a route after one that takes the same": (POLICIES, (*ROUTES, -1, "object_matchers"),
        put([["source", "=", "city"], ["level", "=", "yellow"], ["system", "=", "water"]]),
        "is never reached: route"),
    "groups by a label that no rule has": (POLICIES, ("policies", 0, "group_by"), put(["rul"]),
        "groups by rul"),
    "an address that is none": (POINTS, (*SETTINGS, "addresses"), put("duty at city"), "writes to 'duty'"),
    "a setting misspelt": (POINTS, (*SETTINGS, "singelEmail"), put(True), "the setting 'singelEmail'"),
    "a template called with nothing": (POINTS, (*SETTINGS, "subject"), put('{{ template "city.subject" }}'),
        "with nothing to show"),
    "a template of a list that alerts lack": (TEMPLATES, TEMPLATE, swap(".Alerts.Firing", ".Alerts.Fireing"),
        "amtool cannot render"),
    "a template of an annotation that no rule has": (TEMPLATES, TEMPLATE, swap("summary_zh", "summary_cn"),
        "shows the annotation summary_cn"),
    "a mute timing of no interval": (MUTES, ("muteTimes", 0, "time_intervals"), put([]), "has no interval"),
    "a mute timing that never ends": (MUTES, ("muteTimes", 0, "time_intervals"), put([{}]), "mutes always"),
}  # fmt: skip


def changed(whole: Any, path: tuple[Any, ...], change: Change) -> None:
    """Change one thing: a path goes by key, by number, or by what an entry of a list is like."""
    for key in path[:-1]:
        whole = next(filter(key, whole)) if callable(key) else whole[key]
    whole[path[-1]] = change(whole.get(path[-1]) if isinstance(whole, dict) else whole[path[-1]])


def panel(board: Json, title: str) -> Any:
    every = [inner for item in board["panels"] for inner in (item, *item.get("panels", ()))]
    return next(one for one in every if one["title"] == title and one["type"] != "row")


def said(files: Files) -> str:
    return "\n".join(f"{fault.where}: {fault.what} ({fault.remedy})" for fault in judge(files))


@pytest.mark.parametrize("name", OF_BOARDS)
def test_a_slip_in_a_shipped_board_is_caught_and_named(name: str) -> None:
    file, title, path, change, expected = OF_BOARDS[name]
    board = deepcopy(SHIPPED.boards[file])
    changed(panel(board, title) if title else board, path, change)
    assert expected in said(Files(boards={file: board}, sources=SHIPPED.sources))


@pytest.mark.parametrize("name", OF_ALERTING)
def test_a_slip_in_a_shipped_alert_file_is_caught_and_named(name: str) -> None:
    file, path, change, expected = OF_ALERTING[name]
    content = deepcopy(ALERTING[file])
    changed(content, path, change)
    assert expected in said(Files(alerting={**ALERTING, file: content}, sources=SHIPPED.sources))


def test_steps_of_a_rule_may_stand_in_any_order() -> None:
    content = deepcopy(ALERTING[RULES])
    changed(content, (*FLOOD, "data"), lambda steps: steps[::-1])
    assert said(Files(alerting={**ALERTING, RULES: content}, sources=SHIPPED.sources)) == ""


def test_what_the_check_takes_the_cloud_to_write_is_what_it_writes() -> None:
    place = {"lat": 31.27, "lon": 121.53, "gateway": "gw-1", "stages": dict.fromkeys(STAGES, 3.0)}
    node = Node(
        id="ys-01", kind="water_level", site="ys", district="yangpu", label_en="a", label_zh="b", **place
    )
    newest = Latest(node=node.id, kind=node.kind, time_ns=0, values={})
    point = status_point(Status(node, 0, False), newest, dict.fromkeys(COUNTS, 1), 1_000)
    written = {name for name, _ in (*point.tags, *point.fields)}
    assert written - TAGS == WRITTEN["cityneuron"]["node_status"]
