"""All the parts of the bench, one after another, then the page: what `make bench` runs.

make bench                       # about half an hour; writes bench/results/ and docs/performance.md
make bench ARGS=--quick          # a few minutes, one small run each; the page goes to .cache/bench/
make bench ARGS=--peers          # Node-RED and ThingsBoard's gateway too, installed into .cache/bench/
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from bench.results import options
from bench.rigs import end_in_order

PARTS = ("throughput", "latency", "recovery", "memory", "drain", "scaling", "alerts", "foreign", "year")


def main() -> None:
    """Run each part in a process of its own; the first that fails ends it."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--peers", action="store_true", help="Node-RED and ThingsBoard's gateway too")
    chosen = parser.parse_args()
    end_in_order()
    words = ["--quick"] if chosen.quick else ["--runs", str(chosen.runs)]
    for part in (*PARTS, *(["others"] if chosen.peers else []), "report"):
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", f"bench.{part}", *words], check=True)
        print(f"== {part}: {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
