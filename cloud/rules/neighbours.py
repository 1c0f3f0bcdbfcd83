"""What rules of the city ask of other nodes, behind whichever gateway: kept from when it was first asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from cloud.board import Board
from cloud.stores.protocol import Latest
from edge.model.quality import Flag

KEPT_VALUES = 512
"""Values kept of a quantity that is asked for; at one a minute more than eight hours."""


def number(reading: Latest, quantity: str) -> float | None:
    """Return a value of a reading; None where it has none, or one that is no number."""
    value = reading.values.get(quantity)
    return float(value) if isinstance(value, int | float) else None


class Neighbours:
    """Values of nodes that rules of others ask for (`edge.rules.Peers`), those that passed their checks.

    wanted: nodes that are asked for, and what of them. The board knows the value before the first question.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._values: dict[tuple[str, str], deque[tuple[int, float]]] = {}
        self.wanted: dict[str, tuple[str, ...]] = {}

    def offer(self, reading: Latest) -> None:
        """Note a reading of a node in `wanted`."""
        for quantity in self.wanted[reading.node]:
            self._note(reading, quantity)

    def latest(self, node: str, quantity: str) -> tuple[int, float] | None:
        """Return time (ms) and value of a node's newest reading."""
        values = self._ask(node, quantity)
        return values[-1] if values else None

    def series(self, node: str, quantity: str, since_ms: int) -> Sequence[tuple[int, float]]:
        """Return a node's values from a time on, the oldest first."""
        return [row for row in self._ask(node, quantity) if row[0] >= since_ms]

    def _ask(self, node: str, quantity: str) -> deque[tuple[int, float]]:
        kept = self._values.get((node, quantity))
        if kept is None:
            kept = self._values[node, quantity] = deque(maxlen=KEPT_VALUES)
            self.wanted[node] = (*self.wanted.get(node, ()), quantity)
            known = self._board.of(node)
            if known is not None:
                self._note(known, quantity)
        return kept

    def _note(self, reading: Latest, quantity: str) -> None:
        value, kept = number(reading, quantity), self._values[reading.node, quantity]
        good = reading.qc.get(quantity, Flag.PASS) <= Flag.NOT_EVALUATED
        if value is not None and good and (not kept or reading.time_ms > kept[-1][0]):
            kept.append((reading.time_ms, value))
