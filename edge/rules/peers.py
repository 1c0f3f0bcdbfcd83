"""What a rule may ask of other nodes: differences between stations, rain upstream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

KEPT_VALUES = 512
"""Values kept of a quantity that is asked for; at one a minute more than eight hours."""


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


Begin = Callable[[str, str], tuple[int, float] | None]


class Memory:
    """Peers whose values are remembered from when a rule first asked for them.

    wanted: the nodes that are asked for, and which of their quantities. begin: gives what is known of a
    quantity at the first question.
    """

    def __init__(
        self, begin: Callable[[str, str], tuple[int, float] | None] = lambda _node, _quantity: None
    ) -> None:
        self.wanted: dict[str, tuple[str, ...]] = {}
        self._begin = begin
        self._values: dict[tuple[str, str], deque[tuple[int, float]]] = {}

    def note(self, node: str, quantity: str, t_ms: int, value: float) -> None:
        """Remember a value that passed its checks; one that is no newer than the last is left out."""
        kept = self._values[node, quantity]
        if not kept or t_ms > kept[-1][0]:
            kept.append((t_ms, value))

    def latest(self, node: str, quantity: str) -> tuple[int, float] | None:
        """Return time (ms) and value of the newest reading."""
        kept = self._ask(node, quantity)
        return kept[-1] if kept else None

    def series(self, node: str, quantity: str, since_ms: int) -> Sequence[tuple[int, float]]:
        """Return times and values from `since_ms` on, the oldest first."""
        return [row for row in self._ask(node, quantity) if row[0] >= since_ms]

    def _ask(self, node: str, quantity: str) -> deque[tuple[int, float]]:
        kept = self._values.get((node, quantity))
        if kept is None:
            kept = self._values[node, quantity] = deque(maxlen=KEPT_VALUES)
            self.wanted[node] = (*self.wanted.get(node, ()), quantity)
            known = self._begin(node, quantity)
            if known is not None:
                kept.append(known)
        return kept
