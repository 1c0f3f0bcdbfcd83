"""The front door: `cityneuron` mounts the commands of each part and imports a part only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from edge.model.errors import CityError

# command -> (module, attribute, what the list of commands says)
PARTS: dict[str, tuple[str, str, str]] = {
    "up": ("cityneuron_up", "up", "Run the whole city here, with a simulated district."),
    "ledger": ("gateway.cli", "ledger", "Account for every reading."),
    "quarantine": ("gateway.cli", "quarantine_app", "See what could not be stored, and why."),
    "gateway": ("gateway.cli", "app", "Run a gateway."),
    "cloud": ("cloud.cli", "app", "Run the cloud: registry, store, API, wall."),
    "store": ("cloud.stores.cli", "app", "Set up and check the database of readings."),
    "node": ("edge.field.cli", "app", "Provision, look after and update nodes."),
    "alerts": ("edge.channels.cli", "app", "Try the channels by which alerts are told."),
    "source": ("gateway.sources.cli", "app", "Check and find foreign devices."),
    "decode": ("edge.adapters.cli", "decode", "Read frames of foreign devices."),
    "agent": ("edge.cli", "app", "Run this computer as a sensor node."),
    "replay": ("simulators.cli", "replay", "Publish recorded data as nodes."),
    "fleet": ("simulators.cli", "fleet", "Run a simulated district on a broker."),
    "qc": ("edge.quality.cli", "qc", "Check recorded values as the gateway does."),
    "rules": ("edge.rules.cli", "app", "Check, show and backtest rules."),
    "dashboards": ("dashboards.cli", "app", "Build and push Grafana dashboards."),
}

# command -> (its own name, module, attribute): what another part adds to a group, where that part is installed
GUESTS: dict[str, tuple[str, str, str]] = {"node": ("virtual", "simulators.virtual.cli", "virtual")}


class FrontDoor(TyperGroup):
    """The group of all commands; a part is imported when one of its commands is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of the table."""
        return list(PARTS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table; nothing needs to be imported to list the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in PARTS.items()])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the part of a command and return the command."""
        if cmd_name not in PARTS:
            return None
        module, attribute, _ = PARTS[cmd_name]
        try:
            part = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise CityError(
                f"`cityneuron {cmd_name}` needs {error.name}, which is not installed",
                remedy=f"pip install 'cityneuron[{_extra(module)}]'",
            ) from None
        if not isinstance(part, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(part)
            part = alone
        command = typer.main.get_command(part)
        command.name = cmd_name
        if cmd_name in GUESTS:
            _admit(command, *GUESTS[cmd_name])
        return command


def _admit(group: Any, name: str, module: str, attribute: str) -> None:
    """Add another part's command to a group, unless that part or what it needs is not installed."""
    try:
        function = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return
    alone = typer.Typer(add_completion=False)
    alone.command(name)(function)
    group.add_command(typer.main.get_command(alone), name)


app = typer.Typer(cls=FrontDoor, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def front_door() -> None:
    """City Neuron 城市神经元: a sensor network in which every reading is accounted for."""


def main() -> None:
    """Run the command line; an error of ours becomes one line of advice and exit code 1."""
    try:
        app()
    except CityError as error:
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
        if error.remedy:
            console.print(f"[bold]  try:[/] {escape(error.remedy)}", soft_wrap=True)
        if os.environ.get("CITYNEURON_TRACEBACK"):
            raise
        sys.exit(1)
    except OSError as error:
        if error.filename is None or os.environ.get("CITYNEURON_TRACEBACK"):
            raise
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]error:[/] {escape(f'{error.filename}: {error.strerror}')}", soft_wrap=True)
        console.print("[bold]  try:[/] check the path, whose it is, and that its disk has room", soft_wrap=True)
        sys.exit(1)


def _extra(module: str) -> str:
    extras = {
        "cityneuron_up": "up",
        "edge.cli": "agent",
        "edge.channels.cli": "cloud",
        "edge.field.cli": "field",
    }
    return extras.get(module, module.split(".")[0])


if __name__ == "__main__":
    main()
