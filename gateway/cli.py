"""The gateway's commands: `gateway run`, `ledger`, `quarantine list`."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from edge.model.errors import ConfigError
from edge.shell import run_service
from gateway.account import COUNTS, OVERWRITTEN, REASONS, RESTARTED, Counts
from gateway.app import JOURNAL, Gateway, run_gateway
from gateway.config import load_config
from gateway.ledger import Drop
from gateway.statement import ledger_document, mark_for_retry, read_accounts, read_norths, read_quarantine
from gateway.tally import GivenUp, Tally

app = typer.Typer(no_args_is_help=True, add_completion=False)
quarantine_app = typer.Typer(no_args_is_help=True, add_completion=False)

DataOption = Annotated[
    Path, typer.Option("--data", envvar="CITYNEURON_DATA", help="The data folder of `up`, or a gateway's own.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback()
def gateway() -> None:
    """Run a gateway."""


@quarantine_app.callback()
def quarantine() -> None:
    """See what could not be stored, and why."""


@app.command("run")
def run(
    config: Annotated[Path, typer.Option("--config", help="gateway.toml; see gateway/gateway.sample.toml.")],
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
) -> None:
    """Run one gateway until Ctrl-C or SIGTERM."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    asyncio.run(run_service(run_gateway(load_config(config), started=_spare_collections)))


def _spare_collections(_: Gateway) -> None:
    """Let the cyclic garbage collector look seldom: what a gateway keeps is large and makes no cycles.

    With ten thousand nodes it takes a quarter of the time at its defaults, and stops everything for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def ledger(
    data: DataOption = Path("city-data"),
    node: Annotated[str | None, typer.Option("--node", help="Only this node.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tally for every reading: produced = stored + queued + dropped + quarantined + missing."""
    accounts = read_accounts(journal_in(data))
    norths = read_norths(journal_in(data)) if node is None else {}
    if node is not None:
        if node not in accounts:
            raise ConfigError(f"the ledger knows no node {node!r}", remedy="`cityneuron ledger` lists them")
        accounts = {node: accounts[node]}
    if as_json:
        typer.echo(json.dumps(ledger_document(accounts, norths)))
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), caption="produced = " + " + ".join(COUNTS[1:]))
    table.add_column("node", overflow="ellipsis", no_wrap=True)
    for name in COUNTS:
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("", justify="center", min_width=1)
    for name, counts in sorted(accounts.items()):
        _add(table, name, counts)
    table.add_section()
    total = sum(accounts.values(), Counts())
    _add(table, f"all {len(accounts)}", total)
    console = Console()
    console.print(table)
    for reason, count in sorted(total.reasons.items()):
        console.print(f"  {count:>12,} {_REASONS[reason]}")
    if norths:
        _print_norths(console, norths)


def _print_norths(console: Console, norths: dict[str, Tally]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), caption="taken = delivered + waiting + given up")
    table.add_column("north", overflow="ellipsis", no_wrap=True)
    for name in ("taken", "delivered", "waiting", "given up"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", justify="center", min_width=1)
    for name, account in sorted(norths.items()):
        counts = (account.taken, account.delivered, account.waiting, account.given_up.total())
        table.add_row(name, *(f"{count:,}" for count in counts), "✓" if account.balanced else "[red]✗[/red]")
    console.print(table)
    for name, account in sorted(norths.items()):
        for reason, count in sorted(account.given_up.items()):
            console.print(f"  {count:>12,} {name}: {_GIVEN_UP[GivenUp(reason)]}")


_REASONS = {
    RESTARTED: "missing: in the memory of a node that restarted",
    OVERWRITTEN: "missing: the node's memory was full, newer readings took the place",
    f"dropped_{Drop.THINNED}": "dropped: thinned out when room ran short",
    f"dropped_{Drop.NO_ROOM}": "dropped: no room was left, and thinning had not sufficed",
    f"dropped_{Drop.TOO_OLD}": "dropped: waited longer than [backlog] allows",
    f"dropped_{Drop.QUARANTINE_FULL}": "dropped: quarantine was full, the oldest gave way",
}
assert set(_REASONS) == set(REASONS)
_GIVEN_UP = {
    GivenUp.NO_ROOM: "given up: no room in its most_mb, or on the disk",
    GivenUp.TOO_OLD: "given up: waited longer than its keep_days",
    GivenUp.NOT_ENCODED: "given up: its format cannot say them",
    GivenUp.DAMAGED: "given up: damaged on the gateway's disk",
}
assert set(_GIVEN_UP) == set(GivenUp)


@quarantine_app.command("list")
def quarantine_list(
    data: DataOption = Path("city-data"),
    node: Annotated[str | None, typer.Option("--node", help="Only this node.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what is quarantined: reason, node, time and bytes."""
    count, entries = read_quarantine(journal_in(data), limit, node)
    if as_json:
        rows = [{**entry, "payload": entry["payload"].hex()} for entry in entries]
        typer.echo(json.dumps({"count": count, "entries": rows}))
        return
    console = Console()
    if not count:
        console.print("Nothing is quarantined.")
        return
    table = Table(
        title=f"Quarantine: {count} entries, the newest {len(entries)}", box=SIMPLE_HEAD, padding=(0, 1)
    )
    for name in ("id", "time (UTC)", "node", "readings"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("id", "readings") else "left")
    table.add_column("why, and its first bytes")
    for entry in entries:
        when = datetime.fromtimestamp(entry["time_ms"] / 1000, UTC)
        data_hex = entry["payload"][:12].hex(" ") + (" …" if len(entry["payload"]) > 12 else "")
        table.add_row(
            str(entry["id"]),
            f"{when:%m-%d %H:%M:%S}",
            entry["node"],
            str(entry["readings"]),
            f"[yellow]{entry['reason']}[/]: {_printable(entry['detail'])}\n[dim]{data_hex or '(empty)'}[/]",
        )
    console.print(table)


@quarantine_app.command("retry")
def quarantine_retry(
    ids: Annotated[
        list[int] | None, typer.Argument(help="Entries by their id; none: all that is chosen.")
    ] = None,
    data: DataOption = Path("city-data"),
    node: Annotated[str | None, typer.Option("--node", help="Entries of this node.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Entries with this reason.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything in quarantine.")] = False,
    payload: Annotated[
        Path | None, typer.Option("--payload", help="A file with the repaired payload of one entry.")
    ] = None,
) -> None:
    """Try quarantined entries again, after the cause was mended; the running gateway takes them up."""
    if not (ids or node or reason or every):
        raise ConfigError("nothing is chosen", remedy="name ids, --node, --reason or --all")
    if payload is not None and len(ids or []) != 1:
        raise ConfigError("--payload repairs one entry", remedy="name its id")
    repaired = payload.read_bytes() if payload else None
    count = mark_for_retry(journal_in(data), ids=ids or [], node=node, reason=reason, payload=repaired)
    typer.echo(f"{count} entries are tried again; what still cannot be stored returns with its reason.")


def journal_in(data: Path) -> Path:
    """Return the journal of a data folder, be it that of `up` or a gateway's own."""
    own = data / JOURNAL
    return own if own.exists() else data / "gateway" / JOURNAL


def _add(table: Table, name: str, counts: Counts) -> None:
    row = [f"{value:,}" for value in counts.to_dict().values()]
    table.add_row(name, *row, "✓" if counts.balanced else "[red]✗[/red]")


def _printable(text: str) -> str:
    shown = "".join(c if c.isprintable() else "·" for c in text[:120])
    return shown.replace("[", "\\[")
