"""What a node's or gateway's state is: one pure rule, for the wall and for everybody else."""

from collections.abc import Mapping
from enum import StrEnum

LATE_AFTER_PERIODS = 3
SILENT_AFTER_PERIODS = 20
GATEWAY_SILENT_AFTER_S = 60.0
_DOUBTFUL = frozenset({3, 4})  # QARTOD: suspect, fail


class NodeState(StrEnum):
    """How far a node's newest reading can be relied upon."""

    OK = "ok"
    LATE = "late"
    SUSPECT = "suspect"
    SILENT = "silent"


class GatewayState(StrEnum):
    """Whether a gateway has reported lately."""

    OK = "ok"
    SILENT = "silent"


def node_state(*, period_s: float, time_ms: int | None, qc: Mapping[str, int], now_ms: int) -> NodeState:
    """Return the state of a node that senses every `period_s` and whose newest reading is of `time_ms`.

    Age speaks first: an old reading's quality says nothing about now.
    """
    if time_ms is None:
        return NodeState.SILENT
    age_s = (now_ms - time_ms) / 1_000
    if age_s > SILENT_AFTER_PERIODS * period_s:
        return NodeState.SILENT
    if age_s > LATE_AFTER_PERIODS * period_s:
        return NodeState.LATE
    return NodeState.SUSPECT if _DOUBTFUL.intersection(qc.values()) else NodeState.OK


def gateway_state(*, time_ms: int, now_ms: int) -> GatewayState:
    """Return the state of a gateway whose newest report is of `time_ms`."""
    silent = now_ms - time_ms > GATEWAY_SILENT_AFTER_S * 1_000
    return GatewayState.SILENT if silent else GatewayState.OK
