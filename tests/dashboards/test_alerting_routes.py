"""Who is told by Grafana, when not, and in which words, judged by Alertmanager's amtool; the files' shape."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import servers
import yaml

from dashboards.alerting import Mode, files
from dashboards.alerting.alert import Alert
from dashboards.alerting.files import alerts, rendered
from dashboards.alerting.hours import QUIET, QUIET_HOURS, hours_of, outside
from dashboards.alerting.routes import DUTY, OPERATIONS
from dashboards.panels import SOURCE
from edge.rules.load import load_rules
from edge.rules.schedule import Schedule

Json = dict[str, Any]
MODES = tuple(Mode)
RULE_KEYS = {
    "uid", "title", "condition", "data", "for", "keepFiringFor", "noDataState", "execErrState", "isPaused",
    "labels", "annotations",
}  # fmt: skip


def amtool(*arguments: str | Path) -> str:
    """Run amtool; return what it prints, or fail with it."""
    done = subprocess.run(
        [servers.program("amtool"), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alertmanager(found: dict[str, Json], folder: Path) -> Path:
    """Write Grafana's policies, mute timings and templates as Alertmanager reads them."""
    (policy,) = found["policies.yaml"]["policies"]

    def route(node: Json) -> Json:
        kept = {key: value for key, value in node.items() if key not in ("orgId", "object_matchers", "routes")}
        matchers = [f'{name}{how}"{value}"' for name, how, value in node.get("object_matchers", [])]
        children = [route(child) for child in node.get("routes", [])]
        return kept | ({"matchers": matchers} if matchers else {}) | ({"routes": children} if children else {})

    (folder / "city.tmpl").write_text(found["templates.yaml"]["templates"][0]["template"], encoding="utf-8")
    config = {
        "route": route(policy),
        "receivers": [{"name": point["name"]} for point in found["contact-points.yaml"]["contactPoints"]],
        "time_intervals": [
            {key: value for key, value in timing.items() if key != "orgId"}
            for timing in found["mute-timings.yaml"]["muteTimes"]
        ],
        "templates": [str(folder / "city.tmpl")],
    }
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def told(config: Path, alert: Alert) -> str:
    labels = {**alert.to_dict()["labels"], "node": "n-1", "district": "d"}
    labels.pop("subject")
    named = [f"{key}={value}" for key, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={config}", *named).strip()


def route_of(found: dict[str, Json], alert: Alert) -> Json:
    """The route that an alert takes: the first whose matchers all match."""
    (policy,) = found["policies.yaml"]["policies"]
    labels = alert.to_dict()["labels"]

    def matches(how: str, wanted: str, value: str) -> bool:
        return value in wanted.split("|") if how == "=~" else value == wanted

    for route in policy["routes"]:
        if all(matches(how, wanted, labels.get(name, "")) for name, how, wanted in route["object_matchers"]):
            return dict(route)
    return dict(policy)


@pytest.mark.parametrize("mode", MODES)
def test_amtool_takes_the_configuration_and_every_alert_finds_its_people(mode: Mode, tmp_path: Path) -> None:
    found = files(mode)
    config = alertmanager(found, tmp_path)
    assert "SUCCESS" in amtool("check-config", config)
    for alert in {(alert.rule, alert.level): alert for alert in alerts(mode)}.values():
        wanted = OPERATIONS if alert.source == "watchers" else DUTY
        assert told(config, alert) == wanted == route_of(found, alert)["receiver"], alert.uid


def test_what_is_mild_waits_for_the_morning_and_what_is_urgent_for_nothing() -> None:
    found = files(Mode.ALL_GRAFANA)
    for alert in alerts(Mode.ALL_GRAFANA):
        muted = route_of(found, alert).get("mute_time_intervals", [])
        if alert.hours:
            assert muted == [outside(alert.hours)]
        elif alert.source == "city":
            assert muted == ([QUIET_HOURS] if alert.level.word == "blue" else [])
        else:
            assert muted == ([QUIET_HOURS] if alert.rule == "node_silent" else [])


def muted(timing: Json, at: datetime) -> bool:
    """Whether a mute timing of times of day holds, as Alertmanager has it: from start, before end."""
    (interval,) = timing["time_intervals"]
    clock = f"{at.astimezone(ZoneInfo(interval['location'])):%H:%M}"
    return any(span["start_time"] <= clock < span["end_time"] for span in interval["times"])


def test_a_mute_timing_is_what_a_schedule_is_not() -> None:
    timings = {row["name"]: row for row in files(Mode.ALL_GRAFANA)["mute-timings.yaml"]["muteTimes"]}
    schedules = {
        alert.hours: rule.schedule
        for rule, alert in product(load_rules(), alerts(Mode.ALL_GRAFANA))
        if rule.name == alert.rule and alert.hours and rule.schedule
    }
    assert len(schedules) == 2
    for half_hour in range(48):
        at = datetime.fromtimestamp(1_700_000_000 // 1800 * 1800 + half_hour * 1800, UTC)
        for hours, schedule in schedules.items():
            assert muted(timings[outside(hours)], at) is not in_force(schedule, at)
        assert muted(timings[QUIET_HOURS], at) is in_force(QUIET, at)


def in_force(schedule: Schedule, at: datetime) -> bool:
    return schedule.span(round(at.timestamp() * 1000))[0]


def test_no_alert_is_muted_by_a_timing_of_weekdays() -> None:
    for timing in files(Mode.ALL_GRAFANA)["mute-timings.yaml"]["muteTimes"]:
        assert set(timing["time_intervals"][0]) == {"times", "location"}
    assert hours_of(QUIET) == "2200-0700"


@pytest.mark.parametrize("mode", MODES)
def test_whatever_a_policy_names_is_there(mode: Mode) -> None:
    found = files(mode)
    points = {point["name"] for point in found["contact-points.yaml"]["contactPoints"]}
    timings = {timing["name"] for timing in found["mute-timings.yaml"]["muteTimes"]}
    (policy,) = found["policies.yaml"]["policies"]
    assert not {"object_matchers", "mute_time_intervals"} & set(policy)
    for route in (policy, *policy["routes"]):
        assert route["receiver"] in points
        assert set(route.get("mute_time_intervals", [])) <= timings
    used = {name for route in policy["routes"] for name in route.get("mute_time_intervals", [])}
    assert used == timings


def test_each_message_is_written_in_both_languages_the_worst_first(tmp_path: Path) -> None:
    alertmanager(files(), tmp_path)
    data = {
        "receiver": DUTY,
        "status": "firing",
        "alerts": [
            alarm("firing", "blue", "甲：水位 3.10 m", "A: water level 3.10 m"),
            alarm("firing", "red", "乙：水位 5.20 m", "B: water level 5.20 m"),
            alarm("resolved", "yellow", "丙：水位 3.30 m", "C: water level 3.30 m"),
        ],
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://grafana",
    }  # fmt: skip
    assert rendered_by_amtool("city.message", data, tmp_path).splitlines() == [
        "✸ 乙：水位 5.20 m",
        "▬ 甲：水位 3.10 m",
        "✓ 解除：丙：水位 3.30 m",
        "",
        "✸ B: water level 5.20 m",
        "▬ A: water level 3.10 m",
        "✓ Resolved: C: water level 3.30 m",
    ]
    assert rendered_by_amtool("city.subject", data, tmp_path) == "【预警 Alert】甲：水位 3.10 m 等 2 起"
    over = {**data, "status": "resolved", "alerts": data["alerts"][2:]}
    assert rendered_by_amtool("city.subject", over, tmp_path) == "【解除 Resolved】丙：水位 3.30 m"
    assert rendered_by_amtool("city.en", over, tmp_path).strip() == "✓ Resolved: C: water level 3.30 m"


def alarm(status: str, level: str, zh: str, en: str) -> Json:
    return {
        "status": status,
        "labels": {"level": level},
        "annotations": {"summary_zh": zh, "summary_en": en},
        "startsAt": "2026-11-21T20:00:00Z",
        "endsAt": "2026-11-21T21:00:00Z",
        "generatorURL": "",
        "fingerprint": "1",
    }


def rendered_by_amtool(name: str, data: Json, folder: Path) -> str:
    path = folder / "data.json"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    text = f'{{{{ template "{name}" . }}}}'
    options = (f"--template.glob={folder}/*.tmpl", f"--template.text={text}", f"--template.data={path}")
    return amtool("template", "render", *options).rstrip("\n")


@pytest.mark.parametrize("mode", MODES)
def test_a_rule_has_the_keys_of_a_provisioning_file_and_dollars_where_they_belong(mode: Mode) -> None:
    groups = files(mode)["rules.yaml"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for key in ("uid", "title"):
        assert len({rule[key] for rule in rules}) == len(rules)
    assert len({group["name"] for group in groups}) == len(groups)
    for rule in rules:
        assert set(rule) == RULE_KEYS
        assert len(rule["uid"]) <= 40
        assert rule["noDataState"] in (
            "KeepLast",
            "Alerting",
        )  # never a state that tells nobody, nor a second alert
        assert rule["execErrState"] in ("KeepLast", "Alerting")
        labels, said = "".join(rule["labels"].values()), "".join(rule["annotations"].values())
        assert "$" not in labels.replace("{{ $$labels.", "")
        assert "$$" not in said
        assert "${" not in said
        assert all(max(text) >= "\u4e00" for key, text in rule["annotations"].items() if key != "summary_en")
        assert max(rule["annotations"]["summary_en"]) < "\u4e00"


@pytest.mark.parametrize("mode", MODES)
def test_a_rule_asks_the_store_reduces_and_has_one_condition(mode: Mode) -> None:
    for alert in alerts(mode):
        steps = {step["refId"]: step for step in alert.to_dict()["data"]}
        assert list(steps) == (["A", "B", "C"] if alert.limit is None else ["A", "B", "M", "N", "D", "C"])
        for step in steps.values():
            assert step["model"]["refId"] == step["refId"]
            assert step["datasourceUid"] == step["model"]["datasource"]["uid"]
        assert steps["A"]["datasourceUid"] == SOURCE["uid"]
        assert steps["A"]["relativeTimeRange"]["to"] == 0 < steps["A"]["relativeTimeRange"]["from"]
        assert len(steps["C"]["model"]["conditions"]) == 1


def test_the_compose_file_mounts_either_mode_and_gives_every_address() -> None:
    grafana = yaml.safe_load((servers.DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"][
        "grafana"
    ]
    (mount,) = [mount for mount in grafana["volumes"] if "provisioning/alerting:" in mount]
    for mode in MODES:
        folder = servers.DEPLOY / mount.replace("${GRAFANA_ALERTING:-watchers}", mode).split(":")[0]
        text = (folder / "contact-points.yaml").read_text(encoding="utf-8")
        addresses = set(re.findall(r"\$([A-Z_]+)", text))
        assert addresses
        assert addresses <= set(grafana["environment"])


def test_going_back_to_watching_deletes_every_other_rule() -> None:
    def uids(mode: Mode) -> set[str]:
        return {rule["uid"] for group in files(mode)["rules.yaml"]["groups"] for rule in group["rules"]}

    deleted = {row["uid"] for row in files(Mode.WATCHERS)["rules.yaml"]["deleteRules"]}
    assert deleted == uids(Mode.ALL_GRAFANA) - uids(Mode.WATCHERS)
    assert uids(Mode.WATCHERS) < uids(Mode.ALL_GRAFANA)
    assert "deleteRules" not in files(Mode.ALL_GRAFANA)["rules.yaml"]


def test_the_files_are_yaml_that_says_what_the_dicts_say() -> None:
    for mode in MODES:
        for name, content in files(mode).items():
            assert yaml.safe_load(rendered()[f"{mode}/{name}"]) == content
            assert content["apiVersion"] == 1


def test_the_table_has_a_row_for_every_rule() -> None:
    rows = [line for line in rendered()["rules.md"].splitlines() if line.startswith("| `")]
    assert {row.split("`")[1] for row in rows} == {rule.name for rule in load_rules()} | {
        "pipeline_silent",
        "cloud_silent",
    }
    assert all("| no |" not in row or row.rstrip("| ").split("|")[-1].strip() for row in rows)
