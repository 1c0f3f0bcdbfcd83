"""The outbox on LittleFS: what a restart and a power cut leave of it, and how long the flash lasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.model.kinds import KINDS

if TYPE_CHECKING:
    from conftest import MicroPython

CUTS = 120
RIG_HEAP_KW = 512
"""The judge keeps lists of all readings beside the node."""
CYCLES = 10_000
UNEVEN = 1.5
"""How much more than the mean the most worn block is erased in the long run, rounded up: firmware/README.md."""
DAYS = 3
DAYS_A_YEAR = 365.25


def test_readings_outlive_restarts(micropython: MicroPython, tmp_path: Path) -> None:
    lines = micropython.run("check_flash.py", tmp_path)

    assert len(lines) >= 18 and all(line.startswith("ok ") for line in lines)


def test_a_power_cut_at_any_write_loses_no_reading_that_was_safe(
    micropython: MicroPython, tmp_path: Path
) -> None:
    writes, cuts = micropython.run("check_power_cuts.py", tmp_path, CUTS, heap_kw=RIG_HEAP_KW)
    print(f"power cut at {CUTS} of {writes}")

    assert int(writes.split()[1]) > CUTS and cuts == f"cuts {CUTS}"


@pytest.mark.parametrize(
    ("case", "blocks", "firmware_kb", "outbox_kb", "write_every_s"),
    [
        ("ESP32, 4 MB", 512, 600, 256, 1800),
        ("ESP32, 4 MB, a gateway that never acknowledges", 512, 600, 256, 300),
        ("Pico W", 212, 600, 96, 1800),
    ],
)
def test_the_flash_lasts_ten_years_at_the_shortest_default_period(
    micropython: MicroPython,
    tmp_path: Path,
    case: str,
    blocks: int,
    firmware_kb: int,
    outbox_kb: int,
    write_every_s: int,
) -> None:
    nodes = [kind for kind in KINDS.values() if kind.name != "gateway"]
    period_s = int(min(kind.period_s for kind in nodes))
    columns = max(len(kind.quantities) for kind in nodes if kind.period_s == period_s)
    arguments = (blocks, firmware_kb, outbox_kb, columns, period_s, write_every_s, DAYS)

    (line,) = micropython.run("measure_wear.py", tmp_path, *arguments, heap_kw=RIG_HEAP_KW)

    days, writes, erases, _, sharing = map(int, line.split())
    years = CYCLES / (UNEVEN * erases / sharing / days) / DAYS_A_YEAR
    print(
        f"{case}, {columns} quantities every {period_s} s: {writes} writes and {erases} erases in {days} days,"
        f" shared by {sharing} blocks: the most worn lasts {years:.0f} years of {CYCLES} cycles"
    )
    assert years >= 10
