"""Grafana's alert rules over the simulated week, A -> B -> C: a fault raises its alert, and there alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import servers
from alert_rig import Evaluator
from week_store import the_week

from dashboards.alerting.alert import Alert
from dashboards.alerting.said import say
from edge.rules.load import load_rules
from simulators.week import FAULTS, Week
from simulators.week.plan import MINUTE_MS, PERIOD_MS, RIVER, at

ALERTS: dict[str, Alert] = {
    f"{alert.rule} {alert.level.word} {alert.variant}".strip(): alert
    for one in say(load_rules())
    for alert in one.alerts
}
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def week() -> Week:
    return the_week()


@pytest.fixture(scope="module")
def store(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.InfluxDB]:
    found = servers.InfluxDB(tmp_path_factory.mktemp("week"))
    try:
        found.start()
        lines = list(week.lines())
        for first in range(0, len(lines), 10_000):
            found.write("\n".join(lines[first : first + 10_000]))
        yield found
    finally:
        found.kill()


def fired(store: servers.InfluxDB, name: str, start_ms: int, end_ms: int) -> dict[str, int]:
    """Return which nodes an alert told of, and when first, judged every ten minutes.

    A minute after nodes and gateways spoke: some rules look back no further than a gateway's ten periods.
    """
    alert = ALERTS[name]
    grafana = Evaluator(alert.to_dict(), alert.interval_s, store)
    found: dict[str, int] = {}
    for now_ms in range(start_ms + MINUTE_MS, end_ms, PERIOD_MS):
        grafana.at(now_ms // 1000)
        for labels, instance in grafana.instances.items():
            if instance.fires:
                found.setdefault(dict(labels).get("node", ""), now_ms)
    return found


def test_the_flood_is_told_at_each_level_where_it_is_and_nowhere_else(
    store: servers.InfluxDB, week: Week
) -> None:
    for level, stage in (("blue", "near_m"), ("yellow", "warning_m"), ("orange", "guaranteed_m")):
        told = fired(store, f"flood {level}", at(5, 15), at(6, 12))
        assert set(told) == set(RIVER)
        for node, told_ms in told.items():
            reached_ms = next(
                row.t_ms
                for row in week.readings[node]
                if row.t_ms > at(5, 15) and (row.value("level_m") or 0.0) >= week.nodes[node].stages[stage]
            )
            assert reached_ms + ALERTS["flood blue"].for_ms - PERIOD_MS <= told_ms <= reached_ms + 3 * PERIOD_MS
    assert not fired(store, "flood red", at(5, 15), at(6, 12))


def test_a_day_without_a_flood_tells_of_none(store: servers.InfluxDB) -> None:
    assert not fired(store, "flood blue", at(4, 8), at(5, 8))


FIRST: dict[str, tuple[str, int, int]] = {
    "silent": ("node_silent blue 60s", at(1, 6), at(1, 16)),
    "lamp_by_day": ("lamp_by_day blue", at(2, 9.5), at(2, 15)),
    "battery": ("battery_low yellow 60s", at(4, 0), at(5, 12)),
    "outage": ("backlog_old yellow", at(4, 0), at(4, 6)),
    "clock": ("clock_trouble blue 60s", at(0, 16), at(0, 22)),
}
"""By label: the alert that it raises, and the hours in which it is the only one."""


@pytest.mark.parametrize("label", FIRST)
def test_the_fault_raises_its_alert_and_no_other_node_has_it(store: servers.InfluxDB, label: str) -> None:
    name, start_ms, end_ms = FIRST[label]
    told = fired(store, name, start_ms, end_ms)
    assert set(told) == set(FAULTS[label].nodes)
    assert min(told.values()) > FAULTS[label].start_ms


def test_every_rules_query_answers_over_the_week(store: servers.InfluxDB) -> None:
    """What Grafana asks is understood by 1.x, gives one value a series and no series twice."""
    for alert in ALERTS.values():
        grafana = Evaluator(alert.to_dict(), alert.interval_s, store)
        grafana.at(at(1, 6) // 1000)
