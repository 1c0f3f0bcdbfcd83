"""What a rule may ask of other nodes: differences between stations, rain upstream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Peers(Protocol):
    """What other nodes of the same caller have measured; values that did not pass the checks are left out."""

    def latest(self, node: str, quantity: str) -> tuple[int, float] | None:
        """Return time (ms) and value of the newest reading."""
        ...

    def series(self, node: str, quantity: str, since_ms: int) -> Sequence[tuple[int, float]]:
        """Return times and values from `since_ms` on, the oldest first."""
        ...


class Alone:
    """Peers of a node without neighbours."""

    def latest(self, node: str, quantity: str) -> tuple[int, float] | None:
        """Nothing is known of others."""
        return None

    def series(self, node: str, quantity: str, since_ms: int) -> Sequence[tuple[int, float]]:
        """Nothing is known of others."""
        return ()
