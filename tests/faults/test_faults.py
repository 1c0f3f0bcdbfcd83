"""Custody under faults, the shorter selection: `make faults` carries out more of the same."""

import io
from pathlib import Path

import pytest
from faults.audit import LET_GO, OVERWRITTEN, POWER_CUT
from faults.fingerprint import differences
from faults.report import WIDTH, Report, show
from faults.run import SCENARIOS, load_scenario, run
from faults.sorts import SORTS
from rich.console import Console

from edge.model.errors import ConfigError


def told(report: Report) -> str:
    """Return what `make faults` would print."""
    words = io.StringIO()
    show(report, Console(file=words, width=WIDTH))
    return words.getvalue()


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_scenario_names_sorts_that_the_laboratory_knows(path: Path) -> None:
    assert set(load_scenario(str(path)).sorts) <= set(SORTS)


async def test_a_plan_that_cannot_be_carried_out_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="store_type_conflict"):
        await run(tmp_path / "new", load_scenario("selection").only(["store_type_conflict"]), seed=1, faults=30)
    assert not (tmp_path / "new").exists()


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_no_fault_loses_doubles_or_forgets_a_reading(tmp_path: Path) -> None:
    report = await run(tmp_path, load_scenario("selection"), seed=1)
    assert report.clean, told(report)
    assert sum(report.injected.values()) >= 25 and len(report.injected) >= 30
    assert len(report.verdict.stored) > 3_000 and report.looks > 20
    assert {loss.cause for loss in report.verdict.lost} == {POWER_CUT}


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_a_gateway_whose_disk_is_lost_or_damaged_gets_all_again_from_the_nodes(tmp_path: Path) -> None:
    scenario = load_scenario("lost_disk").only(
        ["journal_lost", "journal_torn", "journal_flipped", "store_away"]
    )
    report = await run(tmp_path, scenario, seed=1, faults=8)
    assert report.clean, told(report)
    assert not report.verdict.lost and len(report.verdict.stored) > 500


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_power_that_goes_in_mid_flow_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    scenario = load_scenario("mid_flow").only(
        ["power_cut_mid_flow", "boot_twice_mid_flow", "gateway_kill", "node_link_half_open"]
    )
    report = await run(tmp_path, scenario, seed=1, faults=8)
    assert report.clean, told(report)
    assert report.verdict.lost and report.injected["power_cut_mid_flow"] >= 2


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_the_same_seed_gives_the_same_ledger(tmp_path: Path) -> None:
    scenario = load_scenario("selection").only(
        ["power_cut", "boot_twice", "store_away", "gateway_kill", "broker_kill", "clock_1970"]
    )
    reports = [await run(tmp_path / name, scenario, seed=7, faults=6) for name in ("first", "second")]
    for report in reports:
        assert report.clean, told(report)
    assert not differences(reports[0].ledger, reports[1].ledger)
    assert reports[0].verdict.lost and reports[0].verdict.quarantined


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_a_node_at_the_end_of_its_memory_loses_its_oldest_readings_and_no_other(tmp_path: Path) -> None:
    scenario = load_scenario("overflow").only(["outbox_overflow", "gateway_kill"])
    report = await run(tmp_path, scenario, seed=1, faults=3)
    assert report.clean, told(report)
    assert {loss.cause for loss in report.verdict.lost} == {OVERWRITTEN}


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_a_gateway_at_the_end_of_its_room_counts_every_reading_that_it_lets_go(tmp_path: Path) -> None:
    scenario = load_scenario("backlog").only(["backlog_limit", "disk_nearly_full"])
    report = await run(tmp_path, scenario, seed=1, faults=2)
    assert report.clean, told(report)
    assert {loss.cause for loss in report.verdict.lost} == {LET_GO}
    assert sum(loss.readings for loss in report.verdict.lost) == report.let_go.total() > 1_000
    assert "dropped_thinned" in report.let_go
