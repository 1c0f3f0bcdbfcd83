"""A command's life: only sense is queued, words merge in any order, the node's final word wins."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from cloud.commands.command import (
    ACCEPTED_FOR_MS,
    Command,
    State,
    Word,
    aged,
    checked,
    heard,
    sayable,
    withdrawn,
)
from cloud.errors import InvalidRequest
from edge.protocol.command import NAMES, Status

QUEUED = Command(id=7, node="water-1", name="sample", args={}, who="Li", made_ms=1_000, expires_ms=61_000)


def word(status: Status | None, time_ms: int = 5_000, node: str = "water-1", detail: Any = None) -> Word:
    return Word(node=node, id=7, status=status, detail=detail, time_ms=time_ms)


def after(*words: Word) -> Command:
    command = QUEUED
    for each in words:
        command = heard(command, each)
    return command


def test_a_command_is_sent_accepted_and_done() -> None:
    assert after(word(None, 2_000)).state is State.SENT
    assert after(word(None, 2_000)).sent_ms == 2_000
    assert after(word(None), word(Status.ACCEPTED)).state is State.ACCEPTED
    done = after(word(None), word(Status.ACCEPTED), word(Status.DONE, 9_000, detail={"seq": 3}))
    assert (done.state, done.detail, done.replied_ms) == (State.DONE, {"seq": 3}, 9_000)


@pytest.mark.parametrize("order", list(permutations([None, Status.ACCEPTED, Status.FAILED])))
def test_words_in_any_order_end_in_the_final_one(order: tuple[Status | None, ...]) -> None:
    last = after(*(word(status) for status in order))
    assert (last.state, last.sent_ms) == (State.FAILED, 5_000)


def test_the_first_final_word_stays() -> None:
    last = after(word(Status.DONE, 3_000, detail=1), word(Status.FAILED, 4_000, detail=2))
    assert (last.state, last.detail, last.replied_ms) == (State.DONE, 1, 3_000)


def test_another_nodes_word_counts_for_nothing() -> None:
    assert after(word(Status.DONE, node="water-2")) == QUEUED


@pytest.mark.parametrize(
    ("status", "words"), [(None, "no reply came"), (Status.DONE, None)], ids=["sent", "done"]
)
def test_what_is_not_done_in_time_is_expired_by_the_clouds_clock(status: Status | None, words: Any) -> None:
    command = aged(after(word(status)), 61_000)
    assert (command.state is State.EXPIRED) == (words is not None)
    assert aged(QUEUED, 60_999).state is State.QUEUED
    late = aged(QUEUED, 61_000)
    assert late.state is State.EXPIRED and "not heard" in late.detail["error"]


def test_a_node_that_accepted_has_longer_for_its_final_word() -> None:
    accepted = after(word(Status.ACCEPTED))
    assert aged(accepted, 61_000 + ACCEPTED_FOR_MS - 1).state is State.ACCEPTED
    assert aged(accepted, 61_000 + ACCEPTED_FOR_MS).state is State.EXPIRED


def test_a_final_word_that_is_late_is_still_the_truth() -> None:
    done = heard(aged(QUEUED, 99_000), word(Status.DONE, 120_000))
    assert (done.state, done.replied_ms) == (State.DONE, 120_000)
    assert heard(aged(QUEUED, 99_000), word(Status.ACCEPTED)).state is State.EXPIRED


def test_only_what_no_node_has_begun_with_can_be_taken_back() -> None:
    assert withdrawn(QUEUED, "stopped").state is State.EXPIRED
    accepted = after(word(Status.ACCEPTED))
    assert withdrawn(accepted, "stopped") is accepted


GOOD: dict[str, dict[str, Any]] = {
    "set": {"period_ms": 60_000},
    "identify": {"seconds": 30},
    "lamp": {"level_pct": 40, "minutes": 30.0},
    "schedule": {"table": [[0, 100], {"dusk": -10}]},
    "update": {"url": "http://10.0.0.2:8080/firmware/x", "size": 9, "digest": "0" * 64, "version": "2.0"},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_the_protocol_can_be_asked_for(name: str) -> None:
    args = checked(name, GOOD.get(name, {}))
    assert args == GOOD.get(name, {})
    assert all(type(value) is not float for value in args.values())


@pytest.mark.parametrize(
    ("name", "args", "problem"),
    [
        ("explode", {}, "there is no command 'explode'"),
        ("sample", {"now": 1}, "sample has no argument 'now'"),
        ("set", {}, r"args\.period_ms is missing"),
        ("set", {"period_ms": 999}, r"args\.period_ms is '999'"),
        ("set", {"period_ms": 1_500.5}, r"args\.period_ms is 1500\.5"),
        ("set", {"period_ms": True}, r"args\.period_ms is True"),
        ("set", {"period_ms": "60000"}, r"args\.period_ms is '60000'"),
        ("lamp", {"level_pct": 101}, r"args\.level_pct"),
        ("identify", {"seconds": 2**60}, r"args\.seconds"),
        ("schedule", {"table": [[[[1]]]]}, "nested too deeply"),
        ("schedule", {"table": [2**60]}, "args.table"),
        ("update", {**GOOD["update"], "url": "ftp://x/y"}, r"args\.url"),
        ("update", {**GOOD["update"], "digest": "0"}, r"args\.digest"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name: str, args: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem) as caught:
        checked(name, args)
    assert caught.value.remedy


def test_what_a_nodes_buffer_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="a node takes 960"):
        sayable(replace(QUEUED, name="schedule", args={"table": "x" * 1_000}))
