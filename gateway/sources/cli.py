"""The commands of foreign devices: `source check` reads their tables, `source scan` looks who is on a line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from edge.adapters.modbus.request import LAST_UNIT, Framing
from edge.config import load_toml
from edge.model.errors import CityError, ConfigError
from gateway.sources.check import Finding, check, is_line, load, on_serial
from gateway.sources.config import Device, SourceConfig
from gateway.sources.scan import SETTINGS, Parity, Search, sample, scan
from gateway.sources.watch import Watch

app = typer.Typer(no_args_is_help=True, add_completion=False)
MOST_WORDS = 4


@app.callback()
def source() -> None:
    """Check and find foreign devices; docs/protocols.md says how a [[source]] is written."""


@app.command("check")
def check_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="gateway.toml, or a file with source tables alone.")
    ],
) -> None:
    """Explain the source tables of a file: what each will do, what is wrong, what is suspicious."""
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


@app.command("scan")
def scan_command(
    line: Annotated[
        str, typer.Argument(metavar="LINE", help="A serial port, or host:port of a serial server.")
    ],
    protocols: Annotated[
        list[str] | None, typer.Option("--protocol", help=f"One of {', '.join(SETTINGS)}; again for more.")
    ] = None,
    baud: Annotated[
        str, typer.Option("--baud", help="As 2400,9600; else what is usual for each protocol.")
    ] = "",
    parity: Annotated[str, typer.Option("--parity", help="As N,E: tried with each of --baud.")] = "N",
    units: Annotated[str, typer.Option("--units", help="Modbus units, as 1-32,80.")] = f"1-{LAST_UNIT}",
    framing: Annotated[
        Framing, typer.Option("--framing", help="Of Modbus; tcp needs host:port.")
    ] = Framing.RTU,
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for an answer; 0: usual.")
    ] = 0.0,
) -> None:
    """Find Modbus units and meters on a line, and print source tables for them.

    Only reading commands are sent. The gateway must not be using the line. Tables go to standard output, all
    else to standard error; Ctrl-C ends the search and prints what was found until then.
    """
    search = Search(
        address=line,
        transport="tcp-client" if ":" in line and not Path(line).exists() else "serial",
        protocols=_protocols(protocols),
        settings=tuple((rate, how) for rate in _bauds(baud) for how in _parities(parity)),
        units=_units(units),
        framing=framing,
        timeout_s=timeout_s,
    )
    console = Console(stderr=True, highlight=False)
    watch = Watch(console)
    try:
        with watch.shown:
            asyncio.run(scan(search, watch))
    except KeyboardInterrupt:
        console.print("stopped")
    except (OSError, TimeoutError) as error:
        raise CityError(
            f"{line}: {error or 'no answer'}", remedy="does something else hold the line?"
        ) from None
    if not watch.devices:
        console.print("[yellow]![/] nobody answered")
        console.print("  [bold]try:[/] A and B changed over? power? the gateway stopped? --baud and --parity?")
        raise typer.Exit(1)
    console.print(f"[green]✓[/] {_count(len(watch.devices), 'device')}; for gateway.toml:\n")
    typer.echo(sample(search, watch.devices))


def _protocols(names: list[str] | None) -> tuple[str, ...]:
    wrong = [name for name in names or () if name not in SETTINGS]
    if wrong:
        raise ConfigError(f"cannot look for {wrong[0]!r}", remedy=f"one of {', '.join(SETTINGS)}")
    return tuple(names or SETTINGS)


def _bauds(text: str) -> tuple[int, ...]:
    words_of = text.replace(",", " ").split()
    if not all(word.isdecimal() and int(word) > 0 for word in words_of):
        raise ConfigError(f"--baud {text!r} is no list of rates", remedy="for example 2400,9600")
    return tuple(map(int, words_of))


def _parities(text: str) -> tuple[Parity, ...]:
    found = [
        each for word in text.upper().replace(",", " ").split() for each in get_args(Parity) if each == word
    ]
    if len(found) != len(text.replace(",", " ").split()) or not found:
        raise ConfigError(f"--parity {text!r} is no list of N, E, O", remedy="for example N,E")
    return tuple(found)


def _units(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.replace(",", " ").split():
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise ConfigError(f"--units {text!r} is no list of units", remedy="for example 1-32,80")
        found += range(int(first), int(last or first) + 1)
    if not found or not all(1 <= unit <= LAST_UNIT for unit in found):
        raise ConfigError(f"--units {text!r} is not within 1 to {LAST_UNIT}", remedy="for example 1-32,80")
    return tuple(dict.fromkeys(found))


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
        "serial": f"we ask on {where}",
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
