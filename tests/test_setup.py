"""Set-up: the locks hold what pyproject.toml asks for, and a failure says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers

PROJECT = servers.PROJECT
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def wanted(requirements: list[str]) -> Iterator[str]:
    """The names that requirements ask for, extras of the project itself opened."""
    for requirement in requirements:
        name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement).groups()  # type: ignore[union-attr]
        if name == PYPROJECT["name"]:
            for extra in extras.split(","):
                yield from wanted(PYPROJECT["optional-dependencies"][extra])
        else:
            yield name.lower().replace("_", "-")


def locked(name: str) -> dict[str, str]:
    """Versions by name."""
    text = (PROJECT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(("lock", "extra"), [("run", "up"), ("dev", "dev")])
def test_a_lock_holds_all_that_is_asked_for(lock: str, extra: str) -> None:
    asked = {*wanted(PYPROJECT["dependencies"]), *wanted(PYPROJECT["optional-dependencies"][extra])}
    assert asked <= locked(lock).keys(), "run: make lock"
    assert {"hatchling", "editables"} <= locked(lock).keys()


def test_both_locks_agree_on_every_version() -> None:
    dev = locked("dev")
    assert {name: dev.get(name) for name in locked("run")} == locked("run")


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_a_lock_has_a_hash_for_all_and_names_no_index(lock: str) -> None:
    text = (PROJECT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[\w.-]+==)", text)[1:]
    assert len(entries) == len(locked(lock))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "index" not in text


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What set-up needs of the project, elsewhere."""
    for name in ("scripts", "requirements"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def test_a_python_that_is_too_old_is_one_clear_line(checkout: Path) -> None:
    result = subprocess.run(
        [checkout / "scripts" / "setup", "run"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": "/bin/false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == "set-up failed: PYTHON=/bin/false is not Python 3.11 or newer\n"
    assert not (checkout / ".venv").exists()


def test_a_package_that_cannot_be_had_shows_the_end_of_the_log_and_where_the_rest_is(checkout: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": "/dev/null",
        "HOME": str(checkout),
    }
    result = subprocess.run(
        [checkout / "scripts" / "setup", "run"],
        env={**environment, "PYTHON": servers.program("python3")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "No matching distribution found" in result.stderr
    assert "the whole log: .cache/setup.log" in result.stderr
    again = subprocess.run(
        [checkout / "scripts" / "setup", "run"],
        env={**environment, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1, "what failed half-way must not pass for done"
