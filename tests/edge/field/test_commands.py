"""The command line itself: exit codes, JSON for programs, and what a person reads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from field_rig import CloudStandIn
from typer.testing import CliRunner

import cityneuron
from edge.field.bundle import read_bundle
from edge.field.cli import app
from edge.model.errors import CityError


@pytest.fixture
def served(cloud: CloudStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The stand-in in a thread of its own: the commands run loops of their own."""
    ready, where = threading.Event(), []
    loop = asyncio.new_event_loop()

    async def start() -> None:
        runner = web.AppRunner(cloud.app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        where.append((runner, runner.addresses[0][1]))
        ready.set()

    def work() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(60)
    monkeypatch.setenv("CITYNEURON_CLOUD", f"http://127.0.0.1:{where[0][1]}")
    monkeypatch.setenv("CITYNEURON_TOKEN", CloudStandIn.TOKEN)
    monkeypatch.setenv("CITYNEURON_FIELD", str(tmp_path / "none.toml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield where[0][0].addresses[0][0]
    asyncio.run_coroutine_threadsafe(where[0][0].cleanup(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


def call(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


@pytest.mark.usefixtures("served")
def test_nodes_are_listed_and_shown_for_people_and_for_programs(cloud: CloudStandIn) -> None:
    cloud.nodes["stage-1"] = {
        "id": "stage-1", "kind": "water_level", "label": {"en": "Mouth", "zh": "河口"}, "site": "mouth",
        "district": "yangpu", "state": "ok", "time_ms": None, "gateway": None, "lat": 31.2, "lon": 121.5,
    }  # fmt: skip
    listed = call("list")
    assert listed.exit_code == 0 and "stage-1" in listed.output and "河口" in listed.output
    assert json.loads(call("list", "--json").stdout)["nodes"][0]["id"] == "stage-1"
    assert json.loads(call("list", "--json", "--state", "silent").stdout) == {"nodes": []}
    shown = call("show", "stage-1")
    assert "31.20000, 121.50000" in shown.output and "never provisioned" in shown.output
    assert set(json.loads(call("show", "stage-1", "--json").stdout)) == {"node", "device", "latest", "commands"}


@pytest.mark.usefixtures("served")
def test_new_firmware_on_trial_shows_in_the_list_and_at_the_node(cloud: CloudStandIn) -> None:
    facts = {"kind": "weather", "label": {}, "site": "s", "district": "d", "state": "ok", "time_ms": None}
    for node, trial in (("trying", True), ("settled", False)):
        cloud.nodes[node] = {"id": node, **facts, "trial": trial}
    cloud.serials["trying"] = "24dcc3a1b2c4"
    cloud.device = {"firmware": "0.3.0", "hardware": "esp32", "trial": True}
    rows = {line.split()[0]: line for line in call("list").output.splitlines()}
    assert "ok, on trial" in rows["trying"] and "on trial" not in rows["settled"]
    listed = json.loads(call("list", "--json", "--trial").stdout)["nodes"]
    assert [(row["id"], row["trial"]) for row in listed] == [("trying", True)]
    assert "0.3.0 esp32, new firmware on trial" in call("show", "trying").output
    shown = json.loads(call("show", "trying", "--json").stdout)
    assert shown["node"]["trial"] is True and shown["device"]["trial"] is True


@pytest.mark.usefixtures("served")
def test_a_failure_leaves_with_its_stages_code_and_is_json_for_programs() -> None:
    result = call("show", "nobody", "--json")
    assert result.exit_code == 13
    assert json.loads(result.stdout)["error"]["stage"] == "register"
    assert (
        "knows no node nobody" in result.stderr
        and "1. see what there is: cityneuron node list" in result.stderr
    )


@pytest.mark.usefixtures("served")
def test_a_command_is_sent_and_its_reply_shown(cloud: CloudStandIn) -> None:
    cloud.on_command = lambda row: row.update(state="done", detail={"period_ms": 5_000}, replied_ms=3_500)
    result = call("command", "cn-1", "set", "period_ms=5000", "--who", "wang")
    assert result.exit_code == 0 and "set done after 2.5 s" in result.output and "5000" in result.output
    assert cloud.log[0][1]["who"] == "wang"


@pytest.mark.usefixtures("served")
def test_a_doctor_asks_from_afar_and_says_in_its_exit_code_whether_the_node_is_well(
    cloud: CloudStandIn,
) -> None:
    from field_rig import said

    cloud.on_command = lambda row: row.update(state="done", detail=said())
    result = call("doctor", "cn-a1b2c4")
    assert result.exit_code == 0 and "well" in result.output
    sensors = [{"name": "ds18b20", "ok": False, "error": "no answer", "values": {}}]
    cloud.on_command = lambda row: row.update(state="done", detail=said(sensors=sensors))
    result = call("doctor", "cn-a1b2c4", "--json")
    row = json.loads(result.stdout)
    assert result.exit_code == 1 and row["ok"] is False
    assert row["verdicts"][0] == {
        "about": "sensor ds18b20", "level": "bad", "text": "no answer",
        "remedy": "check power, ground and data lines; is it the sensor in the settings?",
    }  # fmt: skip


@pytest.mark.usefixtures("served")
def test_a_bundle_is_made_checked_uploaded_and_rolled_out(cloud: CloudStandIn, tmp_path: Path) -> None:
    library = tmp_path / "firmware" / "lib" / "cityneuron"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text('FIRMWARE = "0.3.0"\n')
    (library / "start.py").write_text("def run():\n    return False\n")
    assert call("bundle", "keys", "key.pem").exit_code == 0
    made = call("bundle", "build", "--key", "key.pem", "-o", "city.cnb", "--firmware", "firmware")
    assert made.exit_code == 0, made.output
    assert "signed by the key" in call("bundle", "check", "city.cnb", "--key", "key.pub").output
    (tmp_path / "new.app-bin").write_bytes(b"\xe9 MicroPython")
    with_image = call(
        "bundle",
        "build",
        "--key",
        "key.pem",
        "-o",
        "both.cnb",
        "--firmware",
        "firmware",
        "--image",
        "new.app-bin",
    )
    assert with_image.exit_code == 0, with_image.output
    assert (tmp_path / "both.cnb").read_bytes().count(b"\xe9 MicroPython") == 1
    result = call("update", "city.cnb", "--kind", "weather", "--json")
    assert result.exit_code == 0, result.output
    assert read_bundle(cloud.firmware[0]).version == "0.3.0"
    wish = cloud.log[-1][1]
    assert (wish["version"], wish["board"], wish["kind"], wish["rings"]) == (
        "0.3.0",
        "esp32",
        "weather",
        [1, 10, 100],
    )
    cloud.rollouts[1] |= {"state": "running", "version": "0.3.0", "board": "esp32"}
    stopped = call("update", "--rollout", "1", "--stop")
    assert stopped.exit_code == 0 and "stopped" in stopped.output


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("update", "--stop"), "which roll-out"),
        (("update", "city.cnb", "--rollout", "7", "--stop"), "which roll-out"),
        (("update", "--rollout", "7", "--stop", "--resume"), "which roll-out"),
        (("update", "city.cnb", "--rollout", "7"), "a roll-out of its own"),
        (("list", "--state", "sleepy"), "no state 'sleepy'"),
        (("list", "--kind", "teapot"), "no kind 'teapot'"),
        (("list", "--cloud", "city.example:8080"), "no address"),
        (("show", "../x"), "not a node id"),
        (("show", ""), "not a node id"),
        (("tap", "#"), "not a node id"),
        (("doctor", "stage/1"), "not a node id"),
        (("command", "STAGE", "sample"), "not a node id"),
        (("label", "stage-1", "--skip", "14"), "--skip 14"),
        (("label", "stage-1", "--skip", "-1"), "--skip -1"),
    ],
)
def test_words_that_make_no_sense_are_refused_and_change_nothing(
    cloud: CloudStandIn, words: tuple[str, ...], said: str
) -> None:
    result = call(*words)
    assert isinstance(result.exception, CityError) and said in str(result.exception)
    assert result.exception.remedy and not cloud.log


@pytest.mark.usefixtures("served")
def test_names_in_brackets_are_shown_as_they_are(cloud: CloudStandIn) -> None:
    facts = {"kind": "weather", "site": "s", "district": "[x]", "state": "ok", "time_ms": None}
    cloud.nodes["cn-1"] = {"id": "cn-1", "label": {"en": "Mouth [/]"}, **facts}
    listed = call("list")
    assert listed.exit_code == 0 and "Mouth [/]" in listed.output and "[x]" in listed.output


@pytest.mark.usefixtures("served")
def test_programs_are_told_of_every_error_as_json(cloud: CloudStandIn) -> None:
    cloud.on_command = lambda row: row.update(state="refused", detail={"error": "no lamp", "remedy": "add one"})
    result = call("command", "cn-1", "lamp", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told == {"ok": False, "error": {"cause": "cn-1: lamp refused: no lamp", "remedies": ["add one"]}}


def test_a_file_that_cannot_be_written_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["cityneuron", "node", "bundle", "keys", str(tmp_path / "no" / "k.pem")])
    with pytest.raises(SystemExit) as caught:
        cityneuron.main()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert "k.pem: No such file or directory" in said and "try: check the path" in said


@pytest.mark.usefixtures("served")
def test_labels_are_drawn_for_the_nodes_that_are_named(cloud: CloudStandIn, tmp_path: Path) -> None:
    cloud.nodes["stage-1"] = {"id": "stage-1", "kind": "weather", "label": {}, "site": "s", "district": "d"}
    result = call("label", "stage-1", "-o", "labels.pdf")
    assert result.exit_code == 0 and "1 labels on 1 page" in result.output
    assert (tmp_path / "labels.pdf").read_bytes().startswith(b"%PDF")


def test_orders_that_make_no_sense_are_refused_before_a_board_is_looked_for(served: str) -> None:
    for words, said in (
        (("provision",), "which kind"),
        (("provision", "--kind", "water_level"), "needs its height"),
        (("provision", "--kind", "weather", "--at", "here"), "is not LAT,LON"),
        (("provision", "--kind", "weather", "--by", "magic"), "--by 'magic'"),
        (("provision", "--kind", "weather", "--period", "inf"), "a period of inf s"),
        (("provision", "--kind", "weather", "--sensor", "bme280:uart1"), "bme280 sits at no 'uart1'"),
        (("replace", "../x"), "not a node id"),
    ):
        result = call(*words)
        assert isinstance(result.exception, CityError) and said in str(result.exception), words


def test_no_board_is_told_with_the_code_of_the_port(served: str) -> None:
    result = call("provision", "--kind", "weather", "--port", "/dev/nowhere", "--json")
    assert result.exit_code == 10
    row = json.loads(result.stdout)
    assert row["ok"] is False and row["steps"][0]["state"] == "failed"
    assert "stopped at port" in result.stderr and "1. plug the board in again" in result.stderr
