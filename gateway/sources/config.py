"""The [[source]] tables of gateway.toml: foreign devices, how they are reached, and what their words mean."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge.adapters import adapter
from edge.adapters.adapter import Adapter, OfKind
from edge.adapters.report import Word
from edge.config import read_table
from edge.model.errors import ConfigError, IdentityError
from edge.model.kinds import KINDS
from edge.model.node import node_id
from edge.model.quantities import QUANTITIES

Transport = Literal["tcp-server", "tcp-client", "serial", "mqtt", "http"]
_SLOWEST_BAUD, _FASTEST_BAUD = 50, 4_000_000
_TOPIC = re.compile(r"(?=.)(([^+#\0/]*|\+)/)*([^+#\0/]*|\+|#)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device of a source: what it calls itself on the wire, which node of the city it is, and its words.

    `series` chooses among what a device reports at paces of its own; `period_s` 0 for one that reports when it
    likes. `words` holds the adapter's words with the device's own before them; `own` are those alone.
    """

    id: str
    node: str
    kind: str
    series: str
    period_s: float
    words: Mapping[str, Word]
    own: Mapping[str, Word]
    options: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceTable:
    """A [[source]] table as it stands, without its devices.

    `address` is what a tcp-server listens on or a tcp-client calls ("host:port"), a serial port, the URL of a
    broker, or what an http server listens on. `topics` are subscribed to. Serial ports have `baud`, `parity`.
    """

    name: str
    protocol: str
    transport: Transport
    address: str
    topics: tuple[str, ...] = ()
    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig(SourceTable):
    """One [[source]]: a protocol, a transport with its address, and devices."""

    adapter: Adapter
    devices: tuple[Device, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _DeviceTable:
    """The keys of a [[source.device]] table that all protocols share."""

    id: str
    node: str
    kind: str
    series: str = ""
    period_s: float | None = None
    words: dict[str, Any] = field(default_factory=dict)


def read_sources(tables: Any, place: str) -> tuple[SourceConfig, ...]:
    """Return the sources of a configuration; ConfigError names table and key of the first mistake."""
    if not isinstance(tables, list):
        raise ConfigError(f"{place} is no list of tables", remedy="write [[source]]")
    found = [read_source(table, f"{place}[{index}]") for index, table in enumerate(tables)]
    names = [source.name for source in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        index = len(names) - 1 - names[::-1].index(twice)
        raise ConfigError(f"{place}[{index}].name: {twice!r} is another source", remedy="a name of its own")
    nodes: dict[str, str] = {}
    for index, source in enumerate(found):
        for number, device in enumerate(source.devices):
            if device.node in nodes:
                raise ConfigError(
                    f"{place}[{index}].device[{number}].node: {device.node!r} is a device of "
                    f"{nodes[device.node]!r} already",
                    remedy="give each device a node of its own",
                )
            nodes[device.node] = source.name
    return tuple(found)


def read_source(table: Any, place: str) -> SourceConfig:
    """Return one source; ConfigError as `read_sources`."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is not a table")
    own = read_table(SourceTable, {key: value for key, value in table.items() if key != "device"}, place)
    try:
        protocol = adapter(own.protocol)
    except ConfigError as error:
        raise ConfigError(f"{place}.protocol: {error.message}", remedy=error.remedy) from None
    ways: dict[str, object] = {"tcp-server": protocol.talk, "tcp-client": protocol.poller or protocol.talk}
    ways |= {"serial": protocol.poller, "mqtt": protocol.hear, "http": protocol.hear}
    if ways[own.transport] is None:
        possible = [way for way, speaks in ways.items() if speaks is not None]
        raise ConfigError(
            f"{place}: {own.protocol} does not come by {own.transport}", remedy=f"one of {', '.join(possible)}"
        )
    _check_ways(own, place)
    devices = table.get("device", [])
    if not isinstance(devices, list) or not devices:
        raise ConfigError(
            f"{place} has no device", remedy="write [[source.device]] below it, in double brackets"
        )
    known = [read_device(protocol, each, f"{place}.device[{index}]") for index, each in enumerate(devices)]
    keys = [(device.id, device.series) for device in known]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ConfigError(f"{place}: device {twice[0]!r} with series {twice[1]!r} stands there twice")
    options: dict[str, Any] = {}
    for device in known:
        if options.setdefault(device.id, device.options) != device.options:
            raise ConfigError(
                f"{place}: the tables of device {device.id!r} differ in more than its series",
                remedy="give all of them the same keys of the protocol",
            )
    values = {item.name: getattr(own, item.name) for item in dataclasses.fields(SourceTable)}
    return SourceConfig(adapter=protocol, devices=tuple(known), **values)


def _check_ways(own: SourceTable, place: str) -> None:
    if not own.name.strip():
        raise ConfigError(f"{place}.name: it is empty", remedy="a word for logs and the gateway's status")
    if not _SLOWEST_BAUD <= own.baud <= _FASTEST_BAUD:
        raise ConfigError(f"{place}.baud: {own.baud} is no rate of a serial line", remedy="9600, 2400 ...")
    if own.transport == "mqtt" and not own.topics:
        raise ConfigError(f"{place}: topics is missing", remedy="name the topics to subscribe to")
    if own.password_file is not None and not own.username:
        raise ConfigError(
            f"{place}: username is missing", remedy="a password alone lets nobody in, or everybody"
        )
    if own.transport == "http" and own.username and own.password_file is None:
        raise ConfigError(f"{place}: password_file is missing", remedy="a name alone is no protection")
    for topic in own.topics:
        if not _TOPIC.fullmatch(topic):
            raise ConfigError(
                f"{place}.topics: {topic!r} is no topic to subscribe to",
                remedy="+ stands for one whole level, # at the end for all that follow",
            )


def read_device(protocol: Adapter, table: Any, place: str) -> Device:
    """Return one device of a source; ConfigError as `read_sources`."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is not a table")
    common = {item.name for item in dataclasses.fields(_DeviceTable)}
    shared = read_table(_DeviceTable, {key: table[key] for key in table if key in common}, place)
    of_kind = protocol.kinds.get(shared.kind, OfKind())
    keys = {**of_kind.options, **{key: table[key] for key in table if key not in common}}
    options = _options(protocol, keys, place)
    try:
        node = node_id(shared.node)
    except IdentityError as error:
        raise ConfigError(f"{place}.node: {error.message}", remedy=error.remedy) from None
    if shared.kind not in KINDS:
        raise ConfigError(f"{place}.kind: no kind {shared.kind!r}", remedy=f"one of {', '.join(KINDS)}")
    period_s = KINDS[shared.kind].period_s if shared.period_s is None else shared.period_s
    if not 0 <= period_s <= 31 * 86_400:
        raise ConfigError(f"{place}.period_s: {period_s:g} is not within 0 to {31 * 86_400}")
    own = {key: _word(value, f"{place}.words.{key}") for key, value in shared.words.items()}
    words = {**protocol.words, **of_kind.words, **own}
    return Device(
        id=shared.id, node=node, kind=shared.kind, series=shared.series, period_s=period_s,
        words=words, own=own, options=options,
    )  # fmt: skip


def _options(protocol: Adapter, table: Mapping[str, Any], place: str) -> Any:
    try:
        return read_table(protocol.options, table, place)
    except ConfigError as error:
        if error.message.startswith(place):
            raise
        raise ConfigError(f"{place}: {error.message}", remedy=error.remedy) from None


def _word(value: Any, place: str) -> Word:
    """Read `"quantity"` or `{quantity = ..., factor = ..., offset = ...}`."""
    table = {"quantity": value} if isinstance(value, str) else value
    word = read_table(_WordTable, table, place)
    if word.quantity not in QUANTITIES:
        raise ConfigError(
            f"{place}: no quantity {word.quantity!r}",
            remedy="the catalogue lists them (edge/model/quantities.py)",
        )
    if word.factor == 0:
        raise ConfigError(f"{place}: factor 0 makes every value the same", remedy="leave it out, for 1")
    return Word(word.quantity, word.factor, word.offset)


@dataclass(frozen=True, kw_only=True, slots=True)
class _WordTable:
    quantity: str
    factor: float = 1.0
    offset: float = 0.0
