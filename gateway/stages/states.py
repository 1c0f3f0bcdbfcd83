"""What the quality checks know of every node: taken up at the start, written with each commit, undone with it.

states.load(rows)       once, with what the journal holds: (node, bytes)
states.dirty()          within a commit: (node, bytes) of the nodes that it touched, to be written with it
states.settle()         after the commit
states.rollback()       when it failed: the same readings will be taken again
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from edge.quality import NO_OVERRIDES, Checks, Overrides, Profile, age, profile

SAVE_MS = 60_000
"""While all is calm a node's state is written once in so long (event time) and at the end, else every time."""


class QualityStates:
    """The checks of all nodes, each under the limits that hold for it."""

    def __init__(self, overrides: Overrides = NO_OVERRIDES) -> None:
        self._overrides = overrides
        self._profiles: dict[tuple[str, tuple[str, ...], float], Profile] = {}
        self._nodes: dict[str, Checks] = {}
        self._unheard: dict[str, bytes] = {}
        self._to_save: list[tuple[str, bytes]] = []
        self._whole = False
        self.touched: set[Checks] = set()

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take up what was written; a node's state is read when the node is heard."""
        self._unheard.update(rows)

    def of(self, node: str, quantities: Sequence[str], period_s: float) -> Checks:
        """Return the checks of a node that sends these quantities; what is known of others of its is kept."""
        under = self._profile(node, tuple(quantities), period_s)
        known = self._nodes.get(node)
        if known is None:
            known = Checks(under, node)
            known.kept = self._unheard.pop(node, b"")
            known.load(known.kept)
        elif known.profile is not under:
            known = known.under(under)
        self._nodes[node] = known
        return known

    def dirty(self) -> list[tuple[str, bytes]]:
        """Return the states that are to be written now."""
        self._to_save = [
            (checks.node, checks.dump())
            for checks in self.touched
            if self._nodes.get(checks.node) is checks and not self._is_fresh(checks)
        ]
        return self._to_save

    def all(self) -> None:
        """Let the next commit write the state of every node as it is."""
        self._whole = True
        self.touched.update(self._nodes.values())

    def settle(self) -> None:
        """What `dirty` returned is on the disk."""
        for node, state in self._to_save:
            self._nodes[node].kept = state
        self._to_save = []
        self.touched.clear()

    def rollback(self) -> None:
        """Forget what was taken since the last commit."""
        for checks in self.touched:
            checks.load(checks.kept)
        self._to_save = []
        self.touched.clear()

    def _is_fresh(self, checks: Checks) -> bool:
        """Whether what the disk has of a calm node says nearly the same."""
        if not checks.calm or not checks.kept or self._whole:
            return False
        t_ms, boot, was_calm = age(checks.kept)
        return was_calm and checks.boot == boot and checks.t_ms - t_ms < SAVE_MS

    def _profile(self, node: str, quantities: tuple[str, ...], period_s: float) -> Profile:
        key = (node if node in self._overrides.nodes else "", quantities, period_s)
        found = self._profiles.get(key)
        if found is None:
            if self._overrides is NO_OVERRIDES:
                found = _by_catalogue(quantities, period_s)
            else:
                found = profile(quantities, self._overrides, node, period_s)
            self._profiles[key] = found
        return found


@lru_cache(maxsize=4096)
def _by_catalogue(quantities: tuple[str, ...], period_s: float) -> Profile:
    return profile(quantities, period_s=period_s)
