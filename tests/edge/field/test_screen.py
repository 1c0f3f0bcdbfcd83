"""What a person sees: alive on a terminal, plain lines in a log, and always what to do next."""

from __future__ import annotations

import io

import pytest
from field_rig import Clock, status
from rich.console import Console

from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.doctor import verdicts
from edge.field.screen import CourseScreen, show_error, show_success, show_verdicts
from edge.field.stages import Course, Stage


def consoles() -> tuple[Console, Console]:
    return Console(file=io.StringIO(), width=80, force_terminal=True), Console(file=io.StringIO(), width=80)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def run(console: Console) -> None:
    show = CourseScreen(console, "provision weather")
    course = Course((Stage.PORT, Stage.CHIP, Stage.FLASH), Clock(), show.changed)
    with pytest.raises(FieldError), show.showing():
        with course.at(Stage.PORT) as step:
            step.detail = "/dev/ttyUSB0, CP210x"
        with course.at(Stage.CHIP):
            course.say("asking", 0.4)
            raise diagnose(Symptom.CHIP_SILENT, port="/dev/ttyUSB0")


def test_a_terminal_shows_every_stage_also_those_to_come() -> None:
    console, _ = consoles()
    run(console)
    shown = text(console)
    for words in ("provision weather", "/dev/ttyUSB0, CP210x", "✓", "✗", "flash", "MicroPython"):
        assert words in shown


def test_a_log_has_one_line_a_stage_without_colours() -> None:
    _, console = consoles()
    run(console)
    assert text(console).splitlines() == [
        "provision weather",
        "port      ok        0.0 s  /dev/ttyUSB0, CP210x",
        "chip      FAILED    0.0 s  asking",
    ]


def test_a_failure_is_told_with_numbered_steps_and_the_exit_code() -> None:
    for console in consoles():
        show_error(
            console, diagnose(Symptom.PORT_BUSY, port="/dev/ttyUSB0", holder=" by picocom (process 812)")
        )
    terminal, log = consoles()
    error = diagnose(Symptom.BAD_PASSWORD, ssid="city-iot")
    show_error(terminal, error)
    assert "stopped at network" in text(terminal) and "exit code 17" in text(terminal)
    show_error(log, error)
    assert text(log).splitlines() == [
        "stopped at network: Wi-Fi city-iot refuses the password",
        "  1. run it again with --ask-password, and type it anew",
        "  2. an access point for WPA3 only refuses too: set it to WPA2/WPA3",
    ]


def test_nothing_that_is_shown_is_wider_than_the_terminal() -> None:
    for symptom in Symptom:
        console, _ = consoles()
        show_error(console, diagnose(symptom, port="/dev/ttyUSB0", said="word " * 60, node="cn-1"))
        lines = Console(file=io.StringIO()).render_str(text(console)).plain.splitlines()
        assert max(map(len, (_strip(line) for line in lines))) <= 80, symptom


def _strip(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_success_says_what_was_reached_and_what_comes_next() -> None:
    terminal, log = consoles()
    for console in (terminal, log):
        show_success(
            console, "cn-1 works", [("first reading", "level_m 2.143")], ["cityneuron node label cn-1"]
        )
    assert "cityneuron node label cn-1" in text(terminal) and "level_m 2.143" in text(log)


def test_verdicts_begin_with_the_sum() -> None:
    console, _ = consoles()
    show_verdicts(console, "cn-1", verdicts(status(clock="unknown"), status().time_ms or 0))
    lines = [_strip(line) for line in text(console).splitlines()]
    assert lines[0] == "✗ cn-1  clock: never set: readings carry no sure time"
    assert lines[1] == "  → let UDP 123 through, or let it ask its gateway"
