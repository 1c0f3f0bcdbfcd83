"""A node's day at accelerated time, at a heap of 128 KB on a LittleFS flash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import MicroPython


def day(micropython: MicroPython, folder: Path, event: str) -> dict[str, int]:
    """Live a day and return its figures."""
    (line,) = micropython.run("run_day.py", folder, event)
    print(f"{event}: {line}")
    words = line.split()
    return {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def test_a_day_of_uptime_allocates_nothing_that_stays(micropython: MicroPython, tmp_path: Path) -> None:
    figures = day(micropython, tmp_path, "calm")

    assert figures["produced"] >= 1_440 and figures["missing"] == figures["dropped"] == figures["copies"] == 0
    assert figures["connections"] == 1
    assert figures["last"] <= figures["first"] + 64


@pytest.mark.parametrize("event", ["wifi", "silence", "broker"])
def test_after_a_day_of_trouble_every_reading_has_arrived(
    micropython: MicroPython, tmp_path: Path, event: str
) -> None:
    figures = day(micropython, tmp_path, event)

    assert figures["produced"] >= 1_440 and figures["missing"] == figures["dropped"] == 0
    assert figures["held"] <= 2
    assert (figures["connections"] > 1) is (event != "silence")
    assert figures["last"] <= figures["first"] + 4_096
