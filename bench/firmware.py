"""What a reading costs a node to encode: bytes, allocation, time; beside SenML as JSON and as CBOR.

Run: make bench BENCH=firmware. On the real MicroPython (scripts/micropython), medians of five runs. What the
three codecs write, and how, stands in bench/on_micropython/codecs.py. `in 100 KB`: whether one encoding without
a collection fits into a heap of that size.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SCRIPT = Path(__file__).with_name("on_micropython") / "codecs.py"
VECTORS = PROJECT / "tests" / "firmware" / "on_micropython" / "check_vectors.py"
CODECS = ("native", "senml-json", "senml-cbor")
RUNS = 5
LARGE_KW, SMALL_KW = 1024, 100


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of the table: None for what a heap did not hold."""

    codec: str
    rows: int
    size: int | None
    allocated: int | None
    microseconds: int | None


def run(micropython: str, heap_kw: int, script: Path, *arguments: object) -> list[str]:
    """Run a script on MicroPython with the firmware on its path; return its lines."""
    firmware = PROJECT / "firmware"
    done = subprocess.run(
        [micropython, "-X", f"heapsize={heap_kw}wK", str(script), *map(str, arguments)],
        env={**os.environ, "MICROPYPATH": f"{firmware / 'lib'}:{firmware}:.frozen"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def costs(micropython: str, heap_kw: int, codec: str) -> list[Cost]:
    """Measure one codec in a process of its own."""
    lines = [line.split() for line in run(micropython, heap_kw, SCRIPT, codec)]
    return [
        Cost(name, int(rows), *(None if figure == "-" else int(figure) for figure in figures))
        for name, rows, *figures in lines
    ]


def table(measured: Sequence[Sequence[Cost]], small: Sequence[Cost]) -> list[str]:
    """Return the lines of the table: medians over the runs."""
    lines = [f"{'codec':<12}{'rows':>5}{'bytes':>9}{'allocated':>12}{'ms':>9}   in 100 KB"]
    for index, first in enumerate(measured[0]):
        runs = [costs[index] for costs in measured]
        ms = statistics.median(cost.microseconds or 0 for cost in runs) / 1000
        fits = "yes" if small[index].size is not None else "no"
        lines.append(f"{first.codec:<12}{first.rows:>5}{first.size:>9}{first.allocated:>12}{ms:>9.2f}   {fits}")
    return lines


def main() -> None:
    """Print the table, after the byte vectors that pin the native codec on both sides."""
    fetch = subprocess.run([PROJECT / "scripts" / "micropython"], capture_output=True, text=True, check=True)
    micropython = fetch.stdout.strip()
    vectors = run(micropython, 128, VECTORS, PROJECT / "tests" / "vectors" / "native.json")
    version = run(micropython, LARGE_KW, SCRIPT, "--version")[0]
    print(f"{version}; six quantities; medians of {RUNS} runs; {len(vectors)} byte vectors agree")
    measured = [[cost for codec in CODECS for cost in costs(micropython, LARGE_KW, codec)] for _ in range(RUNS)]
    small = [cost for codec in CODECS for cost in costs(micropython, SMALL_KW, codec)]
    print("\n".join(table(measured, small)))


if __name__ == "__main__":
    main()
