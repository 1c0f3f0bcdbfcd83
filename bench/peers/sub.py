"""mosquitto_sub, which takes messages and does nothing with them: the limit of what can be taken from a broker.

Debian's mosquitto-clients is unpacked into the cache where it is not installed; nothing of the system changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bench.results import PROJECT

CACHE = PROJECT / ".cache" / "bench" / "mosquitto-clients"
PACKAGES = ("mosquitto-clients", "libmosquitto1", "libcjson1")


def command() -> tuple[list[str], dict[str, str]]:
    """Return the program and the environment it needs."""
    installed = shutil.which("mosquitto_sub")
    if installed:
        return [installed], dict(os.environ)
    if not (CACHE / "usr/bin/mosquitto_sub").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        quiet = ["-q", "-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else ["-q"]
        subprocess.run(["apt-get", *quiet, "download", *PACKAGES], cwd=CACHE, check=True, capture_output=True)
        for package in CACHE.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, CACHE], check=True)
    libraries = [str(path) for path in CACHE.glob("usr/lib/*-linux-gnu*")]
    return [str(CACHE / "usr/bin/mosquitto_sub")], {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


class Subscriber:
    """mosquitto_sub at QoS 1 on a session that exists before the first message; it ends after `count`."""

    def __init__(self, port: int, topics: str, count: int, folder: Path) -> None:
        program, environment = command()
        words = [*program, "-p", str(port), "-t", topics, "-q", "1", "-c", "-i", "sub", "-V", "311"]
        subprocess.run([*words, "-E"], env=environment, check=True, cwd=folder)
        self._process = subprocess.Popen(
            [*words, "-C", str(count)], env=environment, cwd=folder, stdout=subprocess.DEVNULL
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self) -> float:
        """Wait until it has taken them all; return its CPU seconds."""
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        return used.ru_utime + used.ru_stime
