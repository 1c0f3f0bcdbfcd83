"""What a format is: readings to messages, for the time of one connection, without a socket or a clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.north.reading import Origin, Reading


class Message(NamedTuple):
    """Something to publish."""

    topic: str
    payload: bytes


class Format(Protocol):
    """Made anew for each connection; called in the order in which its messages leave."""

    def filters(self) -> list[str]:
        """Return the topics to hear."""

    def will(self, now_ms: int) -> Message | None:
        """Return what the broker is to say when the gateway vanishes; asked before signing in."""

    def begin(self, now_ms: int) -> list[Message]:
        """Return what comes first."""

    def encode(self, origin: Origin, readings: Sequence[Reading], now_ms: int) -> list[Message]:
        """Return readings of one node as messages. Raises CityError for what this format cannot say."""

    def hear(self, topic: str, payload: bytes, now_ms: int) -> list[Message]:
        """Take a message of the broker; return what is answered at once."""

    def end(self, now_ms: int) -> list[Message]:
        """Return what comes last when the gateway leaves in order."""
