"""The command line of alerts: `cityneuron alerts send-test`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from edge.channels import Channel, ChannelError, load_channels
from edge.channels.compose import Style, compose_test
from edge.config import load_toml
from edge.model.errors import ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def alerts() -> None:
    """Alerts: who is told, and how."""


@app.command("send-test")
def send_test(
    config: Annotated[Path, typer.Option("--config", help="The file with the [[channel]] tables.")],
    channel: Annotated[str | None, typer.Option("--channel", help="Only this one.")] = None,
) -> None:
    """Send a test message by every channel, or by one, and say what came of it."""
    channels = load_channels(config)
    if channel is not None:
        known = ", ".join(each.name for each in channels) or "none"
        channels = tuple(each for each in channels if each.name == channel)
        if not channels:
            raise ConfigError(f"{config} has no channel {channel!r}", remedy=f"known: {known}")
    if not channels:
        raise ConfigError(f"{config} has no [[channel]]", remedy="see edge/channels/channels.sample.toml")
    outcomes = asyncio.run(_send_all(channels, _zone(config)))
    for each, error in zip(channels, outcomes, strict=True):
        typer.echo(
            f"{each.name}  {each.config.type}  {'delivered' if error is None else f'FAILED: {error.message}'}"
        )
        if error is not None and error.remedy:
            typer.echo(f"  try: {error.remedy}")
    if any(outcomes):
        raise typer.Exit(1)


async def _send_all(channels: Sequence[Channel], zone: ZoneInfo) -> list[ChannelError | None]:
    return list(await asyncio.gather(*(_send_one(channel, zone) for channel in channels)))


async def _send_one(channel: Channel, zone: ZoneInfo) -> ChannelError | None:
    style = Style(zone=zone, language=channel.language)
    try:
        await channel.send(compose_test(channel.name, style, now_ms=time.time_ns() // 1_000_000))
    except ChannelError as error:
        return error
    finally:
        await channel.close()
    return None


def _zone(config: Path) -> ZoneInfo:
    name = load_toml(config).get("timezone", "Asia/Shanghai")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"{config}: timezone {name!r} is not known", remedy="write Asia/Shanghai") from None
