"""The account: produced = stored + queued + dropped + quarantined + missing, for every node and for all.

It is drawn up from the ledger and from what the journal counts on its own, so that the equation is a check
that can fail. A node's account is drawn up anew only when something of the node changed: asking costs little
with a hundred thousand nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.ledger import Drop, Ledger, Stream

COUNTS = ("produced", "stored", "queued", "dropped", "quarantined", "missing")
RESTARTED = "missing_restarted"
OVERWRITTEN = "missing_overwritten"
REASONS = (RESTARTED, OVERWRITTEN, *(f"dropped_{drop}" for drop in Drop))


NO_REASONS: Mapping[str, int] = MappingProxyType({})  # one for all the nodes of which nothing is lost


@dataclass(frozen=True, slots=True)
class Counts:
    """The account of a node or of all, in readings. `reasons` says why some are dropped or missing."""

    produced: int = 0
    stored: int = 0
    queued: int = 0
    dropped: int = 0
    quarantined: int = 0
    missing: int = 0
    reasons: Mapping[str, int] = field(default_factory=lambda: NO_REASONS)

    def __add__(self, other: Counts) -> Counts:
        return self._with(other, 1)

    def __sub__(self, other: Counts) -> Counts:
        return self._with(other, -1)

    def _with(self, other: Counts, sign: int) -> Counts:
        return Counts(
            self.produced + sign * other.produced,
            self.stored + sign * other.stored,
            self.queued + sign * other.queued,
            self.dropped + sign * other.dropped,
            self.quarantined + sign * other.quarantined,
            self.missing + sign * other.missing,
            self._reasons(other, sign),
        )

    def _reasons(self, other: Counts, sign: int) -> Mapping[str, int]:
        if not other.reasons:
            return self.reasons
        names = (*self.reasons, *other.reasons)
        found = {name: self.reasons.get(name, 0) + sign * other.reasons.get(name, 0) for name in names}
        return {name: count for name, count in found.items() if count}

    @property
    def accounted(self) -> int:
        """Return how many readings are known to be somewhere, or gone for a known reason."""
        return self.stored + self.queued + self.dropped + self.quarantined + self.missing

    @property
    def balanced(self) -> bool:
        """Tell whether the equation holds."""
        return self.produced == self.accounted

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in COUNTS}


def account(streams: Iterable[Stream], *, in_journal: int, strays: int, stray_drops: int) -> Counts:
    """Return the account of one node. A stray is a message that could not be read far enough to number it.

    `in_journal` is how many readings of the node wait in the journal, counted there and not derived.
    """
    produced = stored = dropped = quarantined = missing = 0
    queued = in_journal
    reasons: dict[str, int] = {}
    for stream in streams:
        produced += stream.top
        stored += stream.stored.count()
        queued += sum(end - first for first, end in stream.awaited())
        quarantined += stream.quarantined
        if gone := stream.missing():
            missing += gone
            overwritten = stream.missing_overwritten()
            _add(reasons, OVERWRITTEN, overwritten)
            _add(reasons, RESTARTED, gone - overwritten)
        if stream.drops:
            dropped += stream.dropped()
            for reason, count in stream.drops.items():
                _add(reasons, f"dropped_{reason}", count)
    if stray_drops:
        _add(reasons, f"dropped_{Drop.QUARANTINE_FULL}", stray_drops)
    return Counts(
        produced + strays + stray_drops,
        stored,
        queued,
        dropped + stray_drops,
        quarantined + strays,
        missing,
        reasons or NO_REASONS,
    )


def _add(reasons: dict[str, int], name: str, count: int) -> None:
    if count:
        reasons[name] = reasons.get(name, 0) + count


class Accounts:
    """The accounts of all nodes of a ledger and their sum, kept up with what changes.

    `queued` is how many readings of each node wait in the journal.
    """

    def __init__(self, ledger: Ledger, queued: Mapping[str, int]) -> None:
        self._ledger = ledger
        self._queued = queued
        self._nodes: dict[str, Counts] = {}
        self._total = Counts()
        ledger.changed.update(ledger.nodes(), queued)

    def nodes(self) -> dict[str, Counts]:
        """Return the account of every node; who was not touched has the very object of last time."""
        self._refresh()
        return dict(self._nodes)

    def total(self) -> Counts:
        """Return the account of all nodes together."""
        self._refresh()
        return self._total

    def _refresh(self) -> None:
        ledger, total = self._ledger, self._total
        for node in ledger.changed:
            found = account(
                ledger.committed(node),
                in_journal=self._queued.get(node, 0),
                strays=ledger.strays.get(node, 0),
                stray_drops=ledger.stray_drops.get(node, 0),
            )
            before = self._nodes.get(node)
            if found != before:
                total = total + found if before is None else total - before + found
                self._nodes[node] = found
        ledger.changed.clear()
        self._total = total
