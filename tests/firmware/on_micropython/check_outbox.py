"""The outbox, the clock and the back-off, each promise a function; prints the names of those that hold."""

from cityneuron.clock import ESTIMATED, SYNCED, UNKNOWN, Clock
from cityneuron.link import Backoff
from cityneuron.outbox import Outbox


def filled(rows, capacity=8):
    outbox = Outbox(3, 1, capacity)
    for number in range(rows):
        assert outbox.append(1000 + number, SYNCED, (number,)) == number
    return outbox


def send(outbox, most=30, window=100):
    run = outbox.next_run(most, window)
    if run is None:
        return None
    outbox.mark_sent(run)
    return run.seq0, run.rows, run.replay


def balanced(outbox):
    return outbox.produced == outbox.acknowledged + outbox.held + outbox.dropped


def numbers_are_given_in_order_and_values_come_back():
    outbox, row = filled(3), [None]
    assert outbox.row_into(2, row) == 1002 and row == [2]


def a_missing_value_stays_missing_and_one_too_large_is_counted():
    outbox, row = Outbox(1, 3, 4), [0, 0, 0]
    outbox.append(0, SYNCED, (None, 0, 1 << 40))
    outbox.row_into(0, row)
    assert row == [None, 0, None] and outbox.ring.unfit == 1


def what_is_sent_is_not_sent_twice_without_reason():
    outbox = filled(5)
    assert send(outbox, most=3) == (0, 3, False) and send(outbox) == (3, 2, False) and send(outbox) is None


def a_broken_link_sends_again_what_was_not_acknowledged():
    outbox = filled(5)
    send(outbox)
    outbox.acknowledge(3, 2, [])
    outbox.rewind()
    outbox.append(9, SYNCED, (9,))
    assert send(outbox) == (2, 3, True) and send(outbox) == (5, 1, False)


def exact_ranges_are_sent_again_even_acknowledged_ones_and_with_the_window_full():
    outbox = filled(8)
    send(outbox)
    assert outbox.acknowledge(3, 6, [[1, 2], [4, 4]])
    assert send(outbox, window=0) == (1, 2, True) and send(outbox, window=0) == (4, 1, True)
    assert send(outbox, window=0) is None


def the_oldest_is_dropped_first_and_counted_only_if_unacknowledged():
    outbox = filled(8)
    outbox.acknowledge(3, 2, [])
    for number in range(4):
        outbox.append(0, SYNCED, (number,))
    assert outbox.oldest == (3, 4) and outbox.dropped == 2 and outbox.acknowledged == 2 and balanced(outbox)
    outbox.acknowledge(3, 12, [])
    assert outbox.dropped == 2 and outbox.held == 0 and balanced(outbox)


def asking_for_what_is_gone_is_noticed():
    outbox = filled(12)
    send(outbox)
    outbox.acknowledge(3, 0, [[0, 4]])
    assert outbox.asked_for_gone and send(outbox) == (4, 1, True)


def the_window_bounds_what_is_under_way():
    outbox = filled(8)
    assert send(outbox, most=3, window=5) == (0, 3, False) and send(outbox, most=3, window=5) == (3, 2, False)
    assert send(outbox, most=3, window=5) is None
    outbox.acknowledge(3, 1, [])
    assert send(outbox, most=3, window=5) == (5, 1, False)


def what_is_gone_is_told_so_that_nobody_waits_for_it():
    outbox = filled(12)
    send(outbox)
    outbox.acknowledge(3, 4, [])
    outbox.acknowledge(3, 4, [[2, 3]])
    assert outbox.oldest == (3, 4)


def after_a_deep_sleep_the_clock_goes_on_as_an_estimate():
    ticks = [5]
    clock = Clock(lambda: ticks[0], lambda a, b: a - b, 1_760_000_000_000, slept=True)
    assert clock.state == ESTIMATED and clock.age_ms() is None
    assert clock.set(1_760_000_000_100) == 100 and clock.state == SYNCED and clock.age_ms() == 0


def another_boots_acknowledgement_is_not_ours_and_one_from_the_future_is_clamped():
    outbox = filled(4)
    assert not outbox.acknowledge(2, 4, []) and outbox.acked == 0
    outbox.acknowledge(3, 4000000000, [[0, 4294967295]])
    assert outbox.acked == 4 and balanced(outbox)


def a_pack_holds_one_clock_state():
    outbox = Outbox(1, 1, 8)
    for state in (UNKNOWN, UNKNOWN, SYNCED):
        outbox.append(0, state, (1,))
    assert send(outbox) == (0, 2, False) and send(outbox) == (2, 1, False)


def readings_before_the_first_sync_are_dated_again():
    ticks = [5]
    clock = Clock(lambda: ticks[0], lambda a, b: a - b, 1_000_000)
    outbox, row = Outbox(1, 1, 8), [None]
    ticks[0] += 100
    outbox.append(clock.now_ms(), clock.state, (1,))
    assert clock.now_ms() == 1_000_100 and clock.state == UNKNOWN
    ticks[0] += 50
    outbox.redate(clock.set(1_760_000_000_000))
    run = outbox.next_run(9, 9)
    assert (
        outbox.row_into(0, row) == 1_760_000_000_000 - 50 and run.clock == ESTIMATED and clock.state == SYNCED
    )
    ticks[0] += 86_400_000
    assert clock.state == ESTIMATED


def the_backoff_doubles_to_its_limit_and_never_falls_under_half():
    most, least = Backoff(1000, 6000, lambda _: 255), Backoff(1000, 6000, lambda _: 0)
    assert [most.wait_ms() for _ in range(5)] == [1000, 2000, 4000, 6000, 6000]
    assert [least.wait_ms() for _ in range(3)] == [500, 1000, 2000]
    most.reset()
    assert most.wait_ms() == 1000


for name, check in sorted(globals().copy().items()):
    if "_" in name and name[0] != "_" and callable(check):
        check()
        print("ok", name)
