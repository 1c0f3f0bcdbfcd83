"""E-mail: what a message looks like as mail, and what an SMTP server's refusal means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from edge.channels.channel import ChannelConfig, ChannelError
from edge.channels.message import Message
from edge.model.alert import Level
from edge.model.errors import ConfigError

PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_REMEDIES = {
    530: "the server wants a sign-in: set username and password_file",
    534: "the server wants another way to sign in: many ask for an authorisation code (授权码)",
    535: "user name or password are wrong; many providers want an authorisation code (授权码) instead",
    538: "the server wants TLS before the sign-in: set tls",
    550: "an address does not exist, or the server may not relay for this sender",
    552: "the mailbox is full",
    553: "the server does not let this account send as `sender`",
    554: "the server refuses the mail, perhaps as spam: ask its administrator",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MailConfig(ChannelConfig):
    """A [[channel]] of type email. `tls`: starttls (587), implicit (465), none (25, in one's own network)."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 0
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    sender_name: str = "城市神经元 City Neuron"


def check(config: MailConfig) -> None:
    """Raise ConfigError for what cannot be mailed, or would show a password to anybody on the way."""
    if not config.to:
        raise ConfigError(f"channel {config.name}: to is empty", remedy='write to = ["duty@example.org"]')
    for address in (config.sender, *config.to):
        if not _is_address(address):
            raise ConfigError(f"channel {config.name}: {address!r} is no mail address")
    if bool(config.username) != (config.password_file is not None):
        raise ConfigError(f"channel {config.name}: username and password_file belong together")
    if config.tls == "none" and config.username:
        raise ConfigError(
            f"channel {config.name}: a password would go over the wire in the clear",
            remedy='set tls = "starttls" or "implicit"',
        )


def mail(message: Message, config: MailConfig, now_ms: int) -> EmailMessage:
    """Return the mail. Its Message-ID comes of the key: a repeat is the same mail, an episode one thread."""
    letter = EmailMessage(policy=SMTP)
    domain = config.sender.rpartition("@")[2]
    letter["Subject"] = message.title
    letter["From"] = Address(config.sender_name, addr_spec=config.sender)
    letter["To"] = [Address(addr_spec=address) for address in config.to]
    letter["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, UTC))
    letter["Message-ID"] = f"<{_digest(message.key)}@{domain}>"
    letter["References"] = f"<{_digest('/'.join(message.key.split('/')[:3]))}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice in reply
    if message.level is not None:
        letter["X-City-Level"] = message.level.word
    if message.level is not None and message.level >= Level.ORANGE and not message.quiet:
        letter["X-Priority"], letter["Importance"] = "1", "high"
    letter.set_content(message.text + "\n", cte="base64")
    return letter


def refusal(name: str, code: int, said: str | bytes) -> ChannelError:
    """Return what a reply of an SMTP server means: 4yz is to be tried again, 5yz is not (RFC 5321, 4.2.1)."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    retry = 400 <= code < 500
    return ChannelError(
        f"channel {name}: the mail server answers {code}: {' '.join(text.split())[:200]}",
        remedy="the server asks to try later"
        if retry
        else _REMEDIES.get(code, "ask the server's administrator"),
        retry=retry,
        after_s=60.0 if retry else None,
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _is_address(text: str) -> bool:
    try:
        address = Address(addr_spec=text)
    except ValueError:
        return False
    return bool(address.username and address.domain) and text.isascii() and " " not in text
