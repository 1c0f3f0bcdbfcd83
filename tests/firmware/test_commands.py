"""The node's side of commands, on a real MicroPython: done once, whatever is delivered twice or cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import servers

if TYPE_CHECKING:
    from conftest import MicroPython

VECTORS = servers.PROJECT / "tests" / "vectors" / "commands.json"


def test_both_sides_agree_on_the_bytes_of_commands_and_replies(micropython: MicroPython) -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))

    assert micropython.run("check_command_vectors.py", VECTORS) == [f"ok {row['name']}" for row in vectors]


def test_commands_keep_their_promises_at_every_cut_of_the_power(
    micropython: MicroPython, tmp_path: Path
) -> None:
    lines = micropython.run("check_commands.py", tmp_path / "flash")

    kept = [line for line in lines if line.startswith("ok ")]
    (cuts,) = (int(line.split()[1]) for line in lines if line.startswith("cuts "))
    assert len(kept) >= 14 and cuts >= 10
