"""The [[north.station]] tables of HJ 212: which node is which station of an environmental platform."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from edge.adapters.hj212.options import zone
from edge.adapters.hj212.station import Station
from edge.model.errors import ConfigError, IdentityError
from edge.model.node import node_id

_IDENTITY = re.compile(r"[^\s;,=&#]{1,64}\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class StationConfig:
    """One node of ours as the platform knows it: MN, PW, ST, and the series as which it is reported."""

    node: str
    mn: str
    password: str
    system: str = "22"
    series: Literal["2011", "2051", "2061", "2031"] = "2011"
    time_zone: str = "Asia/Shanghai"
    timeout_s: int = 10
    repeats: int = 3

    def station(self) -> Station:
        """Return the station as its client has it."""
        return Station(
            mn=self.mn,
            password=self.password,
            system=self.system,
            time_zone=self.time_zone,
            timeout_s=self.timeout_s,
            repeats=self.repeats,
        )


def platform_address(url: str) -> tuple[str, int]:
    """Return host and port of hj212://host:port. Raises ConfigError."""
    remedy = "write hj212://host:port"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"platform URL: {error}", remedy=remedy) from None
    more = parts.username or parts.password or parts.path.strip("/") or parts.query
    if parts.scheme != "hj212" or not host or not port or more:
        raise ConfigError(f"not the URL of an HJ 212 platform: {url.rpartition('@')[2][:96]!r}", remedy=remedy)
    return host, port


def check_stations(stations: tuple[StationConfig, ...], where: str) -> None:
    """Raise ConfigError, with its place, for what the station tables cannot mean."""
    if not stations:
        raise ConfigError(f"{where}: there is none", remedy="add a [[north.station]] for each node to report")
    for key in ("node", "mn"):
        names = [getattr(each, key) for each in stations]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigError(f"{where}: {key} {min(twice)!r} stands twice", remedy="one node is one station")
    for number, each in enumerate(stations):
        place = f"{where}[{number}]"
        try:
            node_id(each.node)
            zone(each.time_zone)
        except (IdentityError, ConfigError) as error:
            raise ConfigError(f"{place}: {error.message}", remedy=error.remedy) from None
        for key in ("mn", "password"):
            if not _IDENTITY.match(getattr(each, key)):
                raise ConfigError(f"{place}.{key}: 1 to 64 ASCII characters, without blanks and ';,=&#'")
        if not re.fullmatch(r"[0-9]{2}", each.system, re.ASCII):
            raise ConfigError(
                f"{place}.system: {each.system!r} is no ST", remedy='"22" is air, "21" surface water'
            )
        if not 1 <= each.timeout_s <= 300 or not 0 <= each.repeats <= 10:
            raise ConfigError(f"{place}: timeout_s is 1 to 300, repeats 0 to 10")
