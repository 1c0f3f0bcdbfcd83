"""Pushing and comparing: idempotent, in folders, and what people changed in Grafana stays theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from grafana_server import GrafanaServer, fail, running

from dashboards.alerting import Mode
from dashboards.boards import boards
from dashboards.build import GENERATED, DashboardError
from dashboards.check.files import Files, read
from dashboards.grafana import Grafana
from dashboards.plan import FOLDER_UID, Step, Verdict
from dashboards.push import FOLDER, diff, push

Json = dict[str, Any]
CITY = [board for board in boards() if board.name == "city"]
UIDS = [board.uid for board in CITY]
ONE = UIDS[0]


@pytest.fixture(autouse=True)
def one_board_in_two_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.push.boards", lambda: CITY)


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    with running() as server:
        yield server


@pytest.fixture
def grafana(server: GrafanaServer) -> Grafana:
    return Grafana(server.url, "secret")


def verdicts(steps: list[Step]) -> set[Verdict]:
    return {step.verdict for step in steps}


def of(steps: list[Step], uid: str) -> Step:
    (step,) = [step for step in steps if step.path == f"/d/{uid}"]
    return step


def test_the_first_push_makes_the_folder_and_every_board_in_it(server: GrafanaServer, grafana: Grafana) -> None:
    steps = list(push(grafana))
    assert verdicts(steps) == {Verdict.NEW}
    assert server.folders[FOLDER_UID]["title"] == FOLDER
    assert list(server.boards) == UIDS
    assert {versions[-1]["folder"] for versions in server.boards.values()} == {FOLDER_UID}


def test_a_second_push_writes_nothing(server: GrafanaServer, grafana: Grafana) -> None:
    list(push(grafana))
    server.writes.clear()
    assert verdicts(list(push(grafana))) == {Verdict.SAME}
    assert server.writes == []


def test_comparing_says_what_pushing_would_do_and_writes_nothing(
    server: GrafanaServer, grafana: Grafana
) -> None:
    assert verdicts(diff(grafana)) == {Verdict.NEW}
    assert server.writes == []
    list(push(grafana))
    assert verdicts(diff(grafana)) == {Verdict.SAME}


def test_what_people_changed_is_kept_and_told_until_it_is_forced(
    server: GrafanaServer, grafana: Grafana
) -> None:
    list(push(grafana))
    server.people_save(ONE, title="Ours now", refresh="5s")
    step = of(list(push(grafana)), ONE)
    assert step.verdict is Verdict.KEPT
    assert "by li" in step.note
    assert 'refresh: "5s" -> "1m"' in step.differences
    assert server.saved(ONE)["title"] == "Ours now"

    forced = of(list(push(grafana, force=True)), ONE)
    assert forced.verdict is Verdict.CHANGED
    assert server.saved(ONE)["refresh"] == "1m"
    assert of(diff(grafana), ONE).verdict is Verdict.SAME


def test_a_board_of_an_older_catalogue_is_replaced(
    server: GrafanaServer, grafana: Grafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(push(grafana))
    old = server.boards[ONE][-1]
    old["data"] = {**old["data"], "description": "as it was before"}
    old["message"] = "cityneuron 0123456789abcdef"
    (said,) = of(diff(grafana), ONE).differences
    assert said.startswith('description: "as it was before" -> ')
    assert of(list(push(grafana)), ONE).verdict is Verdict.CHANGED
    assert len(server.boards[ONE]) == 2


def test_a_panel_that_people_added_or_removed_is_named(server: GrafanaServer, grafana: Grafana) -> None:
    list(push(grafana))
    panels = server.saved(ONE)["panels"]
    server.people_save(ONE, panels=[*panels[1:], {"id": 9999, "type": "text", "title": "Duty roster"}])
    differences = of(diff(grafana), ONE).differences
    assert "panel 9999 “Duty roster”: removed" in differences
    assert any(f"{panels[0].get('title')}”: added" in line for line in differences)


def test_a_board_that_people_moved_stays_in_their_folder(server: GrafanaServer, grafana: Grafana) -> None:
    list(push(grafana))
    server.folders["theirs"] = {"uid": "theirs", "title": "Duty"}
    last = server.boards[ONE][-1]
    last |= {"folder": "theirs", "message": "cityneuron 0123456789abcdef"}
    last["data"] = {**last["data"], "refresh": "2m"}
    step = of(list(push(grafana)), ONE)
    assert (step.verdict, step.note) == (Verdict.CHANGED, "stays in folder “Duty”")
    assert server.boards[ONE][-1]["folder"] == "theirs"


def test_a_board_that_was_copied_in_by_hand_and_is_the_same_counts_as_pushed(
    server: GrafanaServer, grafana: Grafana
) -> None:
    list(push(grafana))
    server.boards[ONE][-1]["message"] = "imported"
    assert of(diff(grafana), ONE).verdict is Verdict.SAME


def test_a_board_that_grafana_reads_from_a_file_is_left_to_the_file(
    server: GrafanaServer, grafana: Grafana
) -> None:
    list(push(grafana))
    server.provisioned[ONE] = "city.en.json"
    step = of(list(push(grafana, force=True)), ONE)
    assert (step.verdict, step.note) == (Verdict.FILE, "Grafana reads it from city.en.json")


def test_whoever_saves_at_the_same_moment_is_not_overwritten(server: GrafanaServer, grafana: Grafana) -> None:
    list(push(grafana))
    server.boards[ONE][-1]["message"] = "cityneuron 0123456789abcdef"
    server.boards[ONE][-1]["data"]["refresh"] = "2m"
    server.saved_meanwhile.add(ONE)
    with pytest.raises(DashboardError, match="412 The dashboard has been changed by someone else") as caught:
        list(push(grafana))
    assert "run it again" in caught.value.remedy
    assert server.saved(ONE)["title"] == "meanwhile"


def test_a_board_that_the_catalogue_has_no_more_is_told_and_left(
    server: GrafanaServer, grafana: Grafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(push(grafana))
    server.people_save(UIDS[1], title="Mine")  # nobody is told of what people made of it
    monkeypatch.setattr("dashboards.push.boards", list)
    (left,) = [step for step in push(grafana) if step.kind == "board"]
    assert (left.path, left.verdict) == (f"/d/{ONE}", Verdict.KEPT)
    assert "the catalogue has it no more" in left.note
    assert list(server.boards) == UIDS


def test_a_folder_that_people_renamed_keeps_its_name(server: GrafanaServer, grafana: Grafana) -> None:
    server.folders[FOLDER_UID] = {"uid": FOLDER_UID, "title": "水务"}
    first = next(push(grafana))
    assert (first.verdict, first.note) == (Verdict.SAME, "people call it “水务”")


@pytest.mark.parametrize(
    ("token", "advice"), [("wrong", "is the token right"), ("viewer", "Editor role"), ("", "GRAFANA_TOKEN")]
)
def test_a_token_that_will_not_do_says_what_will(server: GrafanaServer, token: str, advice: str) -> None:
    with pytest.raises(DashboardError) as caught:
        list(push(Grafana(server.url, token)))
    assert advice in caught.value.remedy


def test_an_absent_grafana_and_another_server_say_what_to_look_at(
    server: GrafanaServer, free_port: int
) -> None:
    with pytest.raises(DashboardError, match="does not answer"):
        list(push(Grafana(f"http://127.0.0.1:{free_port}", "secret")))
    with pytest.raises(DashboardError) as caught:
        list(push(Grafana(f"{server.url}/elsewhere", "secret")))
    assert "address" in caught.value.remedy


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (fail(500, "database is locked"), "500 database is locked"),
        (fail(429, "slow down"), "429 slow down"),
        (web.Response(status=502, text="<html>bad gateway</html>"), "502 "),
        (web.Response(text="<html>log in</html>", content_type="text/html"), "a page for people came back"),
        (web.Response(text="{", content_type="application/json"), "does not answer"),
    ],
    ids=["500", "429", "502 of a proxy", "a login page", "no JSON"],
)
def test_a_grafana_in_trouble_is_an_error_with_its_words(
    server: GrafanaServer, grafana: Grafana, trouble: web.Response, told: str
) -> None:
    list(push(grafana))
    server.trouble = trouble
    server.writes.clear()
    with pytest.raises(DashboardError) as caught:
        list(push(grafana))
    assert told in caught.value.message
    assert server.writes == []


def test_a_grafana_that_hangs_is_not_waited_for_without_end(
    server: GrafanaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.grafana.TIMEOUT_S", 0.2)
    server.frozen = True
    with pytest.raises(DashboardError, match="does not answer"):
        list(push(Grafana(server.url, "secret")))


# alerting

ALERTS = {
    "groups": [
        {
            "name": "watchers 一",
            "folder": "City Neuron",
            "interval": "30s",
            "rules": [
                {
                    "uid": "cn-lost",
                    "title": "Gateway lost",
                    "condition": "C",
                    "data": [{"refId": "A", "model": {"query": "q"}}],
                    "for": "1m",
                    "keepFiringFor": "5m",
                    "noDataState": "OK",
                    "execErrState": "Error",
                    "labels": {"where": "{{ $$labels.node }}"},
                    "annotations": {"summary": "{{ $labels.node }}"},
                    "dashboardUid": "city-en",
                    "panelId": 2,
                }
            ],
        }
    ],
    "contactPoints": [
        {
            "name": "duty",
            "receivers": [
                {
                    "uid": "duty",
                    "type": "email",
                    "settings": {"addresses": "$DUTY", "password": "${SECRET}", "m": "{{ $x }}"},
                }
            ],
        }
    ],
    "policies": [{"orgId": 1, "receiver": "duty", "group_by": ["rule"], "routes": []}],
    "muteTimes": [{"orgId": 1, "name": "quiet", "time_intervals": [{"months": ["1"]}]}],
    "templates": [{"orgId": 1, "name": "city", "template": '{{ define "city" }}x{{ end }}'}],
}


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("DUTY", "duty@example.org")
    monkeypatch.setenv("SECRET", "s3cret")
    return Files(alerting={"alerts.yaml": ALERTS})


def objects(steps: Any) -> list[Step]:
    return [step for step in steps if step.kind not in ("board", "folder")]


def test_alerting_goes_in_whole_in_the_order_it_needs_and_once(
    server: GrafanaServer, grafana: Grafana, alerts: Files
) -> None:
    first = objects(push(grafana, alerting=alerts))
    assert [step.kind for step in first] == [
        "template",
        "mute timing",
        "contact point",
        "policies",
        "rule group",
    ]
    assert verdicts(first) == {Verdict.NEW}
    server.writes.clear()
    assert verdicts(objects(push(grafana, alerting=alerts))) == {Verdict.SAME}
    assert server.writes == []


def test_a_rule_is_said_in_the_words_of_the_api(server: GrafanaServer, grafana: Grafana, alerts: Files) -> None:
    list(push(grafana, alerting=alerts))
    group = server.groups[FOLDER_UID, "watchers 一"]
    assert group["interval"] == 30
    (rule,) = group["rules"]
    assert rule["labels"] == {"where": "{{ $labels.node }}"}
    assert rule["keep_firing_for"] == "5m"
    assert rule["annotations"] == {
        "summary": "{{ $labels.node }}",
        "__dashboardUid__": "city-en",
        "__panelId__": "2",
    }
    assert not {"keepFiringFor", "dashboardUid", "panelId"} & rule.keys()


def test_settings_come_from_the_environment_and_an_absent_one_is_named(
    server: GrafanaServer, grafana: Grafana, alerts: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(push(grafana, alerting=alerts))
    assert server.contact_points["duty"]["settings"] == {
        "addresses": "duty@example.org",
        "password": "s3cret",
        "m": "{{ $x }}",
    }
    server.writes.clear()
    server.templates.clear()
    monkeypatch.delenv("SECRET")
    with pytest.raises(DashboardError, match=r"\$SECRET"):
        list(push(grafana, alerting=alerts))
    assert server.writes == []


@pytest.mark.parametrize("mode", Mode)
def test_what_is_shipped_is_the_same_the_second_time(
    server: GrafanaServer, grafana: Grafana, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    for name in ("GRAFANA_OPERATIONS_EMAIL", "GRAFANA_DUTY_EMAIL"):
        monkeypatch.setenv(name, "duty@example.org")
    shipped = read([GENERATED / "alerting" / mode])
    assert verdicts(objects(push(grafana, alerting=shipped))) == {Verdict.NEW}
    server.writes.clear()
    assert verdicts(objects(push(grafana, alerting=shipped))) == {Verdict.SAME}
    assert server.writes == []


def test_going_back_to_the_watchers_takes_the_city_s_rules_out(
    server: GrafanaServer, grafana: Grafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRAFANA_OPERATIONS_EMAIL", "GRAFANA_DUTY_EMAIL"):
        monkeypatch.setenv(name, "duty@example.org")
    whole, watchers = (read([GENERATED / "alerting" / mode]) for mode in (Mode.ALL_GRAFANA, Mode.WATCHERS))
    list(push(grafana, alerting=whole))
    rules = {rule["uid"]: rule for group in server.groups.values() for rule in group["rules"]}
    rules["cn-flood-red"]["provenance"] = ""  # somebody took it over in Grafana
    gone = [step for step in objects(push(grafana, alerting=watchers)) if step.kind == "rule"]
    kept = [step.name for step in gone if step.verdict is Verdict.KEPT]
    assert kept == ["洪水 Flood stage (红 red)"]
    left = {rule["uid"] for group in server.groups.values() for rule in group["rules"]}
    assert left == {"cn-flood-red"} | {
        rule["uid"] for _, group in watchers.entries("groups") for rule in group["rules"]
    }
    assert len(gone) == len(rules) - len(left) + 1


def test_policies_that_people_made_are_kept_and_a_change_of_ours_goes_in(
    server: GrafanaServer, grafana: Grafana, alerts: Files
) -> None:
    server.policies = {"receiver": "grafana-default-email", "routes": [{"receiver": "theirs"}]}
    (tree,) = [step for step in objects(push(grafana, alerting=alerts)) if step.kind == "policies"]
    assert tree.verdict is Verdict.KEPT
    assert server.policies["routes"] == [{"receiver": "theirs"}]
    list(push(grafana, alerting=alerts, force=True))
    assert server.policies["receiver"] == "duty"
    server.policies["group_by"] = ["an older choice"]
    (tree,) = [step for step in objects(push(grafana, alerting=alerts)) if step.kind == "policies"]
    assert tree.verdict is Verdict.CHANGED


def test_rules_that_grafana_reads_from_a_file_are_left_to_the_file(
    server: GrafanaServer, grafana: Grafana, alerts: Files
) -> None:
    list(push(grafana, alerting=alerts))
    (rule,) = server.groups[FOLDER_UID, "watchers 一"]["rules"]
    rule |= {"provenance": "file", "title": "older"}
    group = objects(push(grafana, alerting=alerts, force=True))[-1]
    assert (group.kind, group.verdict) == ("rule group", Verdict.FILE)


def test_an_editor_may_push_boards_but_not_alerting(server: GrafanaServer, alerts: Files) -> None:
    with pytest.raises(DashboardError, match="403") as caught:
        list(push(Grafana(server.url, "editor"), alerting=alerts))
    assert "Admin" in caught.value.remedy
    assert list(server.boards) == UIDS


def test_rules_of_another_folder_get_that_folder(
    server: GrafanaServer, grafana: Grafana, alerts: Files, tmp_path: Path
) -> None:
    group = {**ALERTS["groups"][0], "folder": "Watchers"}
    list(push(grafana, alerting=Files(alerting={"a.yaml": {"groups": [group]}})))
    assert [folder["title"] for folder in server.folders.values()] == ["City Neuron", "Watchers"]
    assert verdicts(diff(grafana, alerting=Files(alerting={"a.yaml": {"groups": [group]}}))) == {Verdict.SAME}
