"""boot.py on a real MicroPython and a real LittleFS: a node always starts, and returns from what fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import servers

if TYPE_CHECKING:
    from conftest import MicroPython


def test_a_node_always_has_a_slot_to_start_and_returns_from_a_trial(
    micropython: MicroPython, tmp_path: Path
) -> None:
    lines = micropython.run("check_slots.py", servers.PROJECT / "firmware" / "boot.py", tmp_path / "flash")

    assert len(lines) >= 13 and all(line.startswith("ok ") for line in lines)


def test_what_no_update_replaces_is_small() -> None:
    sizes = {name: (servers.PROJECT / "firmware" / name).stat().st_size for name in ("boot.py", "main.py")}

    assert max(sizes.values()) < 3_000, sizes
