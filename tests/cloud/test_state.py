"""A node's state: one rule, by age first and then by quality."""

from __future__ import annotations

import pytest

from cloud.state import GatewayState, NodeState, gateway_state, node_state

NOW_MS = 1_800_000_000_000
GOOD: dict[str, int] = {}


@pytest.mark.parametrize(
    ("age_s", "qc", "state"),
    [
        (0, GOOD, NodeState.OK),
        (180, GOOD, NodeState.OK),
        (180.001, GOOD, NodeState.LATE),
        (1_200, GOOD, NodeState.LATE),
        (1_200.001, GOOD, NodeState.SILENT),
        (-30, GOOD, NodeState.OK),  # a clock that is a little ahead
        (0, {"level_m": 3}, NodeState.SUSPECT),
        (0, {"level_m": 4, "battery_v": 2}, NodeState.SUSPECT),
        (0, {"level_m": 2}, NodeState.OK),
        (0, {"level_m": 9}, NodeState.OK),  # not measured this time
        (200, {"level_m": 4}, NodeState.LATE),
    ],
)
def test_state_follows_age_in_periods_then_quality(age_s: float, qc: dict[str, int], state: NodeState) -> None:
    time_ms = NOW_MS - int(age_s * 1_000)
    assert node_state(period_s=60, time_ms=time_ms, qc=qc, now_ms=NOW_MS) is state


def test_a_node_never_heard_is_silent() -> None:
    assert node_state(period_s=60, time_ms=None, qc=GOOD, now_ms=NOW_MS) is NodeState.SILENT


@pytest.mark.parametrize(
    ("age_s", "state"), [(0, GatewayState.OK), (60, GatewayState.OK), (61, GatewayState.SILENT)]
)
def test_a_gateway_is_silent_after_a_minute_without_a_report(age_s: int, state: GatewayState) -> None:
    assert gateway_state(time_ms=NOW_MS - age_s * 1_000, now_ms=NOW_MS) is state
