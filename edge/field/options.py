"""The options that the commands share, and how their failures reach the shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.field.cloud import CloudApi
from edge.field.config import Place
from edge.field.diagnosis import FieldError
from edge.field.screen import print_json, show_error
from edge.model.errors import CityError

PortOption = Annotated[
    str | None, typer.Option("--port", "-p", help="The board's port; else the only board there is.")
]
CloudOption = Annotated[
    str | None,
    typer.Option("--cloud", help="http(s)://HOST:PORT; else as in field.toml, or the running city's."),
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", help="The cloud's token, mode 0600; else as in field.toml.")
]
WhoOption = Annotated[str | None, typer.Option("--who", help="Your name, for the audit; else your account's.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The data folder of a city that runs here: its address and token.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Another field.toml than ~/.config/cityneuron/field.toml.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for a program; people's words go to stderr.")
]
BaudOption = Annotated[int, typer.Option("--baud", help="Speed of flashing; 115200 for poor cables.")]
ResetOption = Annotated[
    bool, typer.Option("--reset/--no-reset", help="--no-reset: you hold BOOT and press EN yourself.")
]
StubOption = Annotated[
    bool, typer.Option("--stub/--no-stub", help="--no-stub: let the chip's ROM write; slow, but always there.")
]
ImageOption = Annotated[
    Path | None, typer.Option("--image", help="MicroPython for the board (.bin, .uf2); kept for the next time.")
]
DigestOption = Annotated[str | None, typer.Option("--digest", help="SHA-256 that the image must have.")]
DriveOption = Annotated[Path | None, typer.Option("--drive", help="Where the Pico's RPI-RP2 drive is mounted.")]
ByOption = Annotated[
    str, typer.Option("--by", help="flash: one image; copy: file by file; auto: copy where MicroPython runs.")
]
EraseOption = Annotated[
    bool, typer.Option("--erase", help="Erase the whole flash first; undelivered readings are lost.")
]
SensorOption = Annotated[
    list[str] | None,
    typer.Option("--sensor", help="DRIVER:BUS[:name=value], once for each; else what is usual for the kind."),
]


def terminal(as_json: bool = False) -> Console:
    """Return where people's words go."""
    return Console(stderr=as_json)


def api_of(place: Place) -> CloudApi:
    """Return the cloud of a place, not yet opened."""
    return CloudApi(place.need_cloud(), place.token)


@contextmanager
def telling(console: Console, as_json: bool = False, *, staged: bool = False) -> Iterator[None]:
    """Show a stage's failure as a box, or as JSON, and leave with the stage's exit code."""
    try:
        yield
    except FieldError as error:
        show_error(console, error, staged=staged)
        if as_json:
            print_json({"ok": False, "error": error.to_dict()})
        raise typer.Exit(error.exit_code) from None
    except CityError as error:  # the front door tells it to people
        if as_json:
            said = {"cause": error.message, "remedies": [error.remedy] if error.remedy else []}
            print_json({"ok": False, "error": said})
        raise
