"""Which store is meant: read from a gateway's or the cloud's configuration, or from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from cloud.config import load
from edge.config import load_toml, read_secret
from edge.model.errors import ConfigError
from edge.protocol.store_http import Api


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A database or bucket, and what its server is shown. `reads`: it is asked too; `rolls_up`: by the cloud.

    `api` is None where nobody said how lines are written. `retention_days` is what a gateway believes.
    """

    url: str
    api: Api | None = None
    database: str = "city"
    organisation: str = "city"
    username: str = ""
    secret: str = field(default="", repr=False)
    retention_days: float | None = None
    reads: bool = True
    rolls_up: bool = False


def target_of(path: Path) -> Target:
    """Return the store of gateway.toml or of cloud.toml."""
    table = load_toml(path)
    if isinstance(table.get("store"), Mapping):
        return _of_gateway(table, path)
    store = load(path).store
    if store.kind == "embedded":
        raise ConfigError(f"{path}: the store is the cloud's own", remedy="it needs neither set-up nor check")
    return Target(
        url=store.url,
        api="v1",  # the cloud writes where it reads: /write beside /query
        database=store.database,
        username=store.username,
        secret=store.secret,
        rolls_up=True,
    )


def _of_gateway(table: Mapping[str, Any], path: Path) -> Target:
    store, forward = table["store"], table.get("forward", {})
    api = store.get("api", "v2")
    if api not in get_args(Api):
        raise ConfigError(f"{path}.store.api: {api!r} is none of {', '.join(get_args(Api))}")
    username = store.get("username", "")
    name = store.get("password_file" if username else "token_file")
    return Target(
        url=str(store.get("url", "http://127.0.0.1:8086")).rstrip("/"),
        api=api,
        database=store.get("bucket" if api == "v2" else "database", "city"),
        organisation=store.get("organisation", "city"),
        username=username,
        secret=read_secret(Path(name).expanduser()) or "" if name else "",
        retention_days=float(forward.get("retention_days", 0.0)),
        reads=False,
    )
