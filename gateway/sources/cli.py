"""The commands of foreign devices: `source check` reads their tables, `source scan` looks who is on a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from edge.config import load_toml
from gateway.sources.check import Finding, check, is_line, load, on_serial
from gateway.sources.config import Device, SourceConfig

app = typer.Typer(no_args_is_help=True, add_completion=False)
MOST_WORDS = 4


@app.callback()
def source() -> None:
    """Check and find foreign devices; docs/protocols.md says how a [[source]] is written."""


@app.command("check")
def check_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="gateway.toml, or a file with [[source]] tables.")
    ],
) -> None:
    """Explain the [[source]] tables of a file: what each will do, what is wrong, what is suspicious."""
    sources, findings = check(_text(file), load_toml(file), str(file))
    console = Console(highlight=False, width=max(100, Console().width))
    for each in sources:
        show(console, each)
    for finding in findings:
        tell(console, finding, file)
    wrong = sum(finding.wrong for finding in findings)
    devices = sum(len(each.devices) for each in sources)
    if wrong:
        console.print(f"[red]✗[/] {_count(wrong, 'mistake')}: the gateway does not start with this file")
        raise typer.Exit(1)
    doubtful = f", {_count(len(findings), 'warning')}" if findings else ""
    sign = "[yellow]![/]" if findings else "[green]✓[/]"
    console.print(
        f"{sign} {_count(len(sources), 'source')}, {_count(devices, 'device')}{doubtful}, nothing wrong"
    )


def show(console: Console, source: SourceConfig) -> None:
    """Print what a source will do: its way, then its devices."""
    console.print(f"[bold]{escape(source.name)}[/]  {escape(way(source))}", soft_wrap=True)
    table = Table("device", "node", "kind", "period", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    has_series = any(device.series for device in source.devices)
    if has_series:
        table.add_column("series")
    table.add_column("words", overflow="fold")
    for device in source.devices:
        series = [escape(device.series) or "[dim]all others[/]"] if has_series else []
        table.add_row(
            escape(device.id),
            device.node,
            device.kind,
            period(source, device),
            *series,
            escape(words(device, source.protocol)),
        )
    console.print(Padding(table, (0, 0, 0, 2)))
    console.print()


def way(source: SourceConfig) -> str:
    """Say how a source's devices are reached."""
    where = source.address
    if on_serial(source):
        where += f", {source.baud} baud 8{source.parity}1"
    said = {
        "tcp-server": f"devices call {where}",
        "tcp-client": f"we {'ask' if is_line(source) else 'call'} over TCP {where}",
        "serial": f"we {'ask' if is_line(source) else 'listen'} on {where}",
        "mqtt": f"messages from {where}, {', '.join(source.topics)}",
        "http": f"messages are posted to {where}",
    }[source.transport]
    busy = f", busy about {max(1, round(100 * load(source)))} % of the time" if is_line(source) else ""
    return f"{source.protocol}: {said}{busy}"


def period(source: SourceConfig, device: Device) -> str:
    """Say how often a device is asked, or is expected to report."""
    if not device.period_s:
        return "1 min" if is_line(source) else "any time"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if device.period_s >= size and device.period_s % size == 0:
            return f"{device.period_s // size:.0f} {unit}"
    return f"{device.period_s:g} s"


def words(device: Device, protocol: str) -> str:
    """Say what a device's own words mean, and how many the protocol brings."""
    said = []
    for key, (quantity, factor, offset) in device.own.items():
        scale = f" × {factor:g}" if factor != 1 else ""
        shift = f" {'+' if offset > 0 else '-'} {abs(offset):g}" if offset else ""
        said.append(f"{key} → {quantity}{scale}{shift}")
    theirs = len(device.words.keys() - device.own.keys())
    more = [f"{len(said) - MOST_WORDS} more"] if len(said) > MOST_WORDS + 1 else []
    kept = said[:MOST_WORDS] if more else said
    return ", ".join([*kept, *more, *([f"{theirs} of {protocol}"] if theirs else [])]) or "none"


def tell(console: Console, finding: Finding, file: Path) -> None:
    """Print a finding: what, where in the file, what to do."""
    sign = "[bold red]✗[/]" if finding.wrong else "[bold yellow]![/]"
    message = finding.message.removeprefix(f"{file}.")
    where = f"[dim]{escape(str(file))}:{finding.line}[/]  " if finding.line else ""
    console.print(f"{sign} {where}{escape(message)}", soft_wrap=True)
    if finding.remedy:
        console.print(f"  [bold]try:[/] {escape(finding.remedy)}", soft_wrap=True)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # load_toml says what is wrong


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
