"""`make faults`: seeded faults on real servers, then the audit. Exit code 1 when custody did not hold."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from faults.run import load_scenario, run, show
from rich.console import Console


def _told_after(began_s: float) -> Callable[[str], None]:
    """Return what tells the user, on standard error, what happens now."""
    return lambda words: print(f"{time.monotonic() - began_s:6.1f} s  {words}", file=sys.stderr, flush=True)


def main() -> int:
    """Run one scenario and print what became of every reading."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--scenario", default="everything", help="of simulators/scenarios/, or a .toml file")
    parser.add_argument("--faults", type=int, help="how many (default: as the scenario says)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same plan")
    parser.add_argument("--only", help="only this sort of fault")
    parser.add_argument("--keep", type=Path, help="keep all files of the run in this new folder")
    options = parser.parse_args()
    scenario = load_scenario(options.scenario)
    if options.only:
        scenario = scenario.only(options.only.split(","))
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as temporary:
        folder = options.keep or Path(temporary)
        report = asyncio.run(run(folder, scenario, options.seed, options.faults, _told_after(time.monotonic())))
    show(report, Console(width=None if sys.stdout.isatty() else 120))
    return 0 if report.clean else 1


sys.exit(main())
