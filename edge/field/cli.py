"""The commands of `cityneuron node`: from a bare board to a fleet."""

from __future__ import annotations

import typer

from edge.field import cli_board, cli_bundle, cli_fleet, cli_label, cli_provision

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def node() -> None:
    """Provision, look after and update nodes: docs/field-guide.md goes from the box to the first reading."""


for _name, _command in (
    ("provision", cli_provision.provision),
    ("label", cli_label.label),
    ("doctor", cli_board.doctor),
    ("console", cli_board.console),
    ("replace", cli_provision.replace),
    ("flash", cli_provision.flash),
    ("sync", cli_provision.sync),
    ("list", cli_fleet.list_nodes),
    ("show", cli_fleet.show),
    ("tap", cli_fleet.tap),
    ("command", cli_fleet.command),
    ("update", cli_fleet.update),
):
    app.command(_name)(_command)
app.add_typer(cli_bundle.app, name="bundle")
