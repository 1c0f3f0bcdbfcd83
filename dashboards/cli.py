"""`cityneuron dashboards`: generate the boards, check them, hand them to a running Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dashboards import build as generated
from dashboards import push as grafana

app = typer.Typer(
    help="Grafana dashboards, generated from the catalogue.", no_args_is_help=True, add_completion=False
)
_console = Console(highlight=False)


@app.command()
def build(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file is not current.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the generated files.")] = generated.GENERATED,
) -> None:
    """Generate the dashboard files."""
    if check:
        generated.check(out)
        _console.print("dashboards are current")
        return
    written = generated.write(out)
    _console.print(f"written: {', '.join(written)}" if written else "dashboards were current")


@app.command()
def push(
    url: Annotated[
        str, typer.Option(help="Grafana's address.", envvar="GRAFANA_URL")
    ] = "http://127.0.0.1:3000",
    token: Annotated[
        str, typer.Option(help="Service account token with the Editor role.", envvar="GRAFANA_TOKEN")
    ] = "",
    folder: Annotated[str, typer.Option(help="Folder in Grafana.")] = "City Neuron",
) -> None:
    """Create or replace the dashboards in a running Grafana."""
    for title, path in grafana.push(url, token, folder):
        _console.print(f"{title}: {url.rstrip('/')}{path}")
