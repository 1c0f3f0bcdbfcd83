"""The commands of the simulators: `replay` recorded data, run a `fleet` of virtual nodes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge.boot import next_boot
from edge.broker import BrokerAddress
from edge.model.errors import ConfigError
from edge.outbox import Counts
from simulators.city import load_city
from simulators.fleet import FleetConfig, run_fleet
from simulators.recording import load_map
from simulators.registration import Running, register, running_in
from simulators.replay import Replay, Result
from simulators.rows import Recording, Survey
from simulators.sensor_faults import NO_FAULTS, FaultConfig

DataOption = Annotated[
    Path, typer.Option("--data", envvar="CITYNEURON_DATA", help="The data folder of a running city.")
]
BrokerOption = Annotated[
    str | None, typer.Option("--broker", help="mqtt://host:port; else the running city's broker.")
]
CloudOption = Annotated[str | None, typer.Option("--cloud", help="http://host:port; else the running city's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_console = Console(stderr=True)


def replay(
    file: Annotated[
        Path, typer.Argument(help="Recorded data: CSV, plain or gzip.", exists=True, dir_okay=False)
    ],
    map_file: Annotated[
        Path, typer.Option("--map", help="MAP.toml; examples in simulators/maps.", exists=True)
    ],
    speed: Annotated[
        float | None, typer.Option("--speed", help="Times the recorded pace; else as fast as acknowledged.")
    ] = None,
    broker: BrokerOption = None,
    cloud: CloudOption = None,
    data: DataOption = Path("city-data"),
    registering: Annotated[
        bool, typer.Option("--register/--no-register", help="Tell the cloud of the nodes first.")
    ] = True,
    patience_s: Annotated[
        float, typer.Option("--patience", help="Give up when nothing is acknowledged for so many seconds.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Publish recorded data as nodes, through the same path as live data."""
    recording = Recording(file, load_map(map_file), beside=map_file.parent)
    place = running_in(data)
    address = _broker(broker, place, data)
    with _console.status(f"reading {file.name}"):
        survey = recording.survey()
    if not survey.nodes:
        raise ConfigError(
            f"{file.name}: no row is a reading under {map_file.name}", remedy="see [[reading]] where"
        )
    if registering:
        url = cloud or place.cloud
        if url is None:
            raise ConfigError(
                f"no city runs in {data}", remedy="start one, give --cloud URL, or use --no-register"
            )
        with _console.status(f"registering {len(survey.nodes)} nodes"):
            asyncio.run(register(url, place.token, list(survey.nodes.values())))
    result = _replay(recording, survey, address, speed, patience_s)
    _tell(result, as_json)
    if not result.complete:
        raise typer.Exit(1)


def fleet(
    broker: BrokerOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another city.")] = 1,
    for_s: Annotated[float | None, typer.Option("--for", help="End after so many seconds.")] = None,
    lamps: Annotated[int | None, typer.Option("--lamps", min=1, help="How many street lamps.")] = None,
    period_scale: Annotated[float, typer.Option("--period-scale", help="0.1: every period a tenth.")] = 1.0,
    faults: Annotated[bool, typer.Option("--faults/--no-faults", help="Let sensors fail now and then.")] = True,
    cloud: CloudOption = None,
    data: DataOption = Path("city-data"),
    registering: Annotated[
        bool, typer.Option("--register/--no-register", help="Tell the cloud of the nodes first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the simulated district against a broker until Ctrl-C."""
    place = running_in(data)
    address = _broker(broker, place, data)
    city = load_city(seed, lamps=lamps)
    config = FleetConfig(period_scale=period_scale, faults=FaultConfig() if faults else NO_FAULTS)
    if registering:
        url = cloud or place.cloud
        if url is None:
            raise ConfigError(f"no city runs in {data}", remedy="give --cloud URL")
        asyncio.run(register(url, place.token, city.nodes))
    boot = next_boot(data / "fleet" / "boot")

    async def run() -> Counts:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if for_s is not None:
            loop.call_later(for_s, stop.set)
        ledger = await run_fleet(city, address, boot=boot, stop=stop, config=config)
        return sum(ledger.values(), Counts())

    _console.print(f"{len(city.nodes)} nodes, boot {boot}, broker {address}")
    counts = asyncio.run(run())
    told = {
        "nodes": len(city.nodes),
        "boot": boot,
        "produced": counts.produced,
        "acknowledged": counts.acknowledged,
        "held": counts.held,
        "dropped": counts.dropped,
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _console.print("  ".join(f"{name} {value}" for name, value in told.items()))


def _broker(url: str | None, place: Running, data: Path) -> BrokerAddress:
    found = url or place.broker
    if found is None:
        raise ConfigError(f"no city runs in {data}", remedy="start one (`cityneuron up`), or give --broker URL")
    return BrokerAddress.parse(found)


def _replay(
    recording: Recording, survey: Survey, broker: BrokerAddress, speed: float | None, patience_s: float
) -> Result:
    run = Replay(recording, survey, broker, speed=speed)
    with _bar(recording.path.name, survey.tally.readings) as advance:
        return asyncio.run(run.run(drain_s=patience_s, progress=lambda r: advance(r.counts.acknowledged)))


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"{name} acknowledged", total=total)
        yield lambda completed: progress.update(task, completed=completed)


def _tell(result: Result, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
        return
    told = result.to_dict()
    table = Table(show_header=False, box=None)
    for name in ("rows_read", "nodes", "published", "acknowledged", "skipped", "untimed", "unparsable_values"):
        table.add_row(name.replace("_", " "), f"{told[name]:,}")
    _console.print(table)
    for fault in [*result.faults, *result.tally.untimed][:10]:
        _console.print(f"  line {fault.line}, {fault.column}: {fault.text!r} is {fault.reason}", markup=False)
    if not result.complete:
        left = told["unacknowledged"]
        _console.print(f"[bold red]{left:,} readings were not acknowledged[/]: is a gateway running?")
