"""All other services, by apprise (github.com/caronc/apprise): text messages, Telegram, Slack, Matrix, ntfy."""

from __future__ import annotations

import importlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edge.channels.channel import Channel, ChannelConfig, ChannelError
from edge.channels.message import Message
from edge.config import read_secret
from edge.model.alert import Level
from edge.model.errors import ConfigError

_OURS = {
    "dingtalk": "dingtalk", "feishu": "feishu", "lark": "feishu", "wecombot": "wecom", "mailto": "email",
    "mailtos": "email", "syslog": "syslog", "rsyslog": "syslog", "json": "webhook", "jsons": "webhook",
}  # fmt: skip
_KINDS = {Level.RED: "failure", Level.ORANGE: "failure", Level.YELLOW: "warning", Level.BLUE: "info"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AppriseConfig(ChannelConfig):
    """A [[channel]] of type apprise; `url_file` holds one apprise address, secrets and all."""

    url_file: Path


class AppriseChannel(Channel):
    """One address of apprise. It tells only whether: what it logged meanwhile is given as the reason why."""

    _secrets: ClassVar[set[str]] = set()  # of all of them: what one logs may be caught by another

    def __init__(self, config: AppriseConfig) -> None:
        super().__init__(config, ())
        url = read_secret(config.url_file) or ""
        scheme = url.partition("://")[0].lower()
        if scheme in _OURS:
            raise ConfigError(
                f"channel {config.name}: {scheme}:// has a type of its own, which checks the answers",
                remedy=f'set type = "{_OURS[scheme]}"',
            )
        try:
            self._apprise: Any = importlib.import_module("apprise")
        except ModuleNotFoundError:
            raise ConfigError(
                f"channel {config.name} needs apprise, which is not installed", remedy="pip install apprise"
            ) from None
        self._secrets.update(part for part in re.split(r"[/:@?&=,]+", url) if len(part) > 3)
        logging.getLogger("apprise").propagate = False  # its lines may hold what is secret
        self._target = self._apprise.Apprise()
        if not self._target.add(url):
            raise ConfigError(
                f"channel {config.name}: apprise cannot read the address in url_file",
                remedy="see the list of addresses at github.com/caronc/apprise/wiki",
            )

    async def close(self) -> None:
        """Nothing stays open."""

    async def _send(self, message: Message) -> None:
        kind = "success" if message.quiet else _KINDS.get(message.level or Level.BLUE, "info")
        body = "\n".join((*message.lines, message.url)).strip() or message.title
        with self._apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as told:
            delivered = await self._target.async_notify(title=message.title, body=body, notify_type=kind)
            why = self._redacted(told.getvalue())
        if not delivered:
            raise ChannelError(
                f"channel {self.name}: not delivered: {why}",
                remedy="check the address in url_file and whether the service can be reached",
                retry=True,
                after_s=30.0,
            )

    def _redacted(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "…")
        return " ".join(text.split())[:200] or "apprise gives no reason"
