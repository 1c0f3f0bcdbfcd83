"""The command line of the cloud: `cityneuron cloud ...`."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cloud.app import Cloud
from cloud.cli_ca import app as ca_app
from cloud.config import CloudConfig, load
from edge.model.errors import CityError

app = typer.Typer(
    help="The cloud: node registry, store, HTTP API and the wall.", no_args_is_help=True, add_completion=False
)
app.add_typer(ca_app, name="ca")
_errors = Console(stderr=True)


@app.callback()
def main() -> None:
    """The cloud: node registry, store, HTTP API and the wall."""


@app.command()
def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="cloud.toml; see cloud/cloud.sample.toml.")],
) -> None:
    """Run the cloud until Ctrl-C or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    failed: list[CityError] = []
    try:
        asyncio.run(_run(load(config)))
    except* CityError as errors:
        failed = _flat(errors)
    for error in failed:
        _errors.print(f"cloud: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


async def _run(config: CloudConfig) -> None:
    cloud, started = Cloud(config), asyncio.Event()
    serving = asyncio.create_task(cloud.run(started), name="cloud")
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    ready = asyncio.create_task(started.wait(), name="ready")
    await asyncio.wait((serving, ready), return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if started.is_set():
        Console().print(f"The wall: {cloud.url}", highlight=False)
    try:
        await serving
    except asyncio.CancelledError:
        if not serving.cancelled():
            raise


def _flat(errors: BaseExceptionGroup[CityError]) -> list[CityError]:
    found: list[CityError] = []
    for error in errors.exceptions:
        found += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
