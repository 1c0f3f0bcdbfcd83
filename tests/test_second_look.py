"""What fails in the whole run is looked at a second time: a fault stays one, what passes then is named."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import servers

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
UNSTEADY = """
from pathlib import Path

def test_it():
    before = Path(__file__).with_name("before")
    tried = before.exists()
    before.touch()
    assert tried
"""


def look_again(folder: Path, *failed: str, first: int = 1, second: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script, with the notes of a run in which these tests failed."""
    noted = folder / "notes" / "others" / "v" / "cache" / "lastfailed"
    noted.parent.mkdir(parents=True)
    noted.write_text(json.dumps(dict.fromkeys((f"{folder}/{name}" for name in failed), True)))
    command = [servers.PROJECT / "scripts" / "tests-again", str(first), str(second), folder / "notes"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a test that passes the second time, and one that never does."""
    (tmp_path / "test_unsteady.py").write_text(UNSTEADY)
    (tmp_path / "test_broken.py").write_text("def test_it():\n    assert 1 == 2\n")
    return tmp_path


def test_what_passes_the_second_time_is_named(folder: Path) -> None:
    subprocess.run(
        [servers.PROJECT / ".venv/bin/pytest", "-q", folder / "test_unsteady.py"], check=False, env=ENVIRONMENT
    )
    done = look_again(folder, "test_unsteady.py::test_it", first=0, second=1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"UNSTEADY, it failed at first (see above): {folder}/test_unsteady.py::test_it" in done.stdout


def test_a_fault_stays_a_fault(folder: Path) -> None:
    (folder / "before").touch()
    done = look_again(folder, "test_unsteady.py::test_it", "test_broken.py::test_it")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "assert 1 == 2" in done.stdout and "UNSTEADY" not in done.stdout


def test_a_run_that_broke_off_is_not_looked_at_again(folder: Path) -> None:
    assert look_again(folder, "test_unsteady.py::test_it", first=1, second=2).returncode == 2


def test_a_run_that_noted_nothing_has_failed(folder: Path) -> None:
    assert look_again(folder).returncode == 1


def test_nothing_is_looked_at_when_all_passed(folder: Path) -> None:
    done = look_again(folder, "test_broken.py::test_it", first=0)
    assert (done.returncode, done.stdout) == (0, "")
