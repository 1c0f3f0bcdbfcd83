"""What the cloud knew of each node through the week: its state, its age, its account (`node_status`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Flag
from simulators.week.episodes import STAGES
from simulators.week.plan import END_MS, FAULTS, PERIOD_MS, START_MS
from simulators.week.readings import Fate, Reading, period_ms

LATE_PERIODS, SILENT_PERIODS = 3, 20
ON_TRIAL = ("pile-001",)
"""Nodes that an installer tries out: they alarm nobody."""


class State(IntEnum):
    """How a node is, as the cloud sees it."""

    OK = 0
    LATE = 1
    SILENT = 2
    TROUBLE = 3
    NEVER_HEARD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A node at one time. `age_s` is None for one that was never heard. produced = the five others' sum."""

    node: Node
    t_ms: int
    state: State
    age_s: float | None
    produced: int
    stored: int
    queued: int
    dropped: int
    quarantined: int
    missing: int

    def tags(self) -> dict[str, str]:
        """Return the tags that it is stored under."""
        node = self.node
        return {
            "node": node.id,
            "kind": node.kind,
            "system": KINDS[node.kind].system,
            "district": node.district,
            "gateway": node.gateway or "",
        }

    def field(self, name: str) -> float | int | str | None:
        """Return one field by its name in the store; None where the point has no such field."""
        if name in MOVING:
            value: float | int | None = getattr(self, name)
            return value
        return self.steady().get(name)

    def steady(self) -> dict[str, float | int | str]:
        """Return the fields that do not change in the week."""
        node = self.node
        found: dict[str, float | int | str] = {
            "lat": node.lat or 0.0,
            "lon": node.lon or 0.0,
            "label_en": node.label_en,
            "label_zh": node.label_zh,
            "trial": int(node.id in ON_TRIAL),
        }
        return found | {stage: node.stages[stage] for stage in STAGES if stage in node.stages}


ACCOUNT = ("produced", "stored", "queued", "dropped", "quarantined", "missing")
MOVING = ("state", "age_s", *ACCOUNT)


def statuses(node: Node, rows: Sequence[Reading]) -> Iterator[Status]:
    """Return what the cloud knew of a node, every ten minutes."""
    told = sorted(_told_to_cloud_ms(node, row) for row in rows)
    ends = {fate: sorted(row.settled_ms for row in rows if row.fate is fate) for fate in Fate}
    stored = sorted((row for row in rows if row.fate is Fate.STORED), key=lambda row: row.settled_ms)
    newest: Reading | None = None
    at = 0
    for t_ms in range(START_MS + PERIOD_MS, END_MS, PERIOD_MS):
        while at < len(stored) and stored[at].settled_ms <= t_ms:
            newest = stored[at] if newest is None or stored[at].t_ms > newest.t_ms else newest
            at += 1
        produced = bisect_right(told, t_ms)
        settled = {fate: bisect_right(times, t_ms) for fate, times in ends.items()}
        yield Status(
            node=node,
            t_ms=t_ms,
            state=_state(node, newest, t_ms),
            age_s=None if newest is None else (t_ms - newest.t_ms) / 1000,
            produced=produced,
            stored=settled[Fate.STORED],
            queued=produced - sum(settled.values()),
            dropped=settled[Fate.DROPPED],
            quarantined=settled[Fate.QUARANTINED],
            missing=settled[Fate.MISSING],
        )


def _told_to_cloud_ms(node: Node, row: Reading) -> int:
    """Return when the cloud knew of a reading: a gateway cut off tells nothing until it is back."""
    outage = FAULTS["outage"]
    return outage.end_ms if outage.hits(node.gateway or "", row.told_ms) else row.told_ms


def _state(node: Node, newest: Reading | None, t_ms: int) -> State:
    """Return a node's state: age speaks first, then the quality of the newest reading."""
    if newest is None:
        return State.NEVER_HEARD
    periods = (t_ms - newest.t_ms) / period_ms(node.kind)
    if periods > LATE_PERIODS:
        return State.SILENT if periods > SILENT_PERIODS else State.LATE
    return State.TROUBLE if {Flag.SUSPECT, Flag.FAIL}.intersection(newest.flags) else State.OK
