"""The console, safe mode and what a node knows of its health, on a real MicroPython."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import MicroPython

SETTINGS = {
    "node": "stage-0001",
    "kind": "water_level",
    "broker_host": "127.0.0.1",
    "broker_port": 9,
    "broker_tls": False,
    "sensors": [{"driver": "jsn_sr04t", "bus": "jsn", "datum_mm": 5200}],
}


def run(micropython: MicroPython, script: str, home: Path, text: str) -> str:
    """Run a script of on_micropython/ whose flash is `home`, and type; return what it said."""
    done = subprocess.run(
        micropython.command(script),
        env=micropython.environment(CITYNEURON_HOME=str(home)),
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def type_lines(micropython: MicroPython, home: Path, text: str) -> list[str]:
    """Type into the console of run_operations.py; return what it said."""
    (home / "data").mkdir(exist_ok=True)
    return run(micropython, "run_operations.py", home, text).splitlines()


def test_status_as_json_is_one_line_with_all_that_is_known(micropython: MicroPython, tmp_path: Path) -> None:
    lines = type_lines(micropython, tmp_path, "status --json\nrepl\n")

    (line,) = (line for line in lines if line.startswith("{"))
    status = json.loads(line)
    assert status["node"] == "stage-0001" and status["slot"] is None and status["trial"] is False
    assert status["errors"][0]["stage"] == "broker" and status["errors"][0]["remedy"] == "check network"
    assert status["sensors"] == [{"name": "jsn_sr04t", "ok": True, "error": "", "values": {"level_m": "3.120"}}]


def test_every_line_has_an_answer_and_sampling_goes_on(micropython: MicroPython, tmp_path: Path) -> None:
    text = "help\r\n\r\nsample\nerrors\nsettings\ndance\n" + "x" * 500 + "\n\xff\nidentify\nreset\nrepl\n"
    lines = type_lines(micropython, tmp_path, text)

    said = "\n".join(lines)
    for answer in (
        "status [--json]",
        "seq: ",
        "cannot reach gateway.local:8883",
        "wifi_ssid: city-iot",
        "no such line: dance",
        "that line is too long",
        "here I am",
        "if you mean it: reset yes",
    ):
        assert answer in said, answer
    assert "repl" in lines and lines[-1].startswith("stopped True samples ")


def test_identify_blinks(micropython: MicroPython, tmp_path: Path) -> None:
    lines = type_lines(micropython, tmp_path, "identify 1\nreboot\n")

    assert "here I am" in lines and "led 1" in lines and "restart as asked" in lines


def test_a_reboot_stops_the_node_first(micropython: MicroPython, tmp_path: Path) -> None:
    lines = type_lines(micropython, tmp_path, "reboot\n")

    assert "reboot: under way" in lines and lines[-2] == "restart as asked"
    assert lines[-1].startswith("stopped True")


def test_a_factory_reset_forgets_settings_and_identity_and_no_reading(
    micropython: MicroPython, tmp_path: Path
) -> None:
    for name in ("settings.json", "node.key", "node.crt", "ca.crt", "data/outbox"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    lines = type_lines(micropython, tmp_path, "reset yes\n")

    assert "restart settings and identity are forgotten" in lines
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left >= {"data/outbox"} and not left & {"settings.json", "node.key", "node.crt", "ca.crt"}


def start(micropython: MicroPython, home: Path, text: str = "") -> str:
    """Start the firmware and type; return what it said."""
    return run(micropython, "run_start.py", home, text)


def fail(micropython: MicroPython, home: Path, times: int = 3) -> None:
    for _ in range(times):
        said = start(micropython, home)
        assert "settings.json is missing" in said and "provision the node" in said and "again True" in said


def test_after_three_failed_starts_only_the_console_and_the_reason_are_left(
    micropython: MicroPython, tmp_path: Path
) -> None:
    fail(micropython, tmp_path)

    said = start(micropython, tmp_path, "status --json\nsample\nerrors\nrepl\n")
    assert "safe mode after 3 failed starts" in said and "settings.json is missing" in said
    (line,) = (line for line in said.splitlines() if line.startswith("{"))
    status = json.loads(line)
    assert "settings.json is missing" in status["safe_mode"] and status["failed_starts"] == 3
    assert status["errors"][0]["stage"] == "start" and "not now: sample" in said
    assert said.endswith("again False\n")


def test_safe_mode_ends_by_a_word_or_by_other_settings(micropython: MicroPython, tmp_path: Path) -> None:
    fail(micropython, tmp_path)
    assert start(micropython, tmp_path, "reboot\n").endswith("again True\n")

    fail(micropython, tmp_path)
    assert "safe mode" in start(micropython, tmp_path, "repl\n")
    (tmp_path / "settings.json").write_text('{"node": "stage-0001"}')
    said = start(micropython, tmp_path)
    assert "safe mode" not in said and "settings lack" in said


@pytest.mark.parametrize(
    ("setting", "refused"),
    [
        ({"sensors": [{"driver": "rain", "bus": "pin1"}]}, "rain is listened to all the time, and this node"),
        ({"lamp": {"output": "relay", "bus": "out1"}}, "a node that sleeps cannot keep a lamp"),
    ],
)
def test_a_node_that_would_sleep_through_its_work_says_so_and_does_not_begin(
    micropython: MicroPython, tmp_path: Path, setting: dict[str, object], refused: str
) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({**SETTINGS, "sleep": True, **setting}))

    said = start(micropython, tmp_path)

    assert f"the node cannot go on: {refused}" in said and "remedy: set sleep to false" in said


def test_power_cuts_are_no_failed_starts(micropython: MicroPython, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    for _ in range(4):
        process = subprocess.Popen(
            micropython.command("run_start.py"),
            env=micropython.environment(CITYNEURON_HOME=str(tmp_path)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert "stage-0001, boot" in process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
    assert not (tmp_path / "data" / "failed").exists()


def test_health_keeps_its_promises_at_every_cut_of_the_power(micropython: MicroPython, tmp_path: Path) -> None:
    lines = micropython.run("check_health.py", tmp_path / "flash")

    assert len(lines) == 7 and all(line.startswith("ok ") for line in lines)
