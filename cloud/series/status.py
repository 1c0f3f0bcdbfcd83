"""`node_status`: where a node is, how it does and what became of its readings, as one point. Pure.

Written once a minute for every registered node, and at each change, so that whoever reads the store alone sees
nodes that are silent or were never heard as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cloud.registry.models import COUNTS
from cloud.state import NodeState, node_state
from cloud.stores.protocol import NS_PER_MS, Latest
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.protocol.lines import Point
from edge.protocol.series import FieldValue

MEASUREMENT = "node_status"
OK, LATE, SILENT, IN_TROUBLE, NEVER_HEARD = range(5)
STAGES = ("near_m", "warning_m", "guaranteed_m", "record_m")
_STATES = {
    NodeState.OK: OK,
    NodeState.LATE: LATE,
    NodeState.SILENT: SILENT,
    NodeState.SUSPECT: IN_TROUBLE,
}


class Status(NamedTuple):
    """What of a node's status is told at once when it changes."""

    node: Node
    state: int
    trial: bool


def status_of(node: Node, newest: Latest | None, now_ms: int, *, trial: bool) -> Status:
    """Return how a node is: `newest` is its newest reading, None if it was never heard."""
    if newest is None:
        return Status(node, NEVER_HEARD, trial)
    period_s = KINDS[node.kind].period_s if node.kind in KINDS else 60.0
    state = node_state(period_s=period_s, time_ms=newest.time_ms, qc=newest.qc, now_ms=now_ms)
    return Status(node, _STATES[state], trial)


def status_point(status: Status, newest: Latest | None, counts: Mapping[str, int] | None, now_ms: int) -> Point:
    """Return the point of a status; `counts` is the node's account, None where no gateway told of it yet."""
    node = status.node
    kind = KINDS.get(node.kind)
    tags = {
        "node": node.id, "kind": node.kind, "system": kind.system if kind else "", "district": node.district,
        "gateway": node.gateway or "",
    }  # fmt: skip
    fields: dict[str, FieldValue] = {
        "state": status.state,
        "trial": int(status.trial),
        "label_en": node.label_en,
        "label_zh": node.label_zh,
    }
    if newest is not None:
        fields["age_s"] = (now_ms - newest.time_ms) / 1_000
    if node.lat is not None and node.lon is not None:
        fields["lat"], fields["lon"] = float(node.lat), float(node.lon)
    if counts is not None:
        fields.update((name, int(counts[name])) for name in COUNTS)
    fields.update((name, float(node.stages[name])) for name in STAGES if name in node.stages)
    return Point(MEASUREMENT, _tags(tags), tuple(fields.items()), now_ms * NS_PER_MS)


def changed(before: Mapping[str, Status], now: Iterable[Status]) -> list[Status]:
    """Return the statuses that are not as they were."""
    return [status for status in now if before.get(status.node.id) != status]


def _tags(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return tags as line protocol has them: by name, none empty."""
    return tuple((key, tags[key]) for key in sorted(tags) if tags[key])
