"""The boards: complete, valid, without overlap, current, and every query answers on a real InfluxDB."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import servers
from jsonschema_rs import Draft7Validator

from dashboards import build
from dashboards.boards import Board, boards
from dashboards.iaqi import iaqi_of
from dashboards.limits import limits, steps
from dashboards.panels import SOURCES
from dashboards.rows import SPECIAL
from dashboards.signals import DAYS, HOURS, STATUS, Ask, Signal, course
from dashboards.texts import TEXTS, Language
from dashboards.units import grafana_unit
from edge.model.errors import CityError
from edge.model.kinds import KINDS, SYSTEMS
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES, Form, Mean
from edge.model.units import UNITS
from edge.protocol.series import SeriesWriter, encode_point, series_head
from edge.rules.aqi import TABLE, iaqi

Json = dict[str, Any]
ALL: dict[str, Board] = {board.uid: board for board in boards()}
BOARDS: dict[str, Json] = {uid: board.to_dict() for uid, board in ALL.items()}
MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
DISTRICT = "杨浦 Yangpu"
DATABASES = dict(zip(SOURCES, ("city", "city_hours", "city_days"), strict=True))


def all_panels(board: Json) -> list[Json]:
    """Every panel, in open rows and in collapsed ones."""
    found = []
    for item in board["panels"]:
        found += item["panels"] if item["type"] == "row" else [item]
    return found


def rows_and_panels(board: Json) -> Iterator[tuple[str, Json]]:
    """Every panel with the title of the row that it stands in."""
    title = ""
    for item in board["panels"]:
        if item["type"] != "row":
            yield title, item
            continue
        title = item["title"]
        for panel in item["panels"]:
            yield title, panel


# --- files


def test_the_generated_files_are_what_the_catalogue_says() -> None:
    build.check()


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert build.write(tmp_path) == sorted(build.files())
    assert build.write(tmp_path) == []


def test_a_changed_an_absent_and_a_foreign_file_are_drift_and_building_repairs_it(tmp_path: Path) -> None:
    build.write(tmp_path)
    (tmp_path / "city.zh.json").write_text("{}")
    (tmp_path / "city.en.json").unlink()
    (tmp_path / "old.json").write_text("{}")
    with pytest.raises(CityError, match=r"city\.en\.json, city\.zh\.json, old\.json"):
        build.check(tmp_path)
    build.write(tmp_path)
    build.check(tmp_path)


def test_a_file_holds_the_board_and_a_line_a_panel() -> None:
    for board in ALL.values():
        text = build.render(board)
        assert json.loads(text) == board.to_dict()
        assert len(text.splitlines()) > len(board.to_dict()["panels"])


# --- what there is


def test_every_system_has_a_board_and_every_kind_of_node_one_of_its_own() -> None:
    names = {board.name for board in ALL.values()}
    expected = {"city", "site", "pipeline", "alerts"}
    expected |= {name for name in SYSTEMS if name != "network"} | {f"node-{name}" for name in KINDS}
    assert names == expected
    assert len(ALL) == len(boards()) == 2 * len(names)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_quantity_is_drawn_on_the_board_of_its_system_and_on_that_of_its_node(kind: Any) -> None:
    for language in Language:
        system = "pipeline" if kind.system == "network" else kind.system
        for name in (f"node-{kind.name}-{language}", f"{system}-{language}"):
            drawn = {
                s.quantity
                for s in signals(ALL[name])
                if s.kind == kind.name and s.over and s.source == "cityneuron"
            }
            assert drawn >= set(kind.known if name.startswith("node-") else kind.quantities), name
        forms = {s.form for s in signals(ALL[f"node-{kind.name}-{language}"])}
        assert forms >= {Ask.FLAGGED, Ask.STATUS, Ask.EPISODES, Ask.EPISODE_COUNT, Ask.ROLLED}


def signals(board: Board) -> list[Signal]:
    return [target.signal for panel in board.panels for target in panel.targets]


def test_both_languages_have_the_same_boards_and_ask_the_same() -> None:
    for name in {board.name for board in ALL.values()}:
        chinese, english = ALL[f"{name}-zh"], ALL[f"{name}-en"]
        assert [row.collapsed for row in chinese.rows] == [row.collapsed for row in english.rows]
        for one, other in zip(chinese.panels, english.panels, strict=True):
            assert (one.type, one.width, one.height, one.unit) == (
                other.type,
                other.width,
                other.height,
                other.unit,
            )
            asked = [
                [(t.signal.form, t.signal.kind, t.signal.quantity, t.signal.by) for t in p.targets]
                for p in (one, other)
            ]
            assert asked[0] == asked[1]


def test_english_boards_hold_no_chinese_and_chinese_ones_are_chinese() -> None:
    for uid, board in BOARDS.items():
        words = json.dumps({**board, "links": []}, ensure_ascii=False)
        if uid.endswith("-en"):
            assert not re.search("[\u4e00-\u9fff]", words), uid
        else:
            for panel in all_panels(board):
                assert re.search("[\u4e00-\u9fff]", panel["description"]), (uid, panel["title"])
    assert all(english != "" and chinese != "" for english, chinese in TEXTS.values())


def test_every_text_is_said_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    said = set()

    class Listening(dict[str, tuple[str, str]]):
        def __getitem__(self, key: str) -> tuple[str, str]:
            said.add(key)
            return super().__getitem__(key)

    monkeypatch.setattr("dashboards.texts.TEXTS", Listening(TEXTS))
    for board in boards():
        board.to_dict()
    assert said == set(TEXTS)


def test_no_board_is_called_like_another_of_its_language() -> None:
    for language in Language:
        titles = [board.title for board in ALL.values() if board.language is language]
        assert len(set(titles)) == len(titles)


def test_what_only_one_system_has_belongs_to_a_system_that_is_there() -> None:
    assert set(SPECIAL) <= set(SYSTEMS)


# --- each panel


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_says_what_it_shows_in_which_unit_and_from_which_source(uid: str) -> None:
    for panel in all_panels(BOARDS[uid]):
        assert len(panel["description"]) >= 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] in SOURCES
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["query"]
            for tag in re.findall(r"\$tag_(\w+)", target["alias"]):
                assert f'"{tag}"' in target["query"].rpartition("GROUP BY")[2]


@pytest.mark.parametrize("uid", BOARDS)
def test_no_title_is_given_twice_in_a_row_and_no_panel_id(uid: str) -> None:
    board = BOARDS[uid]
    titles = [(row, panel["title"]) for row, panel in rows_and_panels(board)]
    assert len(set(titles)) == len(titles), [title for title in titles if titles.count(title) > 1]
    ids = [panel["id"] for panel in all_panels(board)]
    ids += [item["id"] for item in board["panels"] if item["type"] == "row"]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("uid", BOARDS)
def test_nothing_overlaps_and_nothing_leaves_the_24_columns(uid: str) -> None:
    top = BOARDS[uid]["panels"]
    for container in (top, *(item["panels"] for item in top if item["type"] == "row")):
        places = [item["gridPos"] for item in container]
        assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
        for one, other in combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or below, (one, other)


def test_an_open_row_holds_nothing_and_only_the_long_term_asks_the_roll_ups() -> None:
    for board in ALL.values():
        for item in board.to_dict()["panels"]:
            assert item["type"] != "row" or item["collapsed"] == bool(item["panels"])
        for row in board.rows:
            of_rollups = {t.signal.source for panel in row.panels for t in panel.targets} & {HOURS, DAYS}
            long_term = row.title in TEXTS["long_term"]
            assert bool(of_rollups) == long_term
            assert row.collapsed or not long_term


def test_every_unit_of_the_catalogue_has_a_grafana_unit() -> None:
    for unit in UNITS:
        assert grafana_unit(unit)
        assert grafana_unit(unit, per_hour=True)


@pytest.mark.parametrize("uid", BOARDS)
def test_the_boards_are_valid_by_grafanas_own_schemas(uid: str, validators: dict[str, Draft7Validator]) -> None:
    validators["dashboard"].validate(BOARDS[uid])
    for panel in all_panels(BOARDS[uid]):
        name = panel["type"].replace("-", "")
        validators[f"{name} Options"].validate(panel["options"])
        if f"{name} FieldConfig" in validators:
            validators[f"{name} FieldConfig"].validate(panel["fieldConfig"]["defaults"]["custom"])


@pytest.fixture(scope="module")
def validators(shared_data: Path) -> dict[str, Draft7Validator]:
    """A validator of dashboards, and of every panel's options and style where it has one."""

    def validator(name: str, part: str) -> Draft7Validator:
        schema = json.loads((shared_data / "grafana-json-schema" / f"{name}.jsonschema.json").read_text())
        # Both may be anything in Grafana ("byName" takes a text); the schema's generator wrote `object`.
        for definition, open_property in (("DynamicConfigValue", "value"), ("MatcherConfig", "options")):
            if definition in schema["definitions"]:
                schema["definitions"][definition]["properties"][open_property] = {}
        return Draft7Validator({**schema, "$ref": f"#/definitions/{part}"})

    found = {"dashboard": validator("dashboard", "Dashboard")}
    for name in ("timeseries", "statetimeline", "stat", "table", "geomap"):
        found[f"{name} Options"] = validator(name, "Options")
        if name not in ("stat", "geomap"):
            found[f"{name} FieldConfig"] = validator(name, "FieldConfig")
    return found


# --- variables and links


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_is_there_and_is_used(uid: str) -> None:
    board = BOARDS[uid]
    defined = [variable["name"] for variable in board["templating"]["list"]]
    text = json.dumps({**board, "links": []})
    used = set(re.findall(r"\$\{(\w+):(?:regex|queryparam)\}", text))
    assert used == set(defined)
    for variable in board["templating"]["list"]:
        assert "WHERE $timeFilter" in variable["query"] and variable["refresh"] == 2


def test_every_link_leads_to_a_board_that_is_there_with_variables_and_time() -> None:
    kinds = set(KINDS)
    for uid, board in BOARDS.items():
        for link in board["links"]:
            assert link["includeVars"] and link["keepTime"]
            if link["type"] == "link":
                assert link["url"].removeprefix("/d/") in BOARDS
            else:
                assert any(set(link["tags"]) <= set(other["tags"]) for other in BOARDS.values()), uid
        for url in re.findall(r'"url": "(/d/[^"]+\?[^"]*)"', json.dumps(board["panels"])):
            target, _, variables = url.removeprefix("/d/").partition("?")
            assert "${__url_time_range}" in variables and "${district:queryparam}" in variables
            for kind in kinds if "${__data.fields.kind}" in target else [""]:
                aimed = target.replace("${__data.fields.kind}", kind)
                assert aimed in BOARDS, url
                taken = {variable["name"] for variable in BOARDS[aimed]["templating"]["list"]}
                assert set(re.findall(r"var-(\w+)=", variables)) <= taken


def test_episodes_are_drawn_over_every_board_where_it_looks() -> None:
    for uid, board in BOARDS.items():
        (annotation,) = board["annotations"]["list"]
        query = annotation["target"]["query"]
        assert 'FROM "episode"' in query
        assert ('"node" =~' in query) == (uid.startswith(("node-", "site")))
        assert f'"{annotation["target"]["textColumn"]}"' in query and '"end_ms"' in query


# --- thresholds


def test_thresholds_are_those_of_the_rules_lowest_first() -> None:
    found = steps(limits(KINDS["structure"], "vibration_mm_s"))
    assert [(step["value"], step["color"]) for step in found] == [
        (None, "green"),
        (10, "yellow"),
        (20, "orange"),
    ]
    oxygen = steps(limits(KINDS["water_quality"], "dissolved_oxygen_mg_l"))
    assert [step["color"] for step in oxygen] == ["orange", "yellow", "blue", "green"]
    assert [step["value"] for step in oxygen] == [None, 1.99, 2.99, 4.99]
    voltage = steps(limits(KINDS["power_meter"], "voltage_v"))
    assert [step["value"] for step in voltage] == [None, 110, 198, pytest.approx(235.4), pytest.approx(253)]
    assert not limits(KINDS["water_level"], "level_m")  # each station has its own
    assert not limits(KINDS["streetlight"], "power_w")  # holds while the lamp is on only
    assert [limit.rule.name for limit in limits(KINDS["noise"], "noise_laeq_db")] == ["noise_day"] * 3


def test_thresholds_rise_on_every_panel() -> None:
    for board in BOARDS.values():
        for panel in all_panels(board):
            given = panel["fieldConfig"]["defaults"].get("thresholds", {"steps": [{"value": None}]})["steps"]
            assert given[0]["value"] is None
            assert all(one["value"] < other["value"] for one, other in pairwise(given[1:]))


# --- on a real InfluxDB


def as_grafana_sends(query: str, *, hours: int = 1, interval: str = "5m", **chosen: str) -> str:
    """Fill in what Grafana fills in."""
    query = query.replace("$timeFilter", f"time >= now() - {hours}h and time <= now()")
    query = query.replace("$__interval", interval)
    return re.sub(r"\$\{(\w+):regex\}", lambda found: chosen.get(found[1], ".*"), query)


def fill(store: servers.InfluxDB) -> None:
    """Two nodes of every kind, six readings each in the last half hour: good, suspect and failed."""
    now_ns = time.time_ns()
    lines = []
    for kind in KINDS.values():
        lines += [status(kind, f"{kind.name[:8]}-{state}", state, now_ns - MINUTE_NS) for state in range(5)]
        for number in (1, 2):
            tags = {"district": DISTRICT, "node": f"{kind.name[:8]}-{number}", "site": "x"}
            head, writer = series_head(kind.name, tags), SeriesWriter(kind.known)
            for minute in range(6):
                flag = {1: Flag.SUSPECT, 2: Flag.FAIL}.get(minute, Flag.PASS)
                values = [float(minute % 2 if QUANTITIES[q].form is Form.STATE else minute) for q in kind.known]
                time_ns = now_ns - (30 - 5 * minute) * MINUTE_NS
                more = ["clock_qc=3i"] if minute == 0 else []
                lines.append(writer.line(head, values, [flag] * len(values), time_ns, more=more))
            for level in range(1, 5):
                start_ns = now_ns - (20 + level) * MINUTE_NS
                lines.append(episode(kind, tags["node"], level, start_ns, firing=number == 1))
    store.write("\n".join(lines))
    for database in ("city_hours", "city_days"):
        store.query("", f'CREATE DATABASE "{database}"')
        store.write("\n".join(rolled(now_ns - HOUR_NS)), db=database)


def status(kind: Any, node: str, state: int, time_ns: int) -> str:
    """What the cloud writes of a node every minute."""
    tags = {
        "node": node,
        "kind": kind.name,
        "system": kind.system,
        "district": DISTRICT,
        "gateway": "gateway-1",
    }
    account = dict.fromkeys(("produced", "stored", "queued", "dropped", "quarantined", "missing"), 1)
    marks = (
        {"near_m": 3.0, "warning_m": 3.3, "guaranteed_m": 3.9, "record_m": 5.0}
        if kind.name == "water_level"
        else {}
    )
    fields: dict[str, Any] = {
        "state": state,
        "age_s": 12.5,
        "lat": 31.3,
        "lon": 121.5,
        "label_en": "N",
        "label_zh": "点",
        "trial": 0,
    }
    return encode_point(STATUS, tags, {**fields, **account, **marks}, time_ns)


def episode(kind: Any, node: str, level: int, start_ns: int, *, firing: bool) -> str:
    """What the cloud writes of an episode."""
    tags = {
        "rule": f"rule_{level}",
        "kind": kind.name,
        "node": node,
        "district": DISTRICT,
        "system": kind.system,
    }
    fields: dict[str, Any] = {
        "level": level,
        "firing": int(firing),
        "end_ms": 0 if firing else start_ns // 10**6 + 60_000,
    }
    fields |= {"title_en": "Alert", "title_zh": "警情", "value": 1.5, "unit": "m", "acknowledged": level % 2}
    return encode_point("episode", tags, fields, start_ns)


def rolled(time_ns: int) -> list[str]:
    """One window of every quantity's roll-up."""
    lines = []
    for kind in KINDS.values():
        fields: dict[str, float] = {}
        for name in kind.known:
            quantity = QUANTITIES[name]
            means = {"leq": 60.0} if quantity.mean is Mean.ENERGY else {"mean": 2.0}
            fields |= {
                f"{name}_{how}": value for how, value in {"min": 1.0, "max": 3.0, "count": 60, **means}.items()
            }
            fields |= {f"{name}_{how}": 0.5 for how in ("sum", "grown", "share")}
        lines.append(
            encode_point(kind.name, {"node": f"{kind.name[:8]}-1", "district": DISTRICT}, fields, time_ns)
        )
    return lines


@pytest.mark.real
def test_every_query_of_every_panel_variable_and_annotation_answers(influxdb: servers.InfluxDB) -> None:
    fill(influxdb)
    asked = {
        (target.signal.query, target.signal.source)
        for board in ALL.values()
        for p in board.panels
        for target in p.targets
    }
    asked |= {(board.episodes.query, "cityneuron") for board in ALL.values()}
    variables = {variable["query"] for board in BOARDS.values() for variable in board["templating"]["list"]}
    for query, source in sorted(asked | {(query, "cityneuron") for query in variables}):
        rows = influxdb.rows(as_grafana_sends(query, hours=48), db=DATABASES[source])
        assert rows, query
        assert any(value is not None for row in rows for key, value in row.items() if key != "time"), query


@pytest.mark.real
def test_what_is_chosen_is_what_is_shown(influxdb: servers.InfluxDB) -> None:
    fill(influxdb)
    queries = {
        s.query for s in [*signals(ALL["water-zh"]), *signals(ALL["site-zh"])] if s.source == "cityneuron"
    }
    for query in queries:
        assert influxdb.rows(as_grafana_sends(query, district=DISTRICT)), query
        assert not influxdb.rows(as_grafana_sends(query, district="虹口", node="(a|b)")), query


def points(kind: str, quantity: str, district: str, node: str, *values: float) -> str:
    """One value every ten minutes, up to now."""
    start_ns = time.time_ns() - len(values) * 10 * MINUTE_NS
    head = series_head(kind, {"district": district, "node": node, "site": "x"})
    writer = SeriesWriter([quantity])
    return "".join(
        writer.line(head, [value], [Flag.PASS], start_ns + index * 10 * MINUTE_NS) + "\n"
        for index, value in enumerate(values)
    )


@pytest.mark.real
def test_decibels_are_averaged_as_energies(influxdb: servers.InfluxDB) -> None:
    influxdb.write(points("noise", "noise_laeq_db", "d", "n-1", 40.0, 80.0, 0.3))
    query = course(KINDS["noise"], "noise_laeq_db").query
    (row,) = influxdb.rows(as_grafana_sends(query, interval="1000d"))
    assert row["value"] == pytest.approx(75.23, abs=0.01)  # not 40.1
    assert row["node"] == "n-1"


@pytest.mark.real
def test_a_counter_is_drawn_as_growth_an_hour_and_a_reset_is_no_fall(influxdb: servers.InfluxDB) -> None:
    influxdb.write(points("power_meter", "energy_wh", "d", "m-1", 100.0, 200.0, 0.0, 100.0))
    query = course(KINDS["power_meter"], "energy_wh").query
    rows = influxdb.rows(as_grafana_sends(query, interval="10m"))
    assert [row["value"] for row in rows] == pytest.approx([600.0, 600.0])


@pytest.mark.real
def test_lamps_are_drawn_as_the_share_of_a_districts_lamps_that_are_on(influxdb: servers.InfluxDB) -> None:
    for number, on in enumerate((1.0, 1.0, 1.0, 0.0)):
        influxdb.write(points("streetlight", "lamp_on", "杨浦", f"lamp-{number}", on))
    (row,) = influxdb.rows(as_grafana_sends(course(KINDS["streetlight"], "lamp_on").query))
    assert (row["district"], row["value"]) == ("杨浦", 75.0)


@pytest.mark.real
def test_coverage_counts_the_nodes_that_are_heard_whatever_trouble_they_are_in(
    influxdb: servers.InfluxDB,
) -> None:
    now_ns = time.time_ns()
    influxdb.write("\n".join(status(KINDS["tunnel"], f"n-{s}", s, now_ns) for s in range(5)))
    signal = Signal(form=Ask.COVERAGE, kind=STATUS, quantity="state", by=("system",))
    (row,) = influxdb.rows(as_grafana_sends(signal.query))
    assert (row["system"], row["value"]) == ("structures", pytest.approx(60.0))  # 0, 1 and 3 of five


@pytest.mark.real
def test_the_sub_index_of_a_query_is_that_of_the_rules(influxdb: servers.InfluxDB) -> None:
    for quantity, (_, marks) in TABLE.items():
        between = [(one + other) / 2 for one, other in pairwise(marks)]
        means = [*marks, *between, marks[-1] * 2]
        lines = [
            encode_point("air", {"n": f"{i:02}"}, {quantity: float(mean)}, 10**18)
            for i, mean in enumerate(means)
        ]
        influxdb.write("\n".join(lines))
        rows = influxdb.rows(
            f'SELECT {iaqi_of(quantity)} AS "i" FROM "air" WHERE "{quantity}" >= 0 GROUP BY "n"'
        )
        assert [row["i"] for row in rows] == [iaqi(quantity, mean) for mean in means], quantity
