"""A [[north]] table of gateway.toml: to whom readings are handed on, which, in what form, and what may wait."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Literal

from edge.broker import BrokerAddress
from edge.model.errors import ConfigError
from gateway.north.stations import StationConfig, check_stations, platform_address

Form = Literal["senml-json", "senml-cbor", "sparkplug", "hj212"]
TOPIC_WORDS = ("gateway", "district", "kind", "node", "site")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_NO_TOPIC = re.compile(r"[+#\x00]")


@dataclass(frozen=True, kw_only=True, slots=True)
class NorthConfig:
    """One [[north]] table. `topic` is of SenML, `group` and `edge_node` of Sparkplug, `station` of HJ 212."""

    name: str
    url: str
    format: Form = "senml-json"
    topic: str = "city/{district}/{kind}/{node}"
    group: str = "city"
    edge_node: str = ""
    kinds: tuple[str, ...] = ("*",)
    districts: tuple[str, ...] = ("*",)
    nodes: tuple[str, ...] = ("*",)
    at_once: int = 100
    most_mb: float = 256.0
    keep_days: float = 7.0
    client_id: str = ""
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    retry_delay_s: float = 1.0
    longest_delay_s: float = 30.0
    answer_within_s: float = 15.0
    station: tuple[StationConfig, ...] = ()


def check_norths(norths: tuple[NorthConfig, ...], place: str) -> None:
    """Raise ConfigError, with its place, for what a [[north]] table cannot mean."""
    seen: set[str] = set()
    for number, north in enumerate(norths):
        where = f"{place}.north[{number}]"
        if not _NAME.match(north.name) or north.name in seen:
            raise ConfigError(
                f"{where}.name: {north.name!r} is no name, or stands twice",
                remedy="write 1 to 32 of a-z, 0-9 and '-'; the name is that of its backlog: do not change it",
            )
        seen.add(north.name)
        _check_peer(north, where)
        _check_topic(north.topic, f"{where}.topic")
        for key in ("group", "edge_node"):
            if re.search(r"[/+#]", getattr(north, key)):
                raise ConfigError(f"{where}.{key}: Sparkplug allows no '/', '+' or '#' in it")
        if not 1 <= north.at_once <= 10_000:
            raise ConfigError(f"{where}.at_once: {north.at_once} is not within 1 to 10000")
        for key in ("most_mb", "keep_days"):
            if getattr(north, key) <= 0:
                raise ConfigError(f"{where}.{key}: a backlog needs a limit", remedy="set it above 0")


def by_station(norths: tuple[NorthConfig, ...]) -> tuple[NorthConfig, ...]:
    """Return the norths with one for each station, `<name>/<node>`: each has its own connection and backlog."""
    found: list[NorthConfig] = []
    for north in norths:
        found += [
            replace(north, name=f"{north.name}/{each.node}", nodes=(each.node,), station=(each,))
            for each in north.station
        ] or [north]
    return tuple(found)


def _check_peer(north: NorthConfig, where: str) -> None:
    if north.format == "hj212":
        platform_address(north.url)
        check_stations(north.station, f"{where}.station")
        if north.nodes != ("*",):
            raise ConfigError(
                f"{where}.nodes: with hj212 the station tables name the nodes", remedy="leave it out"
            )
        return
    BrokerAddress.parse(north.url)
    if north.station:
        raise ConfigError(f"{where}.station: only hj212 has stations", remedy='write format = "hj212"')


def _check_topic(pattern: str, where: str) -> None:
    try:
        words = [name for _, name, _, _ in Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    if unknown := set(words) - set(TOPIC_WORDS):
        raise ConfigError(
            f"{where}: unknown {{{min(unknown)}}}",
            remedy=f"known: {', '.join(f'{{{w}}}' for w in TOPIC_WORDS)}",
        )
    if not pattern or _NO_TOPIC.search(pattern):
        raise ConfigError(f"{where}: {pattern!r} is no topic to publish to", remedy="leave out '+' and '#'")
    if "node" not in words:
        raise ConfigError(f"{where}: nodes would share one topic", remedy="put {node} into it")
