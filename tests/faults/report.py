"""What is said of a run: what was done, what became of every reading, every loss, everything that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from faults.audit import LET_GO, Key, Loss, Verdict
from faults.fingerprint import fingerprint
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

SHOWN = 40
WIDTH = 100
"""Columns of an output that is no terminal."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    scenario: str
    seed: int
    verdict: Verdict
    injected: Counter[str]
    sort_of: dict[Key, str]
    troubles: list[str]
    ledger: list[str]
    """Lines of which two runs of a plan without surprises make the same."""
    let_go: Counter[str]
    """Readings that the gateway had no room for, by its reason."""
    looks: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether everything that is promised held."""
        return self.verdict.clean and not self.troubles

    @property
    def fingerprint(self) -> str:
        """A short hash of the ledger."""
        return fingerprint(self.ledger)


def show(report: Report, console: Console) -> None:
    """Print what happened, a line a sort, every loss, and everything that is wrong."""
    console.print(_by_sort(report))
    console.print("Readings are counted with the fault that began last when they were made.\n", style="dim")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.verdict.reasons.most_common())
    console.print(f"Quarantined: {reasons or 'nothing'}.", highlight=False)
    if report.let_go:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.let_go.most_common())
        console.print(f"Let go: {reasons}.", highlight=False)
    _show_losses(report.verdict, console)
    wrong = [*report.verdict.contradictions, *report.troubles]
    wrong += [f"unaccounted: {key}: {why}" for key, why in report.verdict.unaccounted.items()]
    wrong += [f"twice in the store: {key}" for key in report.verdict.duplicates]
    for text in wrong[:SHOWN]:
        console.print(f"WRONG {text}", style="red", markup=False, soft_wrap=True)
    if len(wrong) > SHOWN:
        console.print(f"WRONG and {len(wrong) - SHOWN} more", style="red")
    console.print(
        f"{sum(report.injected.values())} faults of {len(report.injected)} sorts in {report.seconds:.0f} s "
        f"({report.scenario}, seed {report.seed}); the account was asked {report.looks} times.\n"
        f"Ledger {report.fingerprint}"
    )
    words, style = ("CUSTODY HELD", "bold green") if report.clean else ("CUSTODY WAS BROKEN", "bold red")
    verdict = report.verdict
    lost = sum(loss.readings for loss in verdict.lost)
    console.print(
        f"[{style}]{words}[/]: {len(verdict.made):,} readings, {len(verdict.stored):,} stored, "
        f"{len(verdict.quarantined):,} quarantined, {lost:,} lost; "
        f"{len(verdict.duplicates)} twice, {len(verdict.unaccounted)} unaccounted",
        highlight=False,
        soft_wrap=True,
    )


def _by_sort(report: Report) -> Table:
    verdict = report.verdict
    lost = {(loss.node, loss.boot, seq) for loss in verdict.lost for seq in range(loss.first, loss.last + 1)}
    columns: list[tuple[str, Any]] = [
        ("readings", verdict.made), ("stored", verdict.stored), ("quarantined", verdict.quarantined),
        ("lost", lost), ("twice", verdict.duplicates), ("unaccounted", verdict.unaccounted),
    ]  # fmt: skip
    counted = [Counter(report.sort_of.get(key, "?") for key in keys) for _, keys in columns]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("sort of fault", no_wrap=True)
    for name in ("faults", *(name for name, _ in columns)):
        table.add_column(name, justify="right", no_wrap=True)
    for sort in sorted({*report.injected, *report.sort_of.values()}):
        table.add_row(sort, _number(report.injected[sort]), *(_number(count[sort]) for count in counted))
    table.add_section()
    totals = (f"{len(keys):,}" for _, keys in columns)
    table.add_row("all", str(sum(report.injected.values())), *totals)
    return table


def _number(count: int) -> str:
    return f"{count:,}" if count else "·"


def _show_losses(verdict: Verdict, console: Console) -> None:
    if not verdict.lost:
        console.print("Nothing was lost.\n")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), title="Lost", title_justify="left", title_style="bold")
    for name in ("nodes", "boot", "readings", "count", "cause"):
        table.add_column(name, justify="right" if name in ("boot", "readings", "count") else "left")
    for nodes, loss in _together([loss for loss in verdict.lost if loss.cause != LET_GO]):
        count = f"{len(nodes)} x {loss.readings}" if len(nodes) > 1 else str(loss.readings)
        table.add_row(_names(nodes), str(loss.boot), f"{loss.first}-{loss.last}", count, loss.cause)
    for (node, boot), some in groupby(
        [loss for loss in verdict.lost if loss.cause == LET_GO], key=lambda loss: (loss.node, loss.boot)
    ):
        losses = list(some)
        gone = sum(loss.readings for loss in losses)
        table.add_row(node, str(boot), f"in {losses[0].first}-{losses[-1].last}", str(gone), LET_GO)
    console.print(table)


def _together(losses: list[Loss]) -> Iterator[tuple[list[str], Loss]]:
    """Yield losses with the nodes of one producer that have them alike: they went dark together."""

    def alike(loss: Loss) -> tuple[str, int, int, int, str]:
        return loss.node.partition("-")[0], loss.boot, loss.first, loss.last, loss.cause

    for _, group in groupby(sorted(losses, key=lambda loss: (*alike(loss), loss.node)), key=alike):
        some = list(group)
        yield [loss.node for loss in some], some[0]


def _names(nodes: list[str]) -> str:
    first, *rest = nodes
    return " ".join([first, *(name[name.rindex("-") :] for name in rest)])
