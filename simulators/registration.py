"""Tells the cloud which nodes will speak, and waits until the gateways know them too."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from edge.folder import DataFolder
from edge.model.errors import CityError, ConfigError
from edge.model.node import Node

_ROSTER_WAIT_S = 30.0
_POLL_S = 0.5
_NODES_A_REQUEST = 500


class RegistrationError(CityError):
    """The cloud could not be told of the nodes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """Where a running city is, as its data folder says."""

    broker: str | None = None
    cloud: str | None = None
    token: str | None = None


def running_in(data: Path) -> Running:
    """Return where the city of a data folder runs; what is not there is None. Raises ConfigError."""
    folder = DataFolder(data)
    city = folder.running()
    try:
        token = folder.token_file.read_text(encoding="ascii").strip() if folder.token_file.exists() else None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {folder.token_file}: {error}", remedy="run as the city's user"
        ) from None
    return Running(broker=city.broker if city else None, cloud=city.cloud if city else None, token=token)


async def register(cloud: str, token: str | None, nodes: Sequence[Node]) -> None:
    """Upsert the nodes at the cloud; return when every live gateway has them. Raises RegistrationError."""
    headers = {"Authorization": f"Token {token}"} if token else {}
    base = f"{cloud.rstrip('/')}/api/v1"
    timeout = aiohttp.ClientTimeout(total=30)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            for start in range(0, len(nodes), _NODES_A_REQUEST):
                rows = [node.to_dict() for node in nodes[start : start + _NODES_A_REQUEST]]
                async with session.post(f"{base}/nodes", json={"nodes": rows}) as answer:
                    await _check(answer)
            await _until_gateways_know(session, base)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise RegistrationError(
            f"the cloud at {cloud} cannot be reached: {error or type(error).__name__}",
            remedy="start it (`cityneuron up`), give --cloud, or use --no-register if the nodes are known",
        ) from None


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 400:
        return
    text = await answer.text()
    try:
        said = json.loads(text)["error"]
        message, remedy = str(said["message"]), str(said.get("remedy") or "")
    except (ValueError, KeyError, TypeError):
        message, remedy = text[:200], ""
    if answer.status in (401, 403):
        remedy = remedy or "give the data folder of the running city with --data"
    raise RegistrationError(f"the cloud refused the nodes ({answer.status}): {message}", remedy=remedy)


async def _until_gateways_know(session: aiohttp.ClientSession, base: str) -> None:
    """Return when each live gateway reported, after this moment, as many nodes as the cloud has for it."""
    since_ms = time.time_ns() // 1_000_000
    deadline_s = time.monotonic() + _ROSTER_WAIT_S
    while True:
        waiting = await _unaware(session, base, since_ms)
        if not waiting:
            return
        if time.monotonic() > deadline_s:
            raise RegistrationError(
                f"gateway {waiting[0]} has not fetched the new nodes within {_ROSTER_WAIT_S:g} s",
                remedy="see its log; readings sent now would be quarantined as unregistered",
            )
        await asyncio.sleep(_POLL_S)


async def _unaware(session: aiohttp.ClientSession, base: str, since_ms: int) -> list[str]:
    async with session.get(f"{base}/gateways") as answer:
        await _check(answer)
        gateways = (await answer.json())["gateways"]
    unaware = []
    for row in gateways:
        if row.get("state") != "ok" or "nodes" not in (row.get("health") or {}):
            continue
        async with session.get(f"{base}/gateways/{row['gateway']}/nodes") as answer:
            await _check(answer)
            expected = len((await answer.json())["nodes"])
        if row["time_ms"] < since_ms or row["health"]["nodes"] < expected:
            unaware.append(str(row["gateway"]))
    return unaware
