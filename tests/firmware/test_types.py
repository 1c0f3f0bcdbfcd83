"""mypy judges the firmware by the stubs of the boards' own modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import servers

FIRMWARE = servers.PROJECT / "firmware"
WITHIN_S = 110
BOARDS = {"esp32": "boards/esp32.py", "rp2": "boards/pico_w.py"}


@pytest.fixture(scope="session")
def stubs() -> str:
    """The folder of stubs, fetched by the first test that asks."""
    fetch = subprocess.run(
        [servers.PROJECT / "scripts" / "stubs"], capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    if fetch.returncode != 0:
        pytest.fail(fetch.stderr, pytrace=False)
    return fetch.stdout.strip()


def mypy(stubs: str, port: str, *files: str) -> subprocess.CompletedProcess[str]:
    """Check files of the firmware as a port of MicroPython sees them."""
    folder = f"{stubs}/{port}"
    return subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", str(FIRMWARE / "mypy.ini")),
            *("--custom-typeshed-dir", folder, *files),
        ],
        cwd=FIRMWARE,
        env={**os.environ, "MYPYPATH": f"{folder}:{FIRMWARE}:{FIRMWARE / 'lib'}"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


@pytest.mark.parametrize("port", sorted(BOARDS))
def test_the_firmware_uses_a_boards_modules_as_they_are(stubs: str, port: str) -> None:
    shared = [str(file) for part in ("lib", "drivers") for file in sorted((FIRMWARE / part).rglob("*.py"))]

    done = mypy(stubs, port, "boot.py", "main.py", BOARDS[port], *shared)

    assert done.returncode == 0, done.stdout


def test_a_misspelt_call_is_found(stubs: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("import machine\nmachine.UART(1, baudrate=9600).any_bytes()\n", encoding="utf-8")

    done = mypy(stubs, "esp32", str(file))

    assert done.returncode == 1 and '"UART" has no attribute "any_bytes"' in done.stdout
