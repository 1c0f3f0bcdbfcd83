"""The command line of stores: `cityneuron store setup` and `cityneuron store check`."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cloud.errors import StoreUnavailable
from cloud.stores.admin import setup_v1, setup_v3
from cloud.stores.admin.check import Finding, Verdict, check_store
from cloud.stores.admin.plan import Plan
from cloud.stores.admin.server import Age, Server
from cloud.stores.admin.target import Target, target_of
from edge.config import read_secret
from edge.model.errors import ConfigError

app = typer.Typer(help="Set up and check the database of readings.", no_args_is_help=True, add_completion=False)
UrlOption = Annotated[str, typer.Option("--url", help="Where the database is: http://host:8086.")]
DatabaseOption = Annotated[str, typer.Option("--database", help="The database or bucket of readings.")]
OrganisationOption = Annotated[str, typer.Option("--organisation", help="The organisation (2.x).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.TROUBLE: "red"}
_SIGNS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.TROUBLE: "✗"}


@app.callback()
def store() -> None:
    """Set up and check the database of readings."""


@app.command()
def check(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="gateway.toml or cloud.toml.")] = None,
    url: UrlOption = "",
    database: DatabaseOption = "city",
    organisation: OrganisationOption = "city",
    username: Annotated[str, typer.Option("--username", help="A user (1.x).")] = "",
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="Its password, or the token.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """See what is wrong with a store, and what to do; nothing is written into it."""
    if (config is None) == (not url):
        raise ConfigError("which store?", remedy="give --config gateway.toml, --config cloud.toml, or --url")
    target = (
        target_of(config)
        if config
        else Target(
            url=url,
            database=database,
            organisation=organisation,
            username=username,
            secret=read_secret(secret_file) or "",
        )
    )
    findings = asyncio.run(check_store(target, time.time()))
    troubled = any(finding.verdict is Verdict.TROUBLE for finding in findings)
    if as_json:
        document = {"ok": not troubled, "findings": [finding.to_dict() for finding in findings]}
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _print(findings)
    if troubled:
        raise typer.Exit(1)


@app.command()
def setup(
    url: UrlOption,
    secrets: Annotated[Path, typer.Option("--secrets", help="The folder for passwords and tokens.")],
    database: DatabaseOption = "city",
    organisation: OrganisationOption = "city",
    keep_days: Annotated[float, typer.Option("--keep-days", min=0, help="For readings; 0: for ever.")] = 0.0,
    keep_hours_days: Annotated[
        float, typer.Option("--keep-hours-days", min=0, help="For values an hour.")
    ] = 0.0,
    keep_days_days: Annotated[float, typer.Option("--keep-days-days", min=0, help="For values a day.")] = 0.0,
    admin: Annotated[str, typer.Option("--admin", help="The administrator (1.x, 2.x).")] = "admin",
    admin_secret_file: Annotated[
        Path | None, typer.Option("--admin-secret-file", help="Its password (1.x) or token (2.x, 3.x).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make databases, retention, users and tokens; what is there already stays."""
    plan = Plan(
        url=url.rstrip("/"),
        database=database,
        organisation=organisation,
        keep_days=(keep_days, keep_hours_days, keep_days_days),
        folder=secrets,
        admin=admin,
        admin_secret=read_secret(admin_secret_file) or "",
    )
    age, done = asyncio.run(_set_up(plan))
    if as_json:
        typer.echo(json.dumps({"server": age, "done": done}, ensure_ascii=False))
        return
    console = Console(highlight=False)
    console.print(f"{plan.url}: {age}", markup=False)
    for line in done:
        console.print(f"  {line}", markup=False, soft_wrap=True)


async def _set_up(plan: Plan) -> tuple[Age, list[str]]:
    async with Server(plan.url) as server:
        age, _, _ = await server.recognise()
    if age is Age.V1:
        return age, await setup_v1.set_up(plan)
    if age is Age.V2:
        try:
            from cloud.stores.admin import setup_v2  # its library is heavy, and only this age needs it
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"to set up {age}, {error.name} is needed", remedy="pip install 'cityneuron[store]'"
            ) from None
        return age, await asyncio.to_thread(setup_v2.set_up, plan)
    if age is Age.V3:
        return age, await setup_v3.set_up(plan)
    if age is Age.UNKNOWN:
        raise StoreUnavailable(
            f"{plan.url} is {age}", remedy="check the url; `cityneuron store check` tells more"
        )
    return age, ["nothing to make: it takes what is written, and keeps it as it was started to"]


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False)
    for finding in findings:
        console.print(f"[{_COLOURS[finding.verdict]}]{_SIGNS[finding.verdict]}[/] {finding.step:<10}", end="")
        console.print(finding.said, markup=False, soft_wrap=True)
        if finding.remedy:
            console.print(f"  {'':<10}try: {finding.remedy}", markup=False, soft_wrap=True)
