"""What a bench found, kept as JSON: every run, the machine, the versions, the command."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import servers

PROJECT = servers.PROJECT
RESULTS = PROJECT / "bench" / "results"
TRIALS = PROJECT / ".cache" / "bench" / "results"  # of --quick: not what the page is made of

Run = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what every bench understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="one small run: to see where one stands")
    parser.add_argument("--runs", type=int, default=3, help="of each contender, in turns")
    return parser


def save(name: str, chosen: argparse.Namespace, runs: dict[str, list[Run]], **more: Any) -> None:
    """Write what was found, and show it."""
    folder = TRIALS if chosen.quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "name": name, "quick": chosen.quick, "command": command(name, sys.argv[1:]),
        "time": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "machine": machine(), "versions": versions(),
        **more, "runs": runs,
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    for contender, found in runs.items():
        print(f"{name}, {contender}:", json.dumps(medians(found)), flush=True)


def command(name: str, words: list[str]) -> str:
    """Return how to run this bench again."""
    args = " ".join(words)
    return f"make bench BENCH={name}" + (f' ARGS="{args}"' if args else "")


def load(name: str, *, quick: bool) -> dict[str, Any] | None:
    """Return what a bench found last, None if it never ran."""
    path = (TRIALS if quick else RESULTS) / f"{name}.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def medians(runs: list[Run]) -> dict[str, float]:
    """Return the median of each figure over the runs that have it."""
    keys = dict.fromkeys(key for run in runs for key in run)
    return {key: statistics.median(run[key] for run in runs if key in run) for key in keys}


def spread(runs: list[Run], key: str) -> tuple[float, float]:
    """Return the least and the greatest of a figure."""
    values = [run[key] for run in runs if key in run]
    return min(values), max(values)


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of all values do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * share) - 1)]


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, without a name or an address."""
    cpu = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": f"{cpu}, {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 1e9, 1),
        "kernel": platform.release().split("-")[0],
    }


def versions() -> dict[str, str]:
    """Return the versions of all that took part."""
    return {
        "City Neuron": f"{version('cityneuron')}, commit {_commit()}",
        "Python": platform.python_version(),
        "Mosquitto": _says("mosquitto", "-h").split()[2],
        "InfluxDB": _says("influxd", "version").split()[1].removeprefix("v"),
        "SQLite": sqlite3.sqlite_version,
        "paho-mqtt": version("paho-mqtt"),
        "influxdb-client": version("influxdb-client"),
    }


def _commit() -> str:
    found = _git("rev-parse", "--short=10", "HEAD")
    return found + (" and changes" if _git("status", "--porcelain", "--", "*.py") else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _says(name: str, word: str) -> str:
    done = subprocess.run([servers.program(name), word], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0]
