"""The [provision] table of cloud.toml: what a new node is told, and where the authority keeps its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edge.config import read_table
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvisionConfig:
    """What a new node is told of its broker and clock, and which keys may sign its firmware.

    `url`, `broker_host`: "" is the name by which the request reached the cloud. `ca_dir`, `crl_file`: None lies
    in the data folder. `update_keys`: PEM files of public keys; with none, the nodes alone check bundles.
    """

    url: str = ""
    broker_host: str = ""
    broker_port: int = 8883
    broker_tls: bool = True
    ntp_hosts: tuple[str, ...] = ("ntp.ntsc.ac.cn", "cn.pool.ntp.org")
    update_keys: tuple[str, ...] = ()
    ca_dir: Path | None = None
    crl_file: Path | None = None


def read_provision(table: object, place: str, base: Path) -> ProvisionConfig:
    """Read the [provision] table; raise ConfigError. Files are looked for beside `base`."""
    config = read_table(ProvisionConfig, table, f"{place}: [provision]")
    if config.url and not config.url.startswith("http://"):
        raise ConfigError(
            f"{place}: provision.url {config.url!r} is no http address",
            remedy="nodes fetch bundles by plain http: they are signed",
        )
    if not 1 <= config.broker_port <= 65_535:
        raise ConfigError(f"{place}: provision.broker_port {config.broker_port} is no port")
    return replace(
        config,
        update_keys=tuple(str(base / name) for name in config.update_keys),
        ca_dir=base / config.ca_dir if config.ca_dir is not None else None,
        crl_file=base / config.crl_file if config.crl_file is not None else None,
    )
