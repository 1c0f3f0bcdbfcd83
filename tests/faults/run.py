"""One run: plan, faults, healing, audit."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faults.audit import LET_GO, Notes, Point, Verdict, audit
from faults.fingerprint import ledger_lines, strays_in
from faults.laboratory import Laboratory, running
from faults.readings import GUEST_KINDS, KIND, NAMES, values
from faults.report import Report
from faults.sorts import SORTS
from servers import PROJECT, InfluxDB

from edge.config import load_toml
from edge.model.errors import ConfigError
from simulators.faults import Scenario, plan, scenario_from

SCENARIOS = PROJECT / "simulators" / "scenarios"


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
    if sum(fault.sort == "store_type_conflict" for fault in faults_planned) > len(GUEST_KINDS):
        raise ConfigError(
            "more store_type_conflict than node kinds: the types of a measurement can be spoiled once",
            remedy=f"plan at most {len(GUEST_KINDS)} of them",
        )
    async with running(folder, scenario, seed, tell) as laboratory:
        await laboratory.carry_out(faults_planned, SORTS, scenario.at_once)
        await laboratory.heal()
        tell("the audit")
        verdict, ledger, let_go = await asyncio.to_thread(_audit, laboratory)
        begun = sorted(laboratory.begun)
        times = [at_ms for at_ms, _ in begun]
        sort_of = {
            key: begun[at - 1][1] if (at := bisect.bisect_right(times, made.made_ms)) else "(before)"
            for key, made in verdict.made.items()
        }
        return Report(
            scenario=scenario.name,
            seed=seed,
            verdict=verdict,
            injected=Counter(sort for _, sort in begun),
            sort_of=sort_of,
            troubles=[*laboratory.troubles, *_surprises(laboratory, verdict)],
            ledger=ledger,
            let_go=let_go,
            looks=laboratory.looks,
            seconds=time.monotonic() - began_s,
        )


def _audit(laboratory: Laboratory) -> tuple[Verdict, list[str], Counter[str]]:
    """Return what became of every reading, the ledger of this run, and why the gateway let readings go."""
    notes = Notes()
    for producer in laboratory.everybody:
        with (producer.folder / "produced").open(encoding="ascii") as file:
            notes.read(file)
        notes.cuts |= {(node, boot) for node in producer.names for boot in producer.cuts}
    quarantine = laboratory.gateway.quarantine()
    ledger = laboratory.gateway.command("ledger")
    verdict = audit(notes, points(laboratory.store), quarantine, ledger)
    return verdict, ledger_lines(verdict, ledger, strays_in(quarantine)), _let_go(verdict, ledger)


def _let_go(verdict: Verdict, ledger: Mapping[str, Any]) -> Counter[str]:
    """Return why the gateway let readings of the nodes go; it may have let go of one of its own, too."""
    nodes = {node for node, _, _ in verdict.made}
    reasons = Counter[str]()
    for row in ledger["nodes"]:
        if row["node"] in nodes:
            reasons.update(row["reasons"])
    return Counter({name: count for name, count in reasons.items() if name.startswith("dropped_")})


def _surprises(laboratory: Laboratory, verdict: Verdict) -> list[str]:
    """Return what was lost and should not have been, and the other way round, where the plan says what is."""
    let_go = {loss for loss in verdict.lost if loss.cause == LET_GO and laboratory.short_of_room}
    found = {loss for loss in verdict.lost if (loss.node, loss.boot) not in laboratory.mid_flow} - let_go
    planned = set(laboratory.planned)
    return [f"lost, though not planned: {loss}" for loss in sorted(found - planned, key=str)] + [
        f"not lost, though nobody but its node can have had it: {loss}"
        for loss in sorted(planned - found, key=str)
    ]


def points(store: InfluxDB) -> list[Point]:
    """Return all that the store holds of the laboratory's nodes; a value that failed a check counts too."""
    fields = ", ".join(f"{name}{suffix}" for name in NAMES for suffix in ("", "_rejected"))
    found = []
    for kind in (KIND, *GUEST_KINDS):
        (result,) = store.query("city", f'SELECT {fields} FROM {kind} GROUP BY "node"', epoch="ns")["results"]
        for series in result.get("series", ()):
            node = series["tags"]["node"]
            found += [_point(node, time_ns, cells) for time_ns, *cells in series["values"]]
    return found


def _point(node: str, time_ns: int, cells: list[float | None]) -> Point:
    row = [good if good is not None else bad for good, bad in zip(cells[::2], cells[1::2], strict=True)]
    seq, boot, _ = (-1 if cell is None else int(cell) for cell in row)
    return Point((node, boot, seq), time_ns, row == list(values(node, boot, seq)))
