"""Where lines go: the port that every sink keeps."""

from __future__ import annotations

from typing import Protocol

from edge.model.errors import CityError


class SinkUnavailable(CityError):
    """The store cannot take anything now; the same lines may be sent again later, after `retry_after_s`."""

    def __init__(self, message: str, *, remedy: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class SinkRejected(CityError):
    """The store refuses at least one of these lines, whatever is done; the message is the store's own."""


class Sink(Protocol):
    """A store's front door. `write` returns once all lines are stored; it may be called with lines again."""

    async def write(self, body: bytes) -> None:
        """Store lines, joined by line ends, or raise SinkUnavailable or SinkRejected."""

    async def close(self) -> None:
        """Give back what the sink holds open."""
