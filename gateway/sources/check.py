"""What is wrong with the [[source]] tables of a file, and what is legal but will hardly work as meant."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from serial.tools.list_ports import comports

from edge.adapters import adapter
from edge.broker import BrokerAddress
from edge.config import read_secret
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from gateway.sources.config import Device, SourceConfig, SourceTable, read_device, read_source, read_sources
from gateway.sources.line import REST_BETWEEN_S
from gateway.sources.tcp import address

ANSWER_BYTES = 40  # of a typical answer: ten registers, or a meter's value with its address
ANSWERS_AFTER_S = 0.05
BUSY = 0.8  # of a line's time; beyond it one device that is silent makes others late
_TLS = frozenset(("ca_file", "cert_file", "key_file"))
_LINE = frozenset(("baud", "parity"))
_LOGIN = frozenset(("username", "password_file"))
_KEYS_OF: Mapping[str, frozenset[str]] = {
    "serial": _LINE, "tcp-client": _LINE, "tcp-server": frozenset(), "http": _LOGIN,
    "mqtt": _LOGIN | _TLS | {"topics"},
}  # fmt: skip
"""Transport -> the keys of a source that are for some transports alone."""
_PLACE = re.compile(r"source\[(\d+)\](?:\.device\[(\d+)\])?(?:\.([A-Za-z_]\w*))?")
_ABOUT = re.compile(
    r"(?P<device>\.device\[)|\.(?P<key>\w+)|: unknown key '(?P<unknown>.+?)'|: (?P<missing>\w+) is missing"
)
_HEADER = re.compile(r"\s*\[\[\s*source(\s*\.\s*device)?\s*\]\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong (`wrong`: the gateway does not start with it) or suspicious, where, and what to do."""

    message: str
    remedy: str = ""
    wrong: bool = False
    line: int = 0


def check(text: str, tables: Mapping[str, Any], place: str) -> tuple[list[SourceConfig], list[Finding]]:
    """Return the sources of a configuration that can be read, and all that is to be said of them."""
    own = tables.get("source")
    if isinstance(own, Mapping):
        raise ConfigError(
            f"{place}: [source] is one table of many", remedy="write [[source]], in double brackets"
        )
    if not own or not isinstance(own, list):
        raise ConfigError(
            f"{place} has no [[source]]", remedy="docs/protocols.md has a sample of each protocol"
        )
    found: list[SourceConfig] = []
    findings: list[Finding] = []
    for index, table in enumerate(own):
        here = f"{place}.source[{index}]"
        mistakes = list(_mistakes(table, here))
        if not mistakes:
            source = read_source(table, here)
            mistakes = list(_unfit(source, here))
            if not mistakes:
                found.append(source)
        findings += [_named(text, mistake) for mistake in mistakes]
    if not findings:
        try:
            read_sources(own, f"{place}.source")
        except ConfigError as error:
            findings.append(_named(text, error))
    for source in found:
        findings += doubts(source)
    return found, findings + among(found, tables)


def _mistakes(table: Any, place: str) -> Iterator[ConfigError]:
    """Yield the mistakes of a source, then those of each of its devices."""
    yield from _each(lambda own: read_source(own, place), table, place)
    try:
        protocol, devices = adapter(table["protocol"]), table["device"]
    except (ConfigError, LookupError, TypeError):
        return
    for index, each in enumerate(devices if isinstance(devices, list) else ()):
        here = f"{place}.device[{index}]"
        yield from _each(partial(read_device, protocol, place=here), each, here)


def _each(read: Callable[[Any], object], table: Any, place: str) -> Iterator[ConfigError]:
    """Yield one mistake of a table after another: what is wrong is left out, and the rest read again."""
    left = dict(table) if isinstance(table, Mapping) else {}
    wrong: set[str] = set()
    while True:
        try:
            read(left if isinstance(table, Mapping) else table)
            return
        except ConfigError as error:
            about = _ABOUT.match(error.message.removeprefix(place))
            if about is not None and (about["device"] or about["missing"] in wrong):
                return
            yield error
            key = about and (about["key"] or about["unknown"])
            if not key or key not in left:
                return
            wrong.add(key)
            del left[key]


def _unfit(source: SourceConfig, place: str) -> Iterator[ConfigError]:
    """Yield what only shows when a source begins its work: ids, addresses, files."""
    for index, device in enumerate(source.devices):
        if source.adapter.poller is not None:
            try:
                source.adapter.poller(device.id, device.options)
            except ConfigError as error:
                key = ".id" if repr(device.id) in error.message else ""
                yield ConfigError(f"{place}.device[{index}]{key}: {error.message}", remedy=error.remedy)
    try:
        if source.transport == "mqtt":
            BrokerAddress.parse(source.address)
        elif not on_serial(source):
            address(source.address, f"{place}.address")
    except ConfigError as error:
        where = "" if error.message.startswith(place) else f"{place}.address: "
        yield ConfigError(f"{where}{error.message}", remedy=error.remedy)
    try:
        read_secret(source.password_file)
    except ConfigError as error:
        yield ConfigError(f"{place}.password_file: {error.message}", remedy=error.remedy)
    for name in ("ca_file", "cert_file", "key_file"):
        path: Path | None = getattr(source, name)
        if path is not None and not path.is_file():
            yield ConfigError(f"{place}.{name}: no such file: {path}")


def doubts(source: SourceConfig) -> Iterator[Finding]:
    """Yield what is suspicious about one source."""
    name = f"source {source.name!r}"
    if on_serial(source):
        yield from _port_doubts(source, name)
    elif source.transport in ("tcp-server", "http"):
        yield from _listen_doubts(source, name)
    if is_line(source):
        yield from _pace_doubts(source, name)
    for key in sorted(_idle_keys(source)):
        yield Finding(
            f"{name}: {key} does nothing with transport {source.transport!r}",
            "leave it out; for TLS put a proxy before it" if key in _TLS else "leave it out",
        )
    for device in source.devices:
        yield from _silent_doubts(source, device, f"{name}, device {device.id!r}")
        yield from _device_doubts(device, f"{name}, device {device.id!r}")


def _port_doubts(source: SourceConfig, name: str) -> Iterator[Finding]:
    if not Path(source.address).exists():
        ports = ", ".join(sorted(port.device for port in comports()))
        here = f"this computer has {ports or 'no serial port'}; /dev/serial/by-id has names that stay"
        behind = 'a serial server has transport = "tcp-client"'
        yield Finding(
            f"{name}: there is no port {source.address} here", behind if ":" in source.address else here
        )
    elif not os.access(source.address, os.R_OK | os.W_OK):
        yield Finding(
            f"{name}: you may not open {source.address}",
            "add the gateway's user to the group of the port (ls -l), often dialout",
        )


def _listen_doubts(source: SourceConfig, name: str) -> Iterator[Finding]:
    host, port = address(source.address, name)
    why = _why_not(host, port)
    if why:
        yield Finding(
            f"{name}: cannot listen on {source.address}: {why}",
            "is the gateway running already? else choose another port",
        )
    if source.transport == "http" and not source.username and host not in ("127.0.0.1", "::1", "localhost"):
        yield Finding(
            f"{name}: whoever reaches {source.address} may post readings",
            "set username and password_file, or listen on 127.0.0.1 behind a proxy",
        )


def _pace_doubts(source: SourceConfig, name: str) -> Iterator[Finding]:
    busy = load(source)
    if busy > BUSY:
        round_s = sum(asking_s(source, device) for device in source.devices)
        late = "readings will be late" if busy > 1 else "one device that is silent makes others late"
        yield Finding(
            f"{name}: asking all takes about {round_s:.1f} s, {busy:.0%} of the line's time: {late}",
            "a longer period_s, a higher baud, or a second line",
        )
    for device in source.devices:
        if device.period_s == 0:
            yield Finding(
                f"{name}, device {device.id!r}: period_s 0 is for devices that report by themselves",
                "this one is asked, every 60 s",
            )


def _idle_keys(source: SourceConfig) -> set[str]:
    """Return the keys that were set and that the transport has no use for."""
    others = frozenset[str]().union(*_KEYS_OF.values()) - _KEYS_OF[source.transport]
    defaults = {item.name: item.default for item in dataclasses.fields(SourceTable)}
    return {key for key in others if getattr(source, key) != defaults[key]}


def _silent_doubts(source: SourceConfig, device: Device, name: str) -> Iterator[Finding]:
    """Yield why nothing will ever be heard of a device."""
    ids, series = source.adapter.ids, source.adapter.series
    if ids is not None and not re.fullmatch(ids.pattern, device.id):
        yield Finding(f"{name}: no device of {source.protocol} calls itself so", ids.said)
    if series is not None and device.series and device.series not in series:
        yield Finding(
            f"{name}: no device of {source.protocol} reports a series {device.series!r}",
            f"one of {', '.join(sorted(series))}" if series else "leave series out",
        )


def _device_doubts(device: Device, name: str) -> Iterator[Finding]:
    times = Counter(word.quantity for word in device.own.values())
    for quantity, count in times.items():
        if count > 1:
            keys = ", ".join(key for key, word in device.own.items() if word.quantity == quantity)
            yield Finding(
                f"{name}: {keys} are all {quantity}: the last of a report is taken",
                "leave one of them, or give the others quantities of their own",
            )
    strange = [quantity for quantity in times if quantity not in KINDS[device.kind].known]
    if strange:
        yield Finding(
            f"{name}: {', '.join(strange)} is stored, but no part of {device.kind}: "
            "boards and rules do not look for it",
            "another kind, or a device table of its own",
        )


def among(sources: list[SourceConfig], tables: Mapping[str, Any]) -> list[Finding]:
    """Return what is suspicious about the sources together, and beside the rest of the gateway."""
    found: list[Finding] = []
    for (transport, where), count in Counter(_held(source) for source in sources).items():
        if transport and count > 1:
            found.append(
                Finding(
                    f"{count} sources hold {where}: only one of them will",
                    "join them, or where their protocols differ give one a port of its own",
                )
            )
    known: dict[tuple[str, str, str], str] = {}
    for source in sources:
        for device in source.devices:
            before = known.setdefault((source.protocol, device.id, device.series), source.name)
            if before != source.name and not is_line(source):
                found.append(
                    Finding(
                        f"device {device.id!r} stands in {before!r} and {source.name!r}",
                        "what it reports to both is stored twice, as two nodes",
                    )
                )
    own = _text(tables, "gateway", "id")
    if own in {device.node for source in sources for device in source.devices}:
        found.append(Finding(f"node {own!r} is the gateway itself", "give the device another node"))
    nodes = tables.get("nodes")
    has_roster = bool(_text(tables, "nodes", "file") or _text(tables, "cloud", "url"))
    if "gateway" in tables and not has_roster and not (isinstance(nodes, Mapping) and nodes.get("admit_any")):
        found.append(
            Finding(
                "no node is registered: all readings will be quarantined as `unregistered`",
                "set [cloud] url or [nodes] file, or [nodes] admit_any = true",
            )
        )
    return found


def on_serial(source: SourceConfig) -> bool:
    """Tell whether a source's address is a serial port."""
    return source.transport == "serial"


def is_line(source: SourceConfig) -> bool:
    """Tell whether a source's devices are asked, one after another."""
    return source.transport in ("serial", "tcp-client") and source.adapter.poller is not None


def load(source: SourceConfig) -> float:
    """Return how much of its time a line is busy; above 1 it cannot be done."""
    return sum(asking_s(source, device) / (device.period_s or 60.0) for device in source.devices)


def asking_s(source: SourceConfig, device: Device) -> float:
    """Return about how long a device's questions and answers take. (Behind TCP the line's baud is believed.)"""
    assert source.adapter.poller is not None
    character_s = (10 if source.parity == "N" else 11) / source.baud
    exchanges = source.adapter.poller(device.id, device.options).exchanges()
    sent = sum(len(exchange.request) for exchange in exchanges)
    return len(exchanges) * (REST_BETWEEN_S + ANSWERS_AFTER_S + ANSWER_BYTES * character_s) + sent * character_s


def _held(source: SourceConfig) -> tuple[str, str]:
    """Return what a source needs for itself alone; empty where others may have it too."""
    shared = source.transport in ("mqtt", "tcp-client") or source.address.endswith(":0")
    return ("", source.name) if shared else ("port", source.address)


def _why_not(host: str, port: int) -> str:
    """Return why nobody can listen there now; empty where somebody can."""
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(family[4])
    except OSError as error:
        return "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return ""


def _text(tables: Mapping[str, Any], table: str, key: str) -> str:
    found = tables.get(table)
    return str(found.get(key, "")) if isinstance(found, Mapping) else ""


def _named(text: str, error: ConfigError) -> Finding:
    return Finding(error.message, error.remedy, wrong=True, line=line_of(text, error.message))


def line_of(text: str, message: str) -> int:
    """Return the line that a message is about: of the key, of the value that it quotes, of the table; or 0."""
    named = _PLACE.search(message)
    if named is None:
        return 0
    wanted = (int(named[1]), -1 if named[2] is None else int(named[2]))
    source, device, at = -1, -1, 0
    own: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            source, device = (source, device + 1) if header[1] else (source + 1, -1)
            at = number if (source, device) in (wanted, (wanted[0], -1)) else at
        elif (source, device) == wanted:
            own.append((number, line))
    unknown = re.search(r"unknown key '(\w+)'", message)
    quoted = re.search(r"'(.+?)'", message[named.end() :])
    for about in (
        rf"\s*{unknown[1] if unknown else named[3] or '(?!)'}\s*[.=]",
        rf".*[\"']{re.escape(quoted[1])}[\"']" if quoted else "(?!)",
    ):
        for number, line in own:
            if re.match(about, line):
                return number
    return at
