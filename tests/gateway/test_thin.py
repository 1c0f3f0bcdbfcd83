"""Thinning: what is kept of a backlog, and that every reading that goes is counted."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.model.kinds import KINDS, Priority
from gateway.block import Block, Entry
from gateway.thin import STAGES, between, cut, of_priority

MINUTE_NS = 60_000_000_000


def line(kind: str, node: str, minute: int, value: float) -> bytes:
    """Return a reading's line."""
    site = r"site=Yang\ Shu\ Pu"
    return (
        f"{kind},node={node},{site} {KINDS[kind].headline}={value},rssi_dbm=-70.0 {minute * MINUTE_NS}".encode()
    )


def test_the_least_important_is_thinned_first_and_dropped_after_all_is_thinned() -> None:
    assert [(stage.reason.value, stage.priority.name) for stage in STAGES] == [
        ("thinned", "LOW"),
        ("thinned", "NORMAL"),
        ("thinned", "HIGH"),
        ("no_room", "LOW"),
        ("no_room", "NORMAL"),
        ("no_room", "HIGH"),
    ]


def test_thinning_keeps_the_last_the_lowest_and_the_highest_of_each_window() -> None:
    values = [5, 1, 6, 9, 7, 5, 4, 4, 4, 4]
    lines = [line("parking_bay", "bay-1", minute, value) for minute, value in enumerate(values)]
    gone = between(lines, Priority.LOW, 300)
    assert sorted(set(range(10)) - gone) == [1, 3, 4, 5, 6, 9]


def test_nodes_and_windows_are_thinned_on_their_own() -> None:
    lines = [line("footfall", node, minute, 1) for minute in range(10) for node in ("gate-1", "gate-2")]
    kept = [lines[index] for index in sorted(set(range(20)) - between(lines, Priority.LOW, 300))]
    assert Counter(one.split(b",")[1] for one in kept) == {b"node=gate-1": 4, b"node=gate-2": 4}


def test_what_warns_of_danger_is_left_alone_while_the_rest_is_thinned() -> None:
    lines = [line(kind, "n-1", minute, 1) for minute in range(10) for kind in ("hazmat", "footfall", "noise")]
    assert {lines[index].split(b",")[0] for index in between(lines, Priority.LOW, 300)} == {b"footfall"}
    assert {lines[index].split(b",")[0] for index in between(lines, Priority.HIGH, 300)} == {b"hazmat"}


def test_a_line_of_a_kind_that_is_not_in_the_catalogue_counts_as_normal() -> None:
    assert of_priority([b"other,node=x v=1 1", b"hazmat,node=y v=1 1"], Priority.NORMAL) == {0}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.randoms(use_true_random=False), st.floats(0, 1))
def test_what_is_cut_and_what_is_left_are_all_that_there_was(
    sizes: list[int], chance: random.Random, share: float
) -> None:
    manifest = [Entry(f"n-{index % 3}", index % 2, 10 * index, size) for index, size in enumerate(sizes)]
    readings = [(e.node, e.boot, seq) for e in manifest for seq in range(e.first, e.first + e.readings)]
    body = b"\n".join(repr(reading).encode() for reading in readings)
    gone = {index for index in range(len(readings)) if chance.random() < share}
    after, lost = cut(Block(id=1, body=body, manifest=manifest, oldest_ms=0), gone)
    left = [(e.node, e.boot, seq) for e in after.manifest for seq in range(e.first, e.first + e.readings)]
    assert left == [reading for index, reading in enumerate(readings) if index not in gone]
    assert after.body == b"\n".join(repr(reading).encode() for reading in left)
    assert lost == Counter((node, boot) for node, boot, _ in (readings[index] for index in gone))
