"""The outbox: numbers never repeat, nothing is forgotten unacknowledged, and every reading is counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.model.quality import Clock
from edge.outbox import RESEND_LIMIT_S, Counts, Outbox, OutboxConfig
from edge.protocol.wire import MAX_ROWS, Ack, Pack, decode_pack, encode_pack, row_fault


def filled(readings: int, *, boot: int = 1, config: OutboxConfig | None = None) -> Outbox:
    outbox = Outbox(boot, config)
    for number in range(readings):
        outbox.append(1_000 * number, Clock.SYNCED, (number,))
    return outbox


def seqs(pack: Pack | None) -> list[int]:
    return [] if pack is None else list(range(pack.seq0, pack.seq0 + len(pack.rows)))


def test_numbers_begin_at_zero_and_follow_one_another() -> None:
    outbox = Outbox(7)
    assert [outbox.append(0, Clock.SYNCED, (1,)) for _ in range(3)] == [0, 1, 2]
    assert (outbox.boot, outbox.next_seq, outbox.oldest) == (7, 3, (7, 0))


def test_a_pack_holds_rows_as_the_wire_has_them() -> None:
    outbox = Outbox(7, schema=5)
    outbox.append(10_000, Clock.SYNCED, (3120, None))
    outbox.append(10_250, Clock.SYNCED, (3121, 18))
    pack = outbox.next_pack(0.0, 60)
    assert pack == Pack(5, 7, 0, 10_000, Clock.SYNCED, [[0, 3120, None], [250, 3121, 18]])
    assert outbox.next_pack(0.0, 60) is None


def test_a_pack_ends_where_the_clock_state_changes() -> None:
    outbox = Outbox(1)
    for clock in (Clock.UNKNOWN, Clock.UNKNOWN, Clock.SYNCED):
        outbox.append(0, clock, ())
    assert seqs(outbox.next_pack(0, 60)) == [0, 1]
    assert seqs(outbox.next_pack(0, 60)) == [2]


def test_a_pack_is_never_longer_than_the_wire_allows() -> None:
    outbox = filled(MAX_ROWS + 5)
    assert len(seqs(outbox.next_pack(0, 10**6))) == MAX_ROWS


def test_upto_is_cumulative_and_exclusive() -> None:
    outbox = filled(5)
    outbox.next_pack(0, 60)
    assert outbox.acknowledge(Ack(1, 3)) == 3
    assert outbox.counts == Counts(produced=5, acknowledged=3, held=2)
    assert outbox.acknowledge(Ack(1, 2)) == 0
    assert outbox.counts.acknowledged == 3


def test_an_acknowledgement_beyond_what_was_made_counts_only_what_was_made() -> None:
    outbox = filled(2)
    assert outbox.acknowledge(Ack(1, 99)) == 2
    assert outbox.append(0, Clock.SYNCED, (9,)) == 2
    assert outbox.counts == Counts(produced=3, acknowledged=2, held=1)


def test_an_acknowledgement_of_another_boot_is_ignored() -> None:
    outbox = filled(2, boot=5)
    assert outbox.acknowledge(Ack(4, 2)) == 0
    assert outbox.counts.held == 2


def test_what_is_not_acknowledged_is_sent_again_later_and_later() -> None:
    outbox = filled(1, config=OutboxConfig(resend_s=10))
    assert seqs(outbox.next_pack(0, 60)) == [0]
    now_s, waits = 0.0, []
    for _ in range(5):
        due_s = outbox.due_s(now_s)
        assert due_s is not None
        assert outbox.next_pack(now_s + due_s - 0.01, 60) is None
        now_s += due_s
        waits.append(due_s)
        assert seqs(outbox.next_pack(now_s, 60)) == [0]
    assert waits == [10, 20, 40, RESEND_LIMIT_S, RESEND_LIMIT_S]


def test_only_the_unacknowledged_part_is_sent_again() -> None:
    outbox = filled(5, config=OutboxConfig(resend_s=10))
    outbox.next_pack(0, 60)
    outbox.acknowledge(Ack(1, 3))
    assert seqs(outbox.next_pack(10, 60)) == [3, 4]


def test_ranges_asked_again_are_served_first_even_when_acknowledged() -> None:
    outbox = filled(10)
    outbox.next_pack(0, 4)
    outbox.acknowledge(Ack(1, 4, ((1, 2),)))
    assert outbox.due_s(0) == 0
    assert seqs(outbox.next_pack(0, 60)) == [1, 2]
    assert seqs(outbox.next_pack(0, 60)) == [4, 5, 6, 7, 8, 9]
    assert outbox.counts == Counts(produced=10, acknowledged=4, held=6)


def test_a_long_range_asked_again_comes_in_several_packs() -> None:
    outbox = filled(10)
    outbox.acknowledge(Ack(1, 10, ((0, 9),)))
    assert [seqs(outbox.next_pack(0, 4)) for _ in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_what_is_gone_is_passed_over_when_asked_for() -> None:
    outbox = filled(10, config=OutboxConfig(capacity_rows=3))
    assert outbox.oldest == (1, 7)
    outbox.acknowledge(Ack(1, 0, ((2, 8), (0, 1))))
    assert seqs(outbox.next_pack(0, 60)) == [7, 8]


def test_acknowledged_readings_stay_until_their_room_is_needed() -> None:
    outbox = filled(3, config=OutboxConfig(capacity_rows=3))
    outbox.acknowledge(Ack(1, 3))
    assert outbox.oldest == (1, 0)
    outbox.append(0, Clock.SYNCED, ())
    assert outbox.oldest == (1, 1)
    assert outbox.counts == Counts(produced=4, acknowledged=3, held=1)


def test_a_full_outbox_drops_the_oldest_and_counts_it() -> None:
    outbox = filled(5, config=OutboxConfig(capacity_rows=3))
    assert outbox.counts == Counts(produced=5, held=3, dropped=2)
    assert seqs(outbox.next_pack(0, 60)) == [2, 3, 4]
    outbox.acknowledge(Ack(1, 5))
    assert outbox.counts == Counts(produced=5, acknowledged=3, dropped=2)


def test_the_window_bounds_what_is_under_way() -> None:
    outbox = filled(10, config=OutboxConfig(window_rows=4, resend_s=10))
    assert seqs(outbox.next_pack(0, 60)) == [0, 1, 2, 3]
    assert outbox.next_pack(0, 60) is None
    assert outbox.sendable == 0
    outbox.acknowledge(Ack(1, 2))
    assert seqs(outbox.next_pack(0, 60)) == [4, 5]


def test_fresh_readings_can_be_held_back() -> None:
    outbox = filled(3)
    assert outbox.next_pack(0, 60, fresh=False) is None
    assert outbox.unsent == 3


def test_after_a_broken_link_nothing_waits_long() -> None:
    outbox = filled(1, config=OutboxConfig(resend_s=15))
    outbox.next_pack(0, 60)
    outbox.next_pack(15, 60)
    outbox.hasten(16)
    assert outbox.due_s(15) == 1


def test_readings_of_an_earlier_boot_are_delivered_under_their_own_numbers() -> None:
    outbox = filled(3, boot=1)
    outbox.acknowledge(Ack(1, 1))
    outbox.begin_boot(2)
    outbox.append(0, Clock.SYNCED, (9,))
    first, second = outbox.next_pack(0, 60), outbox.next_pack(0, 60)
    assert first is not None and second is not None
    assert (first.boot, seqs(first)) == (1, [1, 2])
    assert (second.boot, seqs(second)) == (2, [0])
    outbox.acknowledge(Ack(1, 3))
    outbox.acknowledge(Ack(2, 1))
    assert outbox.counts == Counts(produced=4, acknowledged=4)


def test_an_earlier_boot_gives_way_first_and_stays_counted() -> None:
    outbox = filled(2, boot=1, config=OutboxConfig(capacity_rows=2))
    outbox.begin_boot(2)
    for _ in range(2):
        outbox.append(0, Clock.SYNCED, ())
    assert outbox.oldest == (2, 0)
    assert outbox.counts == Counts(produced=4, held=2, dropped=2)


def test_boots_only_go_up() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        Outbox(3).begin_boot(3)


def test_an_outbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        Outbox(1, OutboxConfig(capacity_rows=0))


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**40), 2**40),
            st.sampled_from(Clock),
            st.lists(st.none() | st.integers(-(2**52), 2**52), min_size=2, max_size=2),
        ),
        max_size=40,
    ),
    st.integers(1, 10),
)
def test_packs_carry_exactly_what_was_appended(
    readings: list[tuple[int, Clock, list[int | None]]], max_rows: int
) -> None:
    outbox = Outbox(1)
    for t_ms, clock, values in readings:
        outbox.append(t_ms, clock, values)
    carried = []
    while pack := outbox.next_pack(0, max_rows):
        assert decode_pack(encode_pack(pack)) == pack
        assert len(pack.rows) <= max_rows
        assert all(row_fault(row, 2) is None for row in pack.rows)
        carried += [(pack.t0_ms + row[0], pack.clock, row[1:]) for row in pack.rows]
    assert carried == readings


class Custody(RuleBasedStateMachine):
    """A node, a link that loses and delays at will, and a gateway that stores, forgets and asks again."""

    @initialize(
        capacity=st.integers(1, 30),
        window=st.integers(1, 20),
        resend_s=st.floats(0.1, 20),
        rows=st.integers(1, 9),
    )
    def begin(self, capacity: int, window: int, resend_s: float, rows: int) -> None:
        self.config = OutboxConfig(capacity_rows=capacity, window_rows=window, resend_s=resend_s)
        self.outbox = Outbox(1, self.config)
        self.rows = rows
        self.now_s = 0.0
        self.made: dict[tuple[int, int], int] = {}
        self.stored: dict[tuple[int, int], int] = {}
        self.under_way: list[Pack] = []
        self.acks: list[Ack] = []

    @rule(count=st.integers(1, 8))
    def sense(self, count: int) -> None:
        for _ in range(count):
            value = len(self.made)
            self.made[self.outbox.boot, self.outbox.append(value, Clock.SYNCED, (value,))] = value

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def send(self) -> None:
        pack = self.outbox.next_pack(self.now_s, self.rows)
        if pack is not None:
            assert 1 <= len(pack.rows) <= self.rows
            self.under_way.append(pack)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), lost=st.booleans())
    def carry(self, data: st.DataObject, lost: bool) -> None:
        pack = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        if not lost:
            self.store(pack)

    def store(self, pack: Pack) -> None:
        for index, row in enumerate(pack.rows):
            self.stored[pack.boot, pack.seq0 + index] = row[1]
        self.acks.append(self.answer(pack.boot))

    def answer(self, boot: int) -> Ack:
        held = {seq for b, seq in self.stored if b == boot}
        first = next(seq for seq in range(len(held) + 1) if seq not in held)
        later = [seq for seq in held if seq > first]
        return Ack(boot, first, ((first, min(later) - 1),) if later else ())

    def settled(self, boot: int) -> int:
        """Below this all is stored or, as the node's birth tells, dropped by it and can never come."""
        oldest_boot, oldest_seq = self.outbox.oldest
        seq = oldest_seq if boot == oldest_boot else 0
        while (boot, seq) in self.stored:
            seq += 1
        return seq

    @precondition(lambda self: self.acks)
    @rule(data=st.data(), lost=st.booleans())
    def acknowledge(self, data: st.DataObject, lost: bool) -> None:
        ack = self.acks.pop(data.draw(st.integers(0, len(self.acks) - 1)))
        if not lost:
            self.outbox.acknowledge(ack)

    @rule()
    def restart_the_node(self) -> None:
        self.outbox.begin_boot(self.outbox.boot + 1)

    @invariant()
    def every_reading_is_counted(self) -> None:
        counts = self.outbox.counts
        assert counts.produced == counts.acknowledged + counts.held + counts.dropped == len(self.made)
        assert counts.held <= self.config.capacity_rows

    @invariant()
    def what_arrived_is_what_was_made(self) -> None:
        assert all(self.made[key] == value for key, value in self.stored.items())

    @invariant()
    def what_is_acknowledged_is_stored(self) -> None:
        assert self.outbox.counts.acknowledged <= len(self.stored)

    def teardown(self) -> None:
        """From here on the link is good: all that the node still holds must arrive."""
        if not hasattr(self, "outbox"):
            return
        for _ in range(2_000):
            if self.outbox.counts.held == 0:
                break
            self.now_s += RESEND_LIMIT_S
            while pack := self.outbox.next_pack(self.now_s, self.rows):
                self.store(pack)
                self.outbox.acknowledge(Ack(pack.boot, self.settled(pack.boot)))
        assert self.outbox.counts.held == 0
        assert len(self.stored) >= self.outbox.counts.acknowledged


Custody.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCustody = Custody.TestCase
