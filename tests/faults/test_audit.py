"""The audit sees what it has to see: without that, a clean verdict would mean nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from faults.audit import LET_GO, OVERWRITTEN, POWER_CUT, Loss, Notes, Point, Verdict, audit, spans

T0_MS = 1_790_000_000_000


def account(**counts: Any) -> dict[str, Any]:
    """Return a node's row of the ledger; what is not named is 0."""
    names = ("produced", "stored", "queued", "dropped", "quarantined", "missing")
    return {"node": "n-1", **dict.fromkeys(names, 0), "reasons": {}, "balanced": True, **counts}


@dataclass
class Scene:
    """One node that made 10 readings in boot 1, all stored; each test changes something."""

    notes: Notes = field(default_factory=Notes)
    points: list[Point] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=lambda: account(produced=10, stored=10))

    def __post_init__(self) -> None:
        self.notes.read(f"R n-1 1 {seq} {T0_MS + seq} {T0_MS}" for seq in range(10))
        self.points = [Point(("n-1", 1, seq), (T0_MS + seq) * 1_000_000, True) for seq in range(10)]

    def verdict(self) -> Verdict:
        return audit(self.notes, self.points, self.quarantine, {"nodes": [self.ledger]})


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_all_stored_once_is_clean(scene: Scene) -> None:
    verdict = scene.verdict()
    assert verdict.clean and len(verdict.stored) == 10 and not verdict.lost


def test_a_reading_that_vanished_is_unaccounted_even_if_the_ledger_calls_it_stored(scene: Scene) -> None:
    del scene.points[4]
    verdict = scene.verdict()
    assert list(verdict.unaccounted) == [("n-1", 1, 4)] and verdict.contradictions


def test_a_power_cut_explains_what_was_not_acknowledged(scene: Scene) -> None:
    del scene.points[7:]
    scene.notes.cuts.add(("n-1", 1))
    scene.notes.read(["A n-1 1 5"])
    scene.ledger = account(produced=9, stored=7, missing=2)  # of the last it never heard
    verdict = scene.verdict()
    assert verdict.clean and verdict.lost == [Loss("n-1", 1, 7, 9, POWER_CUT)]


def test_a_full_outbox_explains_what_it_overwrote_and_no_more(scene: Scene) -> None:
    del scene.points[3:6]
    scene.notes.read(["O n-1 1 3", "O n-1 1 4", "A n-1 1 10"])  # what is gone for good is acknowledged, too
    scene.ledger = account(produced=10, stored=7, missing=3, reasons={"missing_overwritten": 2})
    verdict = scene.verdict()
    assert verdict.lost == [Loss("n-1", 1, 3, 4, OVERWRITTEN)]
    assert verdict.unaccounted == {("n-1", 1, 5): "the gateway acknowledged it"}


def test_nothing_explains_the_loss_of_an_acknowledged_reading(scene: Scene) -> None:
    del scene.points[7:]
    scene.notes.cuts.add(("n-1", 1))
    scene.notes.read(["A n-1 1 8"])
    scene.ledger = account(produced=10, stored=7, missing=3)
    assert scene.verdict().unaccounted == {("n-1", 1, 7): "the gateway acknowledged it"}


def test_what_the_gateway_counts_as_dropped_is_let_go_and_one_more_is_unaccounted(scene: Scene) -> None:
    del scene.points[2:5]
    scene.notes.read(["A n-1 1 10"])
    scene.ledger = account(produced=10, stored=7, dropped=3)
    assert scene.verdict().clean and scene.verdict().lost == [Loss("n-1", 1, 2, 4, LET_GO)]
    del scene.points[0]
    verdict = scene.verdict()
    assert len(verdict.unaccounted) == 4 and verdict.contradictions


def test_a_power_cut_explains_nothing_of_another_boot(scene: Scene) -> None:
    del scene.points[7:]
    scene.notes.cuts.add(("n-1", 2))
    scene.ledger = account(produced=10, stored=7, missing=3)
    assert len(scene.verdict().unaccounted) == 3


def test_a_loss_that_the_ledger_does_not_know_is_a_contradiction(scene: Scene) -> None:
    del scene.points[7:]
    scene.notes.cuts.add(("n-1", 1))
    verdict = scene.verdict()
    assert not verdict.unaccounted and verdict.contradictions


def test_a_second_point_of_a_reading_is_a_duplicate(scene: Scene) -> None:
    scene.points.append(replace(scene.points[3], time_ns=scene.points[3].time_ns + 1))
    assert scene.verdict().duplicates == [("n-1", 1, 3)]


@pytest.mark.parametrize(
    "change",
    [{"whole": False}, {"time_ns": 5}, {"key": ("n-1", 1, 99)}, {"key": ("n-9", 1, 3)}],
    ids=["values mixed up", "re-stamped", "never made", "of no node"],
)
def test_a_point_that_is_not_what_its_node_made_is_a_contradiction(
    scene: Scene, change: dict[str, Any]
) -> None:
    scene.points[3] = replace(scene.points[3], **change)
    assert scene.verdict().contradictions


def test_quarantined_readings_are_accounted_for_and_strays_are_no_readings(scene: Scene) -> None:
    del scene.points[2:4]
    scene.quarantine = [
        {"node": "n-1", "boot": 1, "seq": 2, "readings": 2, "reason": "bad_time"},
        {"node": "n-1", "boot": None, "seq": None, "readings": 1},
    ]
    scene.ledger = account(produced=11, stored=8, quarantined=3)
    verdict = scene.verdict()
    assert verdict.clean and len(verdict.quarantined) == 2 and verdict.reasons == {"bad_time": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"balanced": False},
        {"queued": 1},
        {"stored": 9, "missing": 1},
        {"reasons": {"missing_overwritten": 1}},
    ],
)
def test_a_ledger_that_says_something_else_is_a_contradiction(scene: Scene, change: dict[str, Any]) -> None:
    scene.ledger |= change
    assert scene.verdict().contradictions


def test_a_node_that_the_ledger_does_not_know_is_a_contradiction(scene: Scene) -> None:
    scene.ledger["node"] = "n-2"
    assert scene.verdict().contradictions == ["the ledger does not know n-1"]


def test_a_note_torn_by_a_power_cut_is_no_reading(scene: Scene) -> None:
    scene.notes.read(["R n-1 1 1"])
    assert len(scene.notes.made) == 10


def test_losses_are_told_as_ranges() -> None:
    keys = [("b", 1, 5), ("a", 2, 1), ("a", 1, 1), ("a", 1, 2), ("a", 1, 4)]
    assert list(spans(keys)) == [("a", 1, 1, 2), ("a", 1, 4, 4), ("a", 2, 1, 1), ("b", 1, 5, 5)]
