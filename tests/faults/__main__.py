"""`make faults`: seeded faults on real servers, then the audit. Exit code 1 when custody did not hold."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from faults.fingerprint import differences
from faults.report import WIDTH, Report, show
from faults.run import load_scenario, run
from rich.console import Console

from edge.model.errors import CityError


def _told_after(began_s: float) -> Callable[[str], None]:
    """Return what tells the user, on standard error, what happens now."""
    return lambda words: print(f"{time.monotonic() - began_s:6.1f} s  {words}", file=sys.stderr, flush=True)


def main() -> int:
    """Run one scenario and print what became of every reading."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--scenario", default="everything", help="of simulators/scenarios/, or a .toml file")
    parser.add_argument("--faults", type=int, help="how many (default: as the scenario says)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same plan and ledger")
    parser.add_argument("--only", help="only these sorts of faults, with commas between")
    parser.add_argument("--repeat", type=int, default=1, help="so many runs, which must end with one ledger")
    parser.add_argument("--keep", type=Path, help="keep all files of the run in this new folder")
    options = parser.parse_args()
    scenario = load_scenario(options.scenario)
    if options.only:
        scenario = scenario.only(options.only.split(","))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    reports: list[Report] = []
    for number in range(1, options.repeat + 1):
        with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as temporary:
            folder = (options.keep or Path(temporary)) / f"run-{number}"
            tell = _told_after(time.monotonic())
            reports.append(asyncio.run(run(folder, scenario, options.seed, options.faults, tell)))
        show(reports[-1], console)
    return 0 if all(report.clean for report in reports) and _same(reports, console) else 1


def _same(reports: list[Report], console: Console) -> bool:
    """Say whether all runs ended with one ledger."""
    first, *others = reports
    for number, other in enumerate(others, 2):
        for line in differences(first.ledger, other.ledger):
            console.print(f"RUN {number} {line}", style="red", markup=False, soft_wrap=True)
    same = len({report.fingerprint for report in reports}) == 1
    if others:
        words = "[bold green]THE SAME LEDGER[/]" if same else "[bold red]THE LEDGERS DIFFER[/]"
        console.print(f"{words}: {', '.join(report.fingerprint for report in reports)}", highlight=False)
    return same


try:
    sys.exit(main())
except CityError as error:
    sys.exit(str(error))
