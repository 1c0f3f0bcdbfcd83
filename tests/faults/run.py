"""One run: plan, faults, healing, audit, and what is said of it."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.audit import Key, Notes, Point, Verdict, audit
from faults.laboratory import Laboratory, running
from faults.readings import KIND, NAMES, values
from faults.sorts import SORTS
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from servers import PROJECT, InfluxDB

from edge.config import load_toml
from simulators.faults import Scenario, plan, scenario_from

SCENARIOS = PROJECT / "simulators" / "scenarios"
SHOWN = 40


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    verdict: Verdict
    injected: Counter[str]
    sort_of: dict[Key, str]
    troubles: list[str]
    looks: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether everything that is promised held."""
        return self.verdict.clean and not self.troubles


def load_scenario(name: str) -> Scenario:
    """Return a scenario by its name, or by the path of its file."""
    path = Path(name) if name.endswith(".toml") else SCENARIOS / f"{name}.toml"
    return scenario_from(load_toml(path), str(path))


async def run(
    folder: Path,
    scenario: Scenario,
    seed: int,
    faults: int | None = None,
    tell: Callable[[str], None] = lambda words: None,
) -> Report:
    """Let a scenario go wrong, heal, and audit."""
    began_s = time.monotonic()
    faults_planned = plan(scenario, seed, faults)
    async with running(folder, scenario.load, tell) as laboratory:
        await laboratory.carry_out(faults_planned, SORTS, scenario.at_once)
        await laboratory.heal()
        tell("the audit")
        verdict = await asyncio.to_thread(_audit, laboratory)
        begun = sorted(laboratory.begun)
        times = [at_ms for at_ms, _ in begun]
        sort_of = {
            key: begun[at - 1][1] if (at := bisect.bisect_right(times, made.made_ms)) else "(before)"
            for key, made in verdict.made.items()
        }
        injected = Counter(sort for _, sort in begun)
        seconds = time.monotonic() - began_s
        return Report(verdict, injected, sort_of, laboratory.troubles, laboratory.looks, seconds)


def _audit(laboratory: Laboratory) -> Verdict:
    notes = Notes()
    for producer in laboratory.producers:
        with (producer.folder / "produced").open(encoding="ascii") as file:
            notes.read(file)
        notes.cuts |= {(node, boot) for node in laboratory.nodes_of(producer.index) for boot in producer.cuts}
    quarantine = laboratory.gateway.command("quarantine", "list", "--limit", "10000000")["entries"]
    ledger = laboratory.gateway.command("ledger")
    return audit(notes, points(laboratory.store), quarantine, ledger)


def points(store: InfluxDB) -> list[Point]:
    """Return all that the store holds of the laboratory's nodes; a value that failed a check counts too."""
    found = []
    fields = ", ".join(f"{name}{suffix}" for name in NAMES for suffix in ("", "_rejected"))
    query = f'SELECT {fields} FROM {KIND} GROUP BY "node"'
    (result,) = store.query("city", query, epoch="ns")["results"]
    for series in result["series"]:
        node = series["tags"]["node"]
        for time_ns, *cells in series["values"]:
            row = [good if good is not None else bad for good, bad in zip(cells[::2], cells[1::2], strict=True)]
            seq, boot, _ = (-1 if cell is None else int(cell) for cell in row)
            found.append(Point((node, boot, seq), time_ns, row == list(values(node, boot, seq))))
    return found


def show(report: Report, console: Console) -> None:
    """Print what happened, a line a sort, every loss, and everything that is wrong."""
    verdict = report.verdict
    lost = {(loss.node, loss.boot, seq) for loss in verdict.lost for seq in range(loss.first, loss.last + 1)}
    columns: list[tuple[str, Any]] = [
        ("readings", verdict.made), ("stored", verdict.stored), ("quarantined", verdict.quarantined),
        ("lost", lost), ("duplicates", verdict.duplicates), ("unaccounted", verdict.unaccounted),
    ]  # fmt: skip
    counted = [Counter(report.sort_of.get(key, "?") for key in keys) for _, keys in columns]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("sort of fault", no_wrap=True)
    for name in ("faults", *(name for name, _ in columns)):
        table.add_column(name, justify="right", no_wrap=True)
    for sort in sorted({*report.injected, *report.sort_of.values()}):
        table.add_row(sort, str(report.injected[sort]), *(f"{count[sort]:,}" for count in counted))
    table.add_section()
    total = sum(report.injected.values())
    table.add_row("all", str(total), *(f"{len(keys):,}" for _, keys in columns))
    console.print(table)
    console.print("Readings are counted with the fault that began last when they were made.")
    _show_losses(verdict, console)
    wrong = [*verdict.contradictions, *report.troubles]
    wrong += [f"unaccounted: {key}: {why}" for key, why in verdict.unaccounted.items()]
    wrong += [f"twice in the store: {key}" for key in verdict.duplicates]
    for text in wrong[:SHOWN]:
        console.print(f"WRONG {text}", style="red", markup=False, soft_wrap=True)
    if len(wrong) > SHOWN:
        console.print(f"WRONG and {len(wrong) - SHOWN} more", style="red")
    words = "custody held" if report.clean else "CUSTODY WAS BROKEN"
    console.print(
        f"{words}: {total} faults of {len(report.injected)} sorts in {report.seconds:.0f} s; "
        f"the account was asked {report.looks} times."
    )


def _show_losses(verdict: Verdict, console: Console) -> None:
    if not verdict.lost:
        console.print("Nothing was lost.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), title="Lost", title_justify="left")
    for name in ("node", "boot", "readings", "count", "cause"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("boot", "count") else "left")
    for loss in verdict.lost:
        table.add_row(loss.node, str(loss.boot), f"{loss.first}-{loss.last}", str(loss.readings), loss.cause)
    console.print(table)
