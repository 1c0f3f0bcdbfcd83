"""The simulated district under the checks: what works must not be doubted, what is broken must be noticed."""

from __future__ import annotations

from collections import Counter

import pytest

from edge.model.kinds import KINDS
from edge.model.quality import Flag
from edge.quality import Checks, profile
from simulators.city import load_city
from simulators.physics import sense
from simulators.physics.scene import Scene
from simulators.sensor_faults import SENTINEL, FaultConfig, with_sentinel

CITY = load_city(1)
BEGIN_S = 1_790_000_000
HOURS = 26
NODES_A_KIND = 3


@pytest.mark.parametrize("period_s", [10, 60])
def test_of_the_district_under_way_next_to_nothing_is_doubted(period_s: int) -> None:
    faults = FaultConfig(sentinel_share=0.002)
    found: Counter[tuple[str, ...]] = Counter()
    steps = range(0, HOURS * 3600 if period_s == 60 else 2 * 3600, period_s)
    for kind in sorted({node.kind for node in CITY.nodes}):
        for node in CITY.of_kind(kind)[:NODES_A_KIND]:
            checks = Checks(profile(KINDS[kind].quantities, period_s=period_s))
            for step in steps:
                t_s = BEGIN_S + step
                true = sense(Scene(CITY.seed, node, CITY.traits[node.id], t_s, period_s))
                values = with_sentinel(faults, CITY.seed, node.id, t_s, true)
                verdict = checks.take(t_s * 1000, values)
                for quantity, value, flag, failed in zip(
                    KINDS[kind].quantities, values, verdict.flags, verdict.failed, strict=True
                ):
                    if value == SENTINEL:
                        assert flag is Flag.FAIL, (node.id, quantity)
                    else:
                        found[(kind, quantity, *failed) if failed else ()] += 1
    doubted = sum(count for what, count in found.items() if what)
    assert doubted < 0.001 * found.total(), found.most_common(12)
