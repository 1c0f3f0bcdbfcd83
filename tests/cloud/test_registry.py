"""The registry: nodes, reports that may repeat or come late, and what is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.registry import GatewayReport, QuarantineEntry, Registry, RegistryError
from cloud.registry.models import COUNTS
from edge.model.node import Node, node_id

STAGE = Node(
    id=node_id("water-1"), kind="water_level", label_en="Stage", label_zh="水位", site="s", district="yangpu",
    lat=31.2, lon=121.5, gateway="gw-1",
)  # fmt: skip
ZERO = dict.fromkeys(COUNTS, 0)


def entry(
    number: int, gateway: str = "gw-1", node: str | None = "water-1", time_ms: int = 0
) -> QuarantineEntry:
    return QuarantineEntry(
        gateway=gateway, entry=number, time_ms=time_ms, node=node, reason="syntax", detail="", topic="t",
        payload=b"\x00\xff", readings=2,
    )  # fmt: skip


def report(time_ms: int, stored: int = 0, **parts: object) -> GatewayReport:
    counts = {**ZERO, "produced": stored, "stored": stored}
    plain = GatewayReport(
        gateway="gw-1",
        time_ms=time_ms,
        total=counts,
        nodes={"water-1": counts},
        quarantine=(),
        health={"n": time_ms},
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", "postgresql"])
async def registry(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Registry]:
    """An open, empty registry, on each of the databases that it may use."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    made = Registry(url)
    await made.open()
    yield made
    await made.close()


async def test_nodes_are_registered_corrected_and_found(registry: Registry) -> None:
    lamp = replace(STAGE, id=node_id("lamp-1"), kind="streetlight", gateway=None)
    assert await registry.upsert([STAGE, lamp]) == [STAGE, lamp]
    assert await registry.upsert([STAGE, lamp]) == []
    moved = replace(STAGE, district="hongkou")
    assert await registry.upsert([moved, lamp]) == [moved]
    assert await registry.nodes() == [lamp, moved]
    assert await registry.nodes(kind="streetlight") == [lamp]
    assert await registry.node("water-1") == moved
    assert await registry.node("water-9") is None
    assert await registry.registered() == 2
    assert await registry.nodes_of("gw-1") == [lamp, moved]
    assert await registry.nodes_of("gw-2") == [lamp]


async def test_the_newest_report_counts_whatever_the_order(registry: Registry) -> None:
    for time_ms, stored in ((20, 5), (10, 3), (20, 6)):
        await registry.report(report(time_ms, stored))
    ledger = await registry.ledger()
    assert (ledger.total["stored"], ledger.nodes["water-1"]["stored"]) == (6, 6)
    (gateway,) = await registry.gateways()
    assert (gateway.time_ms, gateway.health) == (20, {"n": 20})


async def test_nodes_that_did_not_change_keep_their_counts(registry: Registry) -> None:
    await registry.report(report(1, 5))
    await registry.report(report(2, 9, nodes={"water-2": {**ZERO, "stored": 4}}))
    nodes = (await registry.ledger()).nodes
    assert (nodes["water-1"]["stored"], nodes["water-2"]["stored"]) == (5, 4)


async def test_a_part_left_out_is_as_it_was(registry: Registry) -> None:
    await registry.report(report(1, 5))
    await registry.report(report(2, total=None, nodes={}, health=None, quarantine=(entry(1),)))
    (gateway,) = await registry.gateways()
    assert (gateway.time_ms, gateway.total["stored"], gateway.health) == (2, 5, {"n": 1})
    assert (await registry.quarantine())[0] == 1


async def test_a_repeated_report_quarantines_nothing_twice(registry: Registry) -> None:
    for quarantined in ((entry(1), entry(2)), (entry(2), entry(3), entry(3)), (entry(1),)):
        await registry.report(report(1, quarantine=quarantined))
    await registry.report(report(1, gateway="gw-2", quarantine=(entry(1, "gw-2", node=None),)))
    assert (await registry.quarantine())[0] == 4
    assert (await registry.quarantine(node="water-1"))[0] == 3


async def test_the_newest_quarantine_is_told_first(registry: Registry) -> None:
    await registry.report(report(1, quarantine=tuple(entry(n, time_ms=n) for n in (1, 3, 2))))
    total, entries = await registry.quarantine(limit=2)
    assert (total, [found.time_ms for found in entries]) == (3, [3, 2])
    assert entries[0] == entry(3, time_ms=3)


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    first = Registry(url)
    await first.open()
    await first.upsert([STAGE])
    await first.set_map({"name": {"zh": "杨浦"}})
    await first.report(report(1, 5, quarantine=(entry(1),)))
    await first.close()
    second = Registry(url)
    await second.open()
    assert await second.nodes() == [STAGE]
    assert await second.map() == {"name": {"zh": "杨浦"}}
    assert (await second.ledger()).total["stored"] == 5
    assert (await second.quarantine())[1] == [entry(1)]
    await second.close()


async def test_a_database_that_cannot_be_opened_is_told_without_its_password(tmp_path: Path) -> None:
    broken = Registry("sqlite:////nowhere/at/all/registry.db")
    with pytest.raises(RegistryError, match="unable to open"):
        await broken.open()
    await broken.close()
    absent = Registry("nosuchdb://user:secret@host/db")
    with pytest.raises(RegistryError) as caught:
        await absent.open()
    assert "secret" not in str(caught.value)
    await absent.close()


async def test_stages_are_kept_and_may_be_taken_back(registry: Registry) -> None:
    staged = replace(STAGE, stages={"warning_m": 3.3, "guaranteed_m": 4.1})
    assert await registry.upsert([staged]) == [staged]
    assert await registry.upsert([staged]) == []
    assert await registry.nodes() == [staged]
    assert await registry.upsert([STAGE]) == [STAGE]
    assert await registry.nodes() == [STAGE]
