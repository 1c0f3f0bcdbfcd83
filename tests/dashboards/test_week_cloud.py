"""States, hours and days of the simulated week are what the cloud itself would write of its readings."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from week_oracle import Oracle
from week_samples import Parts, by_node, parts_of
from week_store import the_week

from cloud.rollup.fold import Fold
from cloud.series.episodes import MEASUREMENT as EPISODES
from cloud.series.status import MEASUREMENT, status_of, status_point
from cloud.stores.protocol import NS_PER_MS, Latest, Series, series_tags
from dashboards.signals import DAYS, EPISODE, HOURS, STATUS
from edge.model.kinds import KINDS
from edge.protocol.lines import Tags
from simulators.week.status import ACCOUNT, MOVING, Status


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(the_week())


def fields_of(status: Status) -> dict[str, object]:
    names = (*MOVING, *status.steady())
    return {name: value for name in names if (value := status.field(name)) is not None}


def test_a_nodes_state_has_the_fields_and_tags_that_the_cloud_writes(oracle: Oracle) -> None:
    assert (MEASUREMENT, EPISODES) == (STATUS, EPISODE)
    for status in oracle.week.statuses[500::1_007]:
        newest = None
        if status.age_s is not None:
            time_ns = round(status.t_ms - status.age_s * 1000) * NS_PER_MS
            newest = Latest(node=status.node.id, kind=status.node.kind, time_ns=time_ns, values={})
        counts = {name: getattr(status, name) for name in ACCOUNT}
        trial = bool(status.field("trial"))
        point = status_point(
            status_of(status.node, newest, status.t_ms, trial=trial), newest, counts, status.t_ms
        )
        assert dict(point.tags) == status.tags()
        assert point.time_ns == status.t_ms * NS_PER_MS
        must, is_ = dict(point.fields), fields_of(status)
        del must["state"], is_["state"]  # the week's nodes report less often than their kinds' do
        assert is_ == must


@pytest.mark.parametrize("source", [HOURS, DAYS])
@pytest.mark.parametrize("kind", KINDS)
def test_hours_and_days_are_what_the_cloud_makes_of_the_same_readings(
    oracle: Oracle, kind: str, source: str
) -> None:
    parts: dict[tuple[str, str], Parts] = {}
    for quantity in KINDS[kind].quantities:
        for node, own in by_node(oracle.column(kind, quantity)).items():
            parts[node, quantity] = parts_of(own, quantity, source)
    starts = sorted({at_ms for part in parts.values() for at_ms in part})
    last: dict[tuple[Tags, str], float] = {}
    for at_ms, end_ms in zip(starts, [*starts[1:], 2**62], strict=True):
        fold = Fold(kind, dict(last))
        for quantity in KINDS[kind].quantities:
            column = oracle.column(kind, quantity)
            first, end = (bisect_left(column, edge, key=lambda sample: sample.t_ms) for edge in (at_ms, end_ms))
            for own in by_node(column[first:end]).values():
                tags = series_tags(own[0].tags)
                times = [sample.t_ms for sample in own]
                fold.add([Series(tags=tags, times_ms=times, fields={quantity: [one.value for one in own]})])
                last[tags, quantity] = float(own[-1].value)
        made = {dict(point.tags)["node"]: dict(point.fields) for point in fold.points(at_ms) if point.tags}
        for (node, quantity), part in parts.items():
            for how, value in part.get(at_ms, {}).items():
                assert made[node][f"{quantity}_{how}"] == pytest.approx(value), (node, quantity, how, at_ms)
