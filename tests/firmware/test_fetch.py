"""scripts/micropython finds the machine's own mirror, whichever way its sources are written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import servers

SCRIPT = servers.PROJECT / "scripts" / "micropython"


def codename() -> str:
    """Return the name of this machine's release."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_CODENAME="))


ONE_LINE = """\
deb [arch=amd64] http://mirror.example/debian {codename} main contrib
deb http://security.example/debian-security {codename}-security main
deb http://vendor.example/apt stable-of-theirs main
"""
DEB822 = """\
Types: deb
URIs: http://mirror.example/debian
Suites: {codename} {codename}-updates
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: {codename}-security
Components: main
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if name not in ("MICROPYTHON", "DEBIAN_MIRROR")}
    return subprocess.run(
        [SCRIPT, *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("name", "text"), [("sources.list", ONE_LINE), ("debian.sources", DEB822)])
def test_the_mirror_is_read_from_both_kinds_of_sources(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text.format(codename=codename()), encoding="utf-8")

    assert run("--mirrors", APT_SOURCES=str(tmp_path)).stdout == "http://mirror.example/debian\n"


def test_sources_without_a_mirror_are_an_error_with_a_remedy(tmp_path: Path) -> None:
    result = run("--mirrors", APT_SOURCES=str(tmp_path))

    assert result.returncode == 1 and result.stdout == ""
    assert "name no Debian mirror" in result.stderr and "remedy: set DEBIAN_MIRROR" in result.stderr


def test_a_mirror_out_of_reach_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    result = run(DEBIAN_MIRROR="http://127.0.0.1:9/debian", MICROPYTHON_CACHE=str(tmp_path))

    assert result.returncode == 1 and f"{tmp_path}/log" in result.stderr
