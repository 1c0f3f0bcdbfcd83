"""The boards: complete, valid, without overlap, current, and every query answers on a real InfluxDB."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import servers
from jsonschema_rs import Draft7Validator

from dashboards import build
from dashboards.boards import boards
from dashboards.panels import SOURCE
from dashboards.signals import Signal, signals
from dashboards.texts import Language
from dashboards.units import grafana_unit
from edge.model.errors import CityError
from edge.model.kinds import KINDS, SYSTEMS
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES, Form
from edge.model.units import UNITS
from edge.protocol.series import SeriesWriter, series_head

Json = dict[str, Any]
BOARDS = {board.uid: board.to_dict() for board in boards()}
MINUTE_NS = 60_000_000_000


def rows_and_panels(board: Json) -> Iterator[tuple[Json, Json]]:
    """Every panel with the row it stands in, collapsed or not."""
    row: Json = {}
    for item in board["panels"]:
        if item["type"] != "row":
            yield row, item
            continue
        row = item
        for panel in row["panels"]:
            yield row, panel


def all_panels(board: Json) -> list[Json]:
    return [panel for _, panel in rows_and_panels(board)]


def fill(store: servers.InfluxDB) -> None:
    """Two nodes of every kind, six readings each in the last half hour: good, suspect and failed."""
    now_ns = time.time_ns()
    lines = []
    for kind in KINDS.values():
        for number in (1, 2):
            tags = {"district": "杨浦 Yangpu", "node": f"{kind.name[:8]}-{number}", "site": "x"}
            head, writer = series_head(kind.name, tags), SeriesWriter(kind.quantities)
            for minute in range(6):
                flag = {1: Flag.SUSPECT, 2: Flag.FAIL}.get(minute, Flag.PASS)
                values = [
                    float(minute % 2 if QUANTITIES[q].form is Form.STATE else minute) for q in kind.quantities
                ]
                time_ns = now_ns - (30 - 5 * minute) * MINUTE_NS
                lines.append(writer.line(head, values, [flag] * len(values), time_ns))
    store.write("\n".join(lines))


def as_grafana_sends(query: str, *, district: str = ".*") -> str:
    """Fill in what Grafana fills in."""
    return (
        query.replace("$timeFilter", "time >= now() - 1h")
        .replace("$__interval", "5m")
        .replace("${district:regex}", district)
    )


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


@pytest.mark.parametrize("uid", BOARDS)
def test_every_system_has_a_row_and_every_quantity_of_every_kind_a_panel(uid: str) -> None:
    queries = [target["query"] for panel in all_panels(BOARDS[uid]) for target in panel["targets"]]
    for kind in KINDS.values():
        for signal in signals(kind):
            assert signal.trend() in queries
        assert signals(kind)[0].latest() in queries
    titles = {item["title"] for item in BOARDS[uid]["panels"] if item["type"] == "row"}
    zh = uid.endswith("zh")
    assert titles >= {system.label_zh if zh else system.label_en for system in SYSTEMS.values()}


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_says_what_it_shows_in_which_unit_and_from_which_source(uid: str) -> None:
    for panel in all_panels(BOARDS[uid]):
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == SOURCE
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"] == SOURCE
            assert target["query"]


@pytest.mark.parametrize("uid", BOARDS)
def test_no_title_is_given_twice_and_no_panel_id(uid: str) -> None:
    board = BOARDS[uid]
    panels = all_panels(board)
    titles = [(row["title"], panel["title"]) for row, panel in rows_and_panels(board)]
    assert len(set(titles)) == len(titles)
    ids = [panel["id"] for panel in panels] + [row["id"] for row in board["panels"] if row["type"] == "row"]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("uid", BOARDS)
def test_nothing_overlaps_and_nothing_leaves_the_24_columns(uid: str) -> None:
    board = BOARDS[uid]
    places = [item["gridPos"] for item in [*board["panels"], *all_panels(board)]]
    places = list({(place["x"], place["y"]): place for place in places}.values())
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_the_two_languages_differ_in_words_only() -> None:
    chinese, english = ([p["targets"] for p in all_panels(BOARDS[f"city-{lang}"])] for lang in ("zh", "en"))
    assert len(chinese) == len(english)
    for one, other in zip(chinese, english, strict=True):
        assert [t["refId"] for t in one] == [t["refId"] for t in other]
    assert "水网" in json.dumps(BOARDS["city-zh"], ensure_ascii=False)
    in_english = json.dumps({**BOARDS["city-en"], "links": []}, ensure_ascii=False)
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in in_english)


def test_every_unit_of_the_catalogue_has_a_grafana_unit() -> None:
    for unit in UNITS:
        assert grafana_unit(unit)
        assert grafana_unit(unit, per_hour=True)


@pytest.mark.parametrize("uid", BOARDS)
def test_the_boards_are_valid_by_grafanas_own_schemas(uid: str, shared_data: Path) -> None:
    def validator(name: str, part: str) -> Draft7Validator:
        schema = json.loads((shared_data / "grafana-json-schema" / f"{name}.jsonschema.json").read_text())
        # Both may be anything in Grafana ("byName" takes a text); the schema's generator wrote `object`.
        for definition, open_property in (("DynamicConfigValue", "value"), ("MatcherConfig", "options")):
            if definition in schema["definitions"]:
                schema["definitions"][definition]["properties"][open_property] = {}
        return Draft7Validator({**schema, "$ref": f"#/definitions/{part}"})

    validator("dashboard", "Dashboard").validate(BOARDS[uid])
    kinds = {"timeseries": "timeseries", "state-timeline": "statetimeline", "stat": "stat", "table": "table"}
    options = {kind: validator(name, "Options") for kind, name in kinds.items()}
    customs = {kind: validator(name, "FieldConfig") for kind, name in kinds.items() if kind not in ("stat",)}
    for panel in all_panels(BOARDS[uid]):
        options[panel["type"]].validate(panel["options"])
        if panel["type"] in customs:
            customs[panel["type"]].validate(panel["fieldConfig"]["defaults"]["custom"])


@pytest.mark.real
def test_every_query_of_every_panel_answers_on_a_real_influxdb(influxdb: servers.InfluxDB) -> None:
    fill(influxdb)
    for board in BOARDS.values():
        for panel in all_panels(board):
            for target in panel["targets"]:
                rows = influxdb.rows(as_grafana_sends(target["query"]))
                assert rows, (panel["title"], target["query"])
                assert any(value is not None for row in rows for key, value in row.items() if key != "time")
        (variable,) = board["templating"]["list"]
        assert {row["value"] for row in influxdb.rows(variable["query"])} == {"杨浦 Yangpu"}


@pytest.mark.real
def test_the_district_chosen_is_the_district_shown(influxdb: servers.InfluxDB) -> None:
    fill(influxdb)
    for kind in KINDS.values():
        for signal in signals(kind):
            assert influxdb.rows(as_grafana_sends(signal.trend(), district="杨浦 Yangpu"))
            assert not influxdb.rows(as_grafana_sends(signal.trend(), district="虹口"))
            assert not influxdb.rows(as_grafana_sends(signal.latest(), district="虹口"))


def signal(kind: str, quantity: str) -> Signal:
    return Signal(kind=KINDS[kind], quantity=QUANTITIES[quantity])


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
    influxdb.write(points("noise", "noise_laeq_db", "d", "n-1", 40.0, 80.0))
    query = signal("noise", "noise_laeq_db").trend("$timeFilter").replace("$__interval", "1000d")
    (row,) = influxdb.rows(as_grafana_sends(query))
    assert row["value"] == pytest.approx(76.99, abs=0.01)  # not 60
    assert row["node"] == "n-1"


@pytest.mark.real
def test_a_counter_is_drawn_as_growth_an_hour_and_a_reset_is_no_fall(influxdb: servers.InfluxDB) -> None:
    influxdb.write(points("power_meter", "energy_wh", "d", "m-1", 100.0, 200.0, 0.0, 100.0))
    query = signal("power_meter", "energy_wh").trend().replace("$__interval", "10m")
    assert [row["value"] for row in influxdb.rows(as_grafana_sends(query))] == pytest.approx([600.0, 600.0])


@pytest.mark.real
def test_lamps_are_drawn_as_the_share_of_a_districts_lamps_that_are_on(influxdb: servers.InfluxDB) -> None:
    for number, on in enumerate((1.0, 1.0, 1.0, 0.0)):
        influxdb.write(points("streetlight", "lamp_on", "杨浦", f"lamp-{number}", on))
    (row,) = influxdb.rows(as_grafana_sends(signal("streetlight", "lamp_on").trend()))
    assert (row["district"], row["value"]) == ("杨浦", 75.0)


def test_both_languages_are_generated() -> None:
    assert {board.language for board in boards()} == set(Language)
