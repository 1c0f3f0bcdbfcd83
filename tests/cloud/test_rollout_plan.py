"""The plan of a roll-out, pure: rings in a stable order, proof before the next, a stop that says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cloud.commands.command import Command, State
from cloud.ota.plan import (
    AT_ONCE,
    TRIAL_WITHIN_MS,
    Course,
    Plan,
    Rollout,
    Seen,
    Turn,
    draw,
    halted,
    plan,
    resumed,
    tolerated,
)

MINUTE = 60_000
NOW = 1_795_000_000_000
ROLLOUT = Rollout(
    id=1, version="2.0.0", board="esp32", digest="0" * 64, size=9, url="http://city/firmware/0",
    rings=(1, 10, 100), who="Li", made_ms=NOW,
)  # fmt: skip
NODES = [f"water-{number}" for number in range(200)]
OLD = Seen(firmware="1.0.0", heard_ms=NOW)
NEW = Seen(firmware="2.0.0", heard_ms=NOW)


def replied(state: State, words: str = "") -> Command:
    return Command(
        id=1, node="n", name="update", args={}, who="r", made_ms=NOW, expires_ms=NOW + 86_400_000,
        state=state, detail={"error": words}, sent_ms=NOW, replied_ms=NOW,
    )  # fmt: skip


class Street:
    """A roll-out and what its nodes say, stepped by hand."""

    def __init__(self, nodes: Iterable[str] = NODES, rollout: Rollout = ROLLOUT) -> None:
        self.seen = dict.fromkeys(nodes, OLD)
        self.now = NOW
        self.last = Plan(rollout=rollout, members=tuple(draw(self.seen, rollout.rings)))

    def step(self, minutes: float = 0, *, alive: bool = True) -> Plan:
        self.now += round(minutes * MINUTE)
        if alive:
            self.seen = {node: replace(seen, heard_ms=self.now) for node, seen in self.seen.items()}
        self.last = plan(self.last.rollout, self.last.members, self.seen, self.now)
        return self.last

    def say(self, nodes: Iterable[str], seen: Seen) -> None:
        self.seen |= {node: replace(seen, heard_ms=self.now) for node in nodes}

    def states(self, *nodes: str) -> set[Turn]:
        return {member.state for member in self.last.members if not nodes or member.node in nodes}


def test_rings_are_shares_in_an_order_that_is_always_the_same() -> None:
    members = draw(NODES, (1, 10, 100))
    assert [sum(member.ring == ring for member in members) for ring in range(3)] == [2, 18, 180]
    assert members == draw(reversed(NODES), (1, 10, 100))
    assert [member.node for member in members[:5]] != NODES[:5], "not those that stand together"


@given(st.sets(st.sampled_from(NODES), min_size=1), st.sets(st.integers(1, 99), max_size=4))
def test_every_node_has_one_ring_and_the_first_is_never_empty(nodes: set[str], shares: set[int]) -> None:
    rings = (*sorted(shares), 100)
    members = draw(nodes, rings)
    assert {member.node for member in members} == nodes
    assert members[0].ring == 0
    assert [member.ring for member in members] == sorted(member.ring for member in members)


def test_who_is_silent_at_the_start_does_not_have_to_prove_anything() -> None:
    first = draw(NODES, (1, 10, 100))[0].node
    later = draw(NODES, (1, 10, 100), {first})
    assert later[-1].node == first


def test_a_ring_begins_when_all_of_the_one_before_run_the_version_off_trial() -> None:
    street = Street()
    first = street.step().tell
    assert len(first) == 2
    street.say(first, replace(NEW, trial=True))
    assert street.step().tell == ()
    assert street.states(*first) == {Turn.TRIAL}
    street.say(first[:1], NEW)
    assert street.step().tell == (), "one is still on trial"
    street.say(first, NEW)
    second = street.step().tell
    assert (len(second), street.last.rollout.ring) == (18, 1)
    street.say(second, NEW)
    third = street.step().tell
    assert len(third) == 180
    street.say(third, NEW)
    assert street.step().rollout.state is Course.DONE
    assert street.states() == {Turn.DONE}


def test_a_done_reply_ends_the_trial_when_no_further_birth_comes() -> None:
    street = Street()
    first = street.step().tell
    street.say(first, replace(NEW, trial=True, command=replied(State.DONE)))
    street.step()
    assert street.states(*first) == {Turn.DONE}


def test_who_runs_the_version_already_is_not_told() -> None:
    street = Street()
    street.say(NODES, NEW)
    assert street.step().tell == ()
    assert street.last.rollout.state is Course.DONE


def test_no_more_fetch_at_once_than_the_street_bears() -> None:
    street = Street([f"lamp-{number}" for number in range(1_000)], replace(ROLLOUT, rings=(100,)))
    assert len(street.step().tell) == AT_ONCE
    assert street.step().tell == ()
    street.say([member.node for member in street.last.members if member.state is Turn.SENT][:50], NEW)
    assert len(street.step().tell) == 50


def test_it_stops_when_two_of_a_ring_return_and_says_which_and_why() -> None:
    street = Street()
    first = street.step().tell
    street.say(first, replace(OLD, command=replied(State.FAILED, "version 2.0.0 did not prove itself")))
    last = street.step()
    assert last.rollout.state is Course.STOPPED
    assert last.rollout.why.startswith("ring 1 %: of 2 nodes 2 returned, 0 fell silent; ")
    assert "did not prove itself" in last.rollout.why
    assert street.step(60).tell == ()


def test_a_node_that_was_on_trial_and_runs_the_old_version_has_returned() -> None:
    street = Street()
    first = street.step().tell
    street.say(first, replace(NEW, trial=True))
    street.step()
    street.say(first, OLD)
    assert street.step().rollout.state is Course.STOPPED
    assert {member.why for member in street.last.members if member.node in first} == {"it returned to 1.0.0"}


def test_one_of_a_ring_that_returned_is_borne_but_never_a_whole_ring() -> None:
    assert [tolerated(size) for size in (1, 2, 10, 39, 40, 100)] == [0, 1, 1, 1, 2, 5]
    street = Street()
    first = street.step().tell
    street.say(first[:1], NEW)
    street.say(first[1:], replace(OLD, command=replied(State.REFUSED, "no slots")))
    assert len(street.step().tell) == 18
    alone = Street(["water-1"])
    alone.say(alone.step().tell, replace(OLD, command=replied(State.FAILED, "damaged")))
    assert alone.step().rollout.why == "ring 1 %: of 1 nodes 1 returned, 0 fell silent; water-1: damaged"


def test_it_stops_when_nodes_fall_silent_after_they_were_told() -> None:
    street = Street()
    first = street.step().tell
    assert street.step(19, alive=False).rollout.state is Course.RUNNING
    last = street.step(2, alive=False)
    assert last.rollout.state is Course.STOPPED
    assert "0 returned, 2 fell silent" in last.rollout.why
    assert street.states(*first) == {Turn.SILENT}


def test_who_was_silent_before_its_turn_is_not_waited_for_and_has_it_later() -> None:
    street = Street()
    order = [member.node for member in street.last.members]
    street.now += 60 * MINUTE  # nobody was heard, but for these
    street.say([order[0], *order[2:]], OLD)
    assert street.step(alive=False).tell == (order[0],)
    assert street.states(order[1]) == {Turn.AWAY}
    street.say(order[:1], NEW)
    assert len(street.step(alive=False).tell) == 18
    street.say(order[1:2], OLD)
    assert street.step(alive=False).tell == (order[1],)


def test_a_ring_in_which_nobody_proved_anything_is_not_complete() -> None:
    street = Street()
    order = [member.node for member in street.last.members]
    street.now += 60 * MINUTE
    street.say(order[2:], OLD)
    assert street.step(alive=False).tell == ()
    assert street.last.rollout.ring == 0


def test_who_was_told_and_does_nothing_counts_as_returned_after_two_hours() -> None:
    street = Street()
    first = street.step().tell
    street.say(first, replace(OLD, command=replace(replied(State.ACCEPTED), replied_ms=None)))
    assert street.step(119).rollout.state is Course.RUNNING
    last = street.step(2)
    assert TRIAL_WITHIN_MS == 120 * MINUTE
    assert last.rollout.state is Course.STOPPED and "does not run the new version" in last.rollout.why


def test_a_node_that_sleeps_is_waited_for_until_its_command_expires() -> None:
    street = Street()
    slow = replace(OLD, patience_ms=86_400_000)
    street.say(NODES, slow)
    first = street.step().tell
    assert street.step(600, alive=False).rollout.state is Course.RUNNING
    expired = replace(replied(State.EXPIRED, "not heard in time"), sent_ms=None, replied_ms=None)
    street.say(first, replace(slow, command=expired))
    assert "0 returned, 2 fell silent" in street.step(alive=False).rollout.why


def test_resumed_it_tries_again_what_went_wrong_and_what_worked_meanwhile_counts() -> None:
    street = Street()
    first = street.step().tell
    street.say(first, replace(OLD, command=replied(State.FAILED, "x")))
    stopped = street.step()
    street.say(first[:1], NEW)  # it worked after all
    street.last = resumed(stopped.rollout, stopped.members)
    street.say(first[1:], OLD)
    last = street.step()
    assert (last.rollout.state, last.rollout.why) == (Course.RUNNING, "")
    assert last.tell == first[1:]


def test_stopped_by_hand_those_whose_command_was_taken_back_wait_again() -> None:
    street = Street()
    first = street.step().tell
    stopped = halted(street.last.rollout, street.last.members, first[:1], "stopped by Li")
    assert stopped.rollout.state is Course.STOPPED
    by_node = {member.node: member.state for member in stopped.members}
    assert (by_node[first[0]], by_node[first[1]]) == (Turn.WAITING, Turn.SENT)


def test_what_happens_on_its_own_is_taken_in_while_it_is_stopped() -> None:
    street = Street()
    first = street.step().tell
    street.last = halted(street.last.rollout, street.last.members, (), "stopped by Li")
    street.say(first, NEW)
    street.step()
    assert street.states(*first) == {Turn.DONE}
    assert street.last.rollout.state is Course.STOPPED


@given(st.data())
def test_whatever_nodes_say_no_ring_begins_unproven(data: st.DataObject) -> None:
    said = st.sampled_from(
        [OLD, NEW, replace(NEW, trial=True), replace(OLD, command=replied(State.FAILED, "x")), Seen()]
    )
    street = Street(NODES[:40], replace(ROLLOUT, rings=(10, 50, 100)))
    for _ in range(8):
        last = street.step(data.draw(st.sampled_from([0, 5, 30])))
        for node in last.tell:
            ring = next(member.ring for member in last.members if member.node == node)
            assert ring <= last.rollout.ring
            before = [m for m in last.members if m.ring < ring and m.node not in last.tell]
            assert not {Turn.WAITING, Turn.SENT, Turn.TRIAL} & {member.state for member in before}
        for node in data.draw(st.sets(st.sampled_from(NODES[:40]), max_size=10)):
            street.say([node], data.draw(said))
