"""A command to a node in the street, and the wait for its reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from edge.field.cloud import FINAL
from edge.field.order import number_or_text
from edge.model.errors import CityError, ConfigError
from edge.protocol.command import NAMES

POLL_S = 1.0


class CommandTool(Protocol):
    """What is asked of the cloud."""

    async def send_command(
        self, node: str, name: str, args: Mapping[str, Any], *, expires_s: int, who: str
    ) -> dict[str, Any]:
        """Queue a command."""

    async def command(self, ident: int) -> dict[str, Any]:
        """Return a command and what became of it."""


class Unanswered(CityError):
    """A node did not do what it was asked to, or has not said so yet."""


async def ask_node(
    api: CommandTool,
    node: str,
    name: str,
    args: Mapping[str, Any],
    *,
    who: str,
    wait_s: float,
    expires_s: int | None = None,
    changed: Callable[[Mapping[str, Any]], None] = lambda _row: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Return the command once it is done. Raises Unanswered when it is not within `wait_s`, FieldError."""
    row = await api.send_command(node, name, args, expires_s=expires_s or max(60, round(wait_s)), who=who)
    until_s, state = clock() + wait_s, ""
    while row["state"] not in FINAL:
        if row["state"] != state:
            state = row["state"]
            changed(row)
        if clock() > until_s:
            raise Unanswered(
                f"{node} has not answered within {wait_s:.0f} s (command {row['id']}: {state})",
                remedy=f"a node on battery hears it when it wakes; look later: cityneuron node show {node}",
            )
        await sleep(POLL_S)
        row = await api.command(int(row["id"]))
    if row["state"] != "done":
        raise Unanswered(f"{node}: {name} {row['state']}{_why(row)}", remedy=_remedy(row))
    return row


def parse_arguments(name: str, words: list[str]) -> dict[str, Any]:
    """Read `k=v` words as a command's arguments. Raises ConfigError."""
    if name not in NAMES:
        raise ConfigError(f"no command {name!r}", remedy=f"one of {', '.join(NAMES)}")
    args: dict[str, Any] = {}
    for word in words:
        key, mark, value = word.partition("=")
        if not mark or key not in NAMES[name]:
            known = ", ".join(f"{each}=..." for each in NAMES[name]) or "none"
            raise ConfigError(f"{name} takes no {word!r}", remedy=f"its arguments: {known}")
        args[key] = number_or_text(value)
    return args


def _why(row: Mapping[str, Any]) -> str:
    detail = row.get("detail")
    said = detail.get("error") if isinstance(detail, Mapping) else detail
    return f": {said}" if said else ""


def _remedy(row: Mapping[str, Any]) -> str:
    detail = row.get("detail")
    return str(detail.get("remedy") or "") if isinstance(detail, Mapping) else ""
