"""What every channel is: its settings, its limit, `send`, and the one error that it raises."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.channels.limiter import Limiter, Window
from edge.channels.message import Language, Message
from edge.model.alert import Level
from edge.model.errors import CityError


class ChannelError(CityError):
    """A message was not delivered. It never holds a secret.

    retry: whether the same message may well go later (a wrong key will not). after_s: how long to wait at
    least, where the service said so or its rules are known.
    """

    def __init__(
        self, message: str, *, remedy: str = "", retry: bool = False, after_s: float | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.retry = retry
        self.after_s = after_s


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelConfig:
    """What every [[channel]] table may say. `level`: the least that this channel is told."""

    name: str
    type: str
    language: Literal["zh", "en", "both"] = "zh"
    level: Literal["blue", "yellow", "orange", "red"] = "blue"
    timeout_s: float = 10.0
    per_minute: int = 0
    """Overrides the service's own limit downwards; 0: as the service allows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpConfig(ChannelConfig):
    """What every channel over HTTP may say beside. The address is a secret: who has it can write."""

    url_file: Path
    ca_file: Path | None = None
    proxy: str = field(default="", repr=False)
    allow_http: bool = False
    attempts: int = 1
    retry_delay_s: float = 1.0


class Channel(ABC):
    """One way to reach people. `send` returns when the service confirmed, or raises ChannelError."""

    def __init__(self, config: ChannelConfig, windows: Sequence[Window]) -> None:
        self.config = config
        own = (Window(config.per_minute, 60.0),) if config.per_minute else ()
        self.windows = (*windows, *own)

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self.config.name

    @property
    def language(self) -> Language:
        """In what its messages are to be written."""
        return Language(self.config.language)

    @property
    def level(self) -> Level:
        """The least level that it is told."""
        return Level.of(self.config.level)

    @property
    def limit(self) -> float:
        """How many messages a minute it takes (infinity: any number)."""
        return min((window.most * 60.0 / window.seconds for window in self.windows), default=float("inf"))

    def limiter(self) -> Limiter:
        """Return a fresh limiter with this channel's windows, for whoever sends."""
        return Limiter(self.windows)

    async def send(self, message: Message) -> None:
        """Deliver `message`, or raise ChannelError."""
        try:
            async with asyncio.timeout(self.config.timeout_s):
                await self._send(message)
        except TimeoutError:
            raise ChannelError(
                f"channel {self.name}: no answer within {self.config.timeout_s:g} s",
                remedy="check the way there (firewall, proxy) and whether the service is up",
                retry=True,
            ) from None

    @abstractmethod
    async def close(self) -> None:
        """End what is open. A closed channel may be used again."""

    @abstractmethod
    async def _send(self, message: Message) -> None:
        """Called by `send`, within its timeout."""

    def __repr__(self) -> str:
        return f"<{self.config.type} channel {self.name!r}>"
