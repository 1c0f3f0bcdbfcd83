"""The command `node label`: what is stuck on the box."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.field.config import Place, find_place
from edge.field.label import label_of, sheet_named
from edge.field.label_art import write_labels
from edge.field.options import CloudOption, ConfigOption, DataOption, TokenOption, api_of, telling, terminal
from edge.model.errors import ConfigError
from edge.model.node import node_id


def label(
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Nodes; else see --district.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="labels.pdf, or .png.")] = Path("labels.pdf"),
    sheet: Annotated[str, typer.Option("--sheet", help="a4-14, a4-21 or single.")] = "a4-14",
    skip: Annotated[int, typer.Option("--skip", help="Labels of the first sheet that are used up.")] = 0,
    district: Annotated[str | None, typer.Option("--district", help="All nodes of a district.")] = None,
    page: Annotated[str | None, typer.Option("--page", help="Where the QR code leads; else CLOUD/n.")] = None,
    cloud: CloudOption = None,
    token_file: TokenOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Draw labels with QR code, id, kind, place and a check code, on sheets or for a label printer."""
    place = find_place(cloud=cloud, token_file=token_file, data=data, config=config)
    form, screen = sheet_named(sheet), terminal()
    if not 0 <= skip < form.labels:
        raise ConfigError(f"--skip {skip}", remedy=f"a sheet {sheet} has {form.labels} labels")
    for node in nodes or []:
        node_id(node)
    with telling(screen):
        rows = asyncio.run(_rows(place, nodes or [], district))
    if not rows:
        raise ConfigError("no node to label", remedy="name nodes, or --district")
    address = page or f"{place.need_cloud()}/n"
    labels = [label_of(row, address) for row in rows]
    sheets = write_labels(labels, form, output, skip=skip)
    screen.print(f"{output}: {len(labels)} labels on {sheets} page{'s' if sheets > 1 else ''}", highlight=False)


async def _rows(place: Place, nodes: list[str], district: str | None) -> list[dict[str, Any]]:
    async with api_of(place) as api:
        if nodes:
            return [await api.node(node) for node in nodes]
        return [row for row in await api.nodes() if district is not None and row["district"] == district]
