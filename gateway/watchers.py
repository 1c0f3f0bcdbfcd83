"""The gateway's nodes under their rules: which rules cover a node, what they know, and what time alone brings.

Rules look at a reading once: a batch whose commit failed and that comes again finds them where they were, and
what they found waits in gateway/episodes.py for the commit that succeeds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge.model.alert import Episode
from edge.model.node import Node
from edge.model.quality import Flag
from edge.rules import Memory, Rule, Watch, rules_of

log = logging.getLogger(__name__)

PART = "rules"
TICKED_AT_ONCE = 5_000


class Watchers:
    """A watch a node; what they ask of one another; their states for the commit."""

    def __init__(self, rules: Sequence[Rule], states: Mapping[str, bytes] | None = None) -> None:
        self._rules = rules
        self._states = dict(states or {})
        self._watches: dict[str, Watch] = {}
        self._touched: dict[str, None] = {}
        self._turn: list[str] = []
        self.peers = Memory()

    def watch(self, node: Node, quantities: tuple[str, ...], period_s: float) -> Watch | None:
        """Return the node's watch for readings of these quantities, None where no rule covers it."""
        known = self._watches.get(node.id)
        if known is not None and known.quantities == quantities and known.node == node:
            return known
        state = known.dump() if known is not None else self._stored(node.id)
        watch = Watch(node, quantities, rules_of(self._rules, node), self.peers, period_s=period_s)
        if watch.empty:
            self._watches.pop(node.id, None)
            return None
        watch.load(state)
        watch.changed = known is not None and bool(state)
        self._watches[node.id] = watch
        return watch

    def heard(self, node: str, now_ms: int, clock_qc: int) -> None:
        """Note that a message of a node arrived."""
        known = self._watches.get(node)
        if known is not None:
            known.heard(now_ms, clock_qc)

    def tick(self, now_ms: int, listening_since_ms: int) -> list[Episode]:
        """Let time pass for the nodes whose turn it is: all of a small city, thousands of a large one."""
        if not self._turn:
            self._turn = list(self._watches)
        turn, self._turn = self._turn[:TICKED_AT_ONCE], self._turn[TICKED_AT_ONCE:]
        found: list[Episode] = []
        for node in turn:
            known = self._watches.get(node)
            if known is not None:
                changed = known.tick(now_ms, listening_since_ms)
                if changed:
                    found += changed
                if known.changed:
                    self._touched[node] = None
        return found

    def touched(self, node: str) -> None:
        """Note that readings of a node were judged: its state may have to be written."""
        self._touched[node] = None

    @property
    def waiting(self) -> bool:
        """Whether some state has to be written."""
        return bool(self._touched)

    def states(self) -> list[tuple[str, str, bytes]]:
        """Return what the next commit has to write."""
        found = []
        for node in self._touched:
            known = self._watches.get(node)
            if known is not None and known.changed:
                found.append((node, PART, json.dumps(known.dump(), separators=(",", ":")).encode()))
        self._touched.clear()
        return found

    def unwritten(self, states: Iterable[tuple[str, str, bytes]]) -> None:
        """A commit failed: these states have to be written by the next one."""
        for node, part, _ in states:
            known = self._watches.get(node)
            if part == PART and known is not None:
                known.changed = True
                self._touched[node] = None

    def offer(
        self,
        node: str,
        quantities: Sequence[str],
        t_ms: int,
        values: Sequence[float | None],
        flags: Sequence[int],
    ) -> None:
        """Note a reading of a node in `peers.wanted`, without the values that did not pass their checks."""
        for quantity in self.peers.wanted[node]:
            if quantity in quantities:
                index = quantities.index(quantity)
                value = values[index]
                if value is not None and flags[index] <= Flag.NOT_EVALUATED:
                    self.peers.note(node, quantity, t_ms, value)

    def _stored(self, node: str) -> dict[str, Any]:
        try:
            state = json.loads(self._states.pop(node, b"{}"))
        except ValueError as error:
            log.warning("what the rules knew of %s cannot be read: %s", node, error)
            return {}
        return state if isinstance(state, dict) else {}
