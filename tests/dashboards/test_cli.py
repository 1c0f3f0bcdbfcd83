"""`cityneuron dashboards`: each command against what answers as Grafana's HTTP API does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from grafana_server import GrafanaServer, running
from typer.testing import CliRunner

from dashboards import describe, smoke
from dashboards.boards import boards
from dashboards.build import DashboardError
from dashboards.cli import app
from dashboards.grafana import Grafana

CITY = [board for board in boards() if board.name == "city"]


@pytest.fixture
def city_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.push.boards", lambda: CITY)
    monkeypatch.setattr("dashboards.cli.boards", lambda: CITY)


@pytest.fixture
def server(city_only: None) -> Iterator[GrafanaServer]:
    with running() as server:
        yield server


def run(server: GrafanaServer, *words: str) -> tuple[int, str]:
    told = CliRunner().invoke(app, [*words, "--url", server.url], env={"GRAFANA_TOKEN": "secret"})
    return told.exit_code, told.output


def test_building_writes_the_files_and_checking_then_finds_them_current(tmp_path: Path) -> None:
    runner = CliRunner()
    stale = runner.invoke(app, ["build", "--check", "--out", str(tmp_path)])
    assert isinstance(stale.exception, DashboardError)
    assert stale.exception.remedy == "run: cityneuron dashboards build"
    assert "city.zh.json" in runner.invoke(app, ["build", "--out", str(tmp_path)]).output
    assert runner.invoke(app, ["build", "--check", "--out", str(tmp_path)]).exit_code == 0


def test_push_and_diff_say_what_became_of_each_board(server: GrafanaServer) -> None:
    count = len(CITY)
    code, said = run(server, "diff")
    assert (code, server.writes) == (0, [])
    assert f"{count + 1} new" in said
    assert f"{server.url}/d/city-en" in run(server, "push")[1]
    server.people_save("city-en", refresh="5s")
    code, said = run(server, "push")
    assert code == 0
    assert f"{count} same, 1 kept" in said
    assert "changed in Grafana by li" in said
    assert 'refresh: "5s" -> "1m"' in said
    assert "1 changed" in run(server, "push", "--force")[1]


def test_a_folder_of_alert_files_goes_along_when_it_is_named(server: GrafanaServer, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text('{apiVersion: 1, templates: [{name: city, template: "x"}]}')
    code, said = run(server, "push", "--alerting", str(tmp_path))
    assert code == 0
    assert "template city" in said
    assert server.templates["city"]["template"] == "x"


def test_the_smoke_test_pushes_asks_every_query_and_reads_the_rules(server: GrafanaServer) -> None:
    server.rule_health = [{"name": "Gateway lost", "health": "ok"}, {"name": "Store late", "health": "nodata"}]
    code, said = run(server, "smoke")
    assert code == 0
    assert len(server.boards) == len(CITY)
    assert "Gateway lost" in said
    assert "1 empty, 0 failed" in said


def test_the_smoke_test_fails_where_a_query_or_a_rule_fails_and_says_why(server: GrafanaServer) -> None:
    server.rule_health = [{"name": "Gateway lost", "health": "error", "lastError": "no such database"}]
    run(server, "smoke", "--no-push")
    first, second = list(dict.fromkeys(asked["query"] for asked in server.queries))[-2:]
    server.answers[first] = {"error": "database not found: city"}
    server.answers[second] = {"frames": []}
    code, said = run(server, "smoke", "--no-push", "--json")
    assert code == 1
    answers = json.loads(said)
    assert server.boards == {}
    assert {a["said"] for a in answers if a["health"] == "empty"} == {"no data"}
    failed = {a["said"] for a in answers if a["health"] == "failed"}
    assert "no such database" in failed
    assert any(text.endswith("400 database not found: city") for text in failed)


def test_the_smoke_test_asks_with_every_variable_set_and_leaves_grafanas_own_to_grafana(
    server: GrafanaServer,
) -> None:
    grafana = Grafana(server.url, "secret")
    server.answers["SHOW TAG VALUES"] = {
        "frames": [{"data": {"values": [["node", "node"], ["lamp-1", "lamp-2"]]}}]
    }
    target = {
        "refId": "B",
        "query": 'SELECT last("v") FROM "w" WHERE $timeFilter AND "node" =~ /^${node:regex}$/'
        ' AND "d" =~ /^${all:regex}$/',
    }
    board = {
        "title": "Node",
        "templating": {
            "list": [
                {
                    "type": "query",
                    "name": "node",
                    "query": 'SHOW TAG VALUES WITH KEY = "node" WHERE $timeFilter',
                },
                {"type": "query", "name": "all", "includeAll": True, "allValue": ".*", "query": "x"},
            ]
        },
        "panels": [{"id": 1, "type": "stat", "title": "V", "targets": [target, {**target, "hide": True}]}],
    }
    (answer,) = smoke.ask(grafana, [board], since="now-7d")
    assert (answer.health, answer.rows) == (smoke.Health.OK, 2)
    last = server.queries[-1]
    assert last["query"].endswith('$timeFilter AND "node" =~ /^lamp\\-1$/ AND "d" =~ /^.*$/')
    assert last["from"] == "now-7d"


def test_the_page_of_the_boards_tells_of_them_as_they_are(tmp_path: Path) -> None:
    describe.check()
    assert CliRunner().invoke(app, ["describe", "--check"]).exit_code == 0
    stale = tmp_path / "page.md"
    with pytest.raises(DashboardError, match="does not tell"):
        describe.check(stale)
    assert describe.write(stale)
    assert not describe.write(stale)
    describe.check(stale)
    for board in boards():
        assert (f"## {board.title}\n" in stale.read_text()) == (board.language == "en")
