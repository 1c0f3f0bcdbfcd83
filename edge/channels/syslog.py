"""Syslog, for a city's security and log systems: RFC 5424 text, framed for TCP and TLS by RFC 6587 and 5425."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge.channels.channel import ChannelConfig
from edge.channels.message import Message, clipped
from edge.model.alert import Level
from edge.model.errors import ConfigError

PORTS = {"udp": 514, "tcp": 514, "tls": 6514}
MOST_UDP_BYTES = 2048  # RFC 5424 section 6.1: receivers should take as much
MOST_BYTES = 8192
_SEVERITY = {Level.RED: 1, Level.ORANGE: 2, Level.YELLOW: 4, Level.BLUE: 5}  # alert, critical, warning, notice
_INFORMATIONAL = 6
_SD_ID = "cityneuron@32473"  # 32473: the number that RFC 5612 keeps for those who have none
_BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True, slots=True)
class SyslogConfig(ChannelConfig):
    """A [[channel]] of type syslog. Only TLS is safe beyond a network of your own."""

    host: str
    port: int = 0
    transport: Literal["tls", "tcp", "udp"] = "tls"
    facility: int = 16
    hostname: str = "-"
    ca_file: Path | None = None


def check(config: SyslogConfig) -> None:
    """Raise ConfigError for what no syslog message may carry."""
    if not 0 <= config.facility <= 23:
        raise ConfigError(f"channel {config.name}: facility is 0 to 23", remedy="16 is local0")
    if not re.fullmatch(r"[!-~]{1,255}", config.hostname):
        raise ConfigError(f"channel {config.name}: hostname is printable ASCII without spaces")


def encode(message: Message, config: SyslogConfig, now_ms: int) -> bytes:
    """Return the message as one syslog line, cut to what the transport takes."""
    severity = _INFORMATIONAL
    if message.level is not None and not message.quiet:
        severity = _SEVERITY[message.level]
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{now_ms % 1000:03d}Z"
    facts = {
        "key": message.key,
        "occasion": message.occasion,
        "level": message.level.word if message.level else "none",
        "url": message.url,
    }
    data = "".join(f' {name}="{_escaped(value)}"' for name, value in facts.items() if value)
    head = (
        f"<{config.facility * 8 + severity}>1 {stamp} {config.hostname} cityneuron - {message.occasion} "
        f"[{_SD_ID}{data}] {_BOM}"
    )
    words = "; ".join((message.title, *message.lines))
    most = MOST_UDP_BYTES if config.transport == "udp" else MOST_BYTES
    return head.encode() + clipped(words.replace("\n", " "), max(0, most - len(head.encode()))).encode()


def framed(line: bytes) -> bytes:
    """Return a line with its octet count before it (RFC 6587 section 3.4.1, RFC 5425 section 4.3)."""
    return b"%d %s" % (len(line), line)


def _escaped(value: str) -> str:
    short = clipped(value.replace("\n", " "), 300)
    return re.sub(r'(["\\\]])', r"\\\1", short)
