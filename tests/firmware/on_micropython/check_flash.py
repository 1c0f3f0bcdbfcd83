"""The outbox over restarts, each promise a function; prints those that hold. Argument: a folder."""

import os
import sys

import flash_rig

from cityneuron.clock import ESTIMATED, SYNCED, UNKNOWN
from cityneuron.marks import Marks
from cityneuron.outbox import Outbox
from cityneuron.segments import Segments

FOLDER = "/flash/outbox"
T0_MS = 1_760_000_000_000
flash = flash_rig.Flash(sys.argv[1] + "/flash.img", 64)


def opened(boot, columns=2, kb=64, capacity=64, **more):
    """A start on the flash as it is. An image of a power cut: nothing but what was written is there."""
    flash_rig.mount(flash)
    segments = Segments(FOLDER, kb, 30 * 64, lambda _line: None)
    return Outbox(boot, columns, capacity, columns, segments, Marks("/flash/marks"), **more)


def filled(boot, rows, columns=2, clock=SYNCED, **more):
    outbox = opened(boot, columns, **more)
    for _ in range(rows):
        append(outbox, clock)
    outbox.write()
    return outbox


def append(outbox, clock=SYNCED):
    seq = outbox.next_seq
    outbox.append(T0_MS + 1000 * seq, clock, [outbox.boot * 1000 + seq] * outbox.columns)


def taken(outbox, most=30, window=1000):
    """Send all there is; return (boot, seq) of every reading, checked against what was put in."""
    sent = []
    while True:
        run = outbox.next_run(most, window)
        if run is None:
            return sent
        row = [None] * run.columns
        for seq in range(run.seq0, run.seq0 + run.rows):
            t_ms = outbox.row_into(seq, row)
            assert row == [run.boot * 1000 + seq] * run.columns, (run.boot, seq, row)
            assert t_ms == T0_MS + 1000 * seq, t_ms
            sent.append((run.boot, seq))
        outbox.mark_sent(run)


def numbers(boot, first, end):
    return [(boot, seq) for seq in range(first, end)]


def balanced(outbox):
    return outbox.produced == outbox.acknowledged + outbox.held + outbox.dropped


def what_was_written_outlives_a_restart_under_its_own_boot_and_numbers():
    filled(10, 70)
    outbox = filled(20, 5)
    assert outbox.oldest == (10, 0) and outbox.held == 75 and balanced(outbox)
    assert taken(outbox) == numbers(10, 0, 70) + numbers(20, 0, 5)


def what_was_not_written_is_gone_and_is_not_claimed():
    outbox = filled(10, 5)
    append(outbox)
    assert outbox.unwritten == 1
    assert taken(opened(20)) == numbers(10, 0, 5)


def each_boot_is_acknowledged_for_itself():
    filled(10, 8)
    outbox = filled(20, 4)
    taken(outbox)
    assert outbox.acknowledge(10, 6, []) and outbox.acknowledge(20, 4, [])
    assert (outbox.held, outbox.acknowledged) == (2, 10) and balanced(outbox)
    assert not outbox.acknowledge(9, 3, []) and not outbox.acknowledge(21, 3, [])
    outbox.rewind()
    assert taken(outbox) == numbers(10, 6, 8)


def what_is_acknowledged_is_not_sent_again_after_a_restart_but_can_be_asked_for():
    filled(10, 8)
    outbox = filled(20, 4)
    taken(outbox)
    outbox.acknowledge(10, 8, [])
    outbox.acknowledge(20, 3, [])
    outbox.write()
    outbox = opened(30)
    assert outbox.oldest == (10, 0) and outbox.held == 1
    assert taken(outbox) == [(20, 3)]
    assert outbox.acknowledge(10, 8, [[2, 3], [5, 5]]) and outbox.acknowledge(20, 4, [[0, 0]])
    assert taken(outbox, window=0) == [(10, 2), (10, 3), (10, 5), (20, 0)] and balanced(outbox)


def ranges_of_this_boot_are_answered_from_flash_when_the_ring_has_moved_on():
    outbox = filled(10, 200, capacity=16)
    assert taken(outbox) == numbers(10, 0, 200)
    outbox.acknowledge(10, 200, [[3, 5], [190, 191]])
    assert taken(outbox) == numbers(10, 3, 6) + numbers(10, 190, 192)


def the_oldest_gives_way_when_the_room_is_full_and_only_what_nobody_has_counts_as_dropped():
    outbox = filled(10, 80, columns=30, kb=12)  # 30 readings a block, three blocks
    taken(outbox)
    outbox.acknowledge(10, 40, [])
    for _ in range(80):
        append(outbox)
    outbox.write()
    boot, oldest = outbox.oldest
    assert boot == 10 and oldest >= 60 and oldest % 30 == 0
    assert outbox.dropped == oldest - 40 and outbox.held == 160 - oldest and balanced(outbox)
    outbox.rewind()
    assert taken(outbox) == numbers(10, oldest, 160)


def a_flash_that_is_full_makes_room_by_itself():
    with open("/flash/ballast", "wb") as file:
        for _ in range(45):
            file.write(bytes(4096))
    outbox = filled(10, 30 * 30, columns=30, kb=256, capacity=64)
    sent = taken(outbox)
    assert sent[-1] == (10, 899) and len(sent) == outbox.held and outbox.dropped == 900 - len(sent) > 0
    assert balanced(outbox)


def another_set_of_sensors_leaves_earlier_readings_as_they_were():
    filled(10, 5, columns=3)
    outbox = filled(20, 5, columns=2)
    run = outbox.next_run(30, 30)
    assert (run.boot, run.schema, run.columns) == (10, 3, 3)
    assert taken(outbox) == numbers(10, 0, 5) + numbers(20, 0, 5)


def readings_of_an_unknown_clock_are_dated_when_it_is_set_also_after_a_restart():
    outbox, row = filled(10, 3, clock=UNKNOWN), [0, 0]
    append(outbox, UNKNOWN)
    outbox.redate(500_000)
    append(outbox, SYNCED)
    outbox.write()
    for start in (lambda: outbox, lambda: opened(20)):
        kept = start()
        run = kept.next_run(30, 30)
        assert (run.rows, run.clock, run.t0_ms) == (4, ESTIMATED, T0_MS + 500_000)
        assert kept.row_into(3, row) == T0_MS + 503_000
        kept.mark_sent(run)
        run = kept.next_run(30, 30)
        assert (run.seq0, run.clock, run.t0_ms) == (4, SYNCED, T0_MS + 4_000)


def what_was_told_with_a_doubtful_time_keeps_it():
    outbox, row = filled(10, 2, clock=UNKNOWN), [0, 0]
    outbox.mark_sent(outbox.next_run(30, 30))
    append(outbox, UNKNOWN)
    outbox.redate(500_000)
    outbox.write()
    outbox.rewind()
    for start in (lambda: outbox, lambda: opened(20)):
        kept = start()
        run = kept.next_run(30, 30)
        assert (run.rows, run.clock, kept.row_into(1, row)) == (2, UNKNOWN, T0_MS + 1_000)
        kept.mark_sent(run)
        run = kept.next_run(30, 30)
        assert (run.seq0, run.clock, kept.row_into(2, row)) == (2, ESTIMATED, T0_MS + 502_000)


def a_boot_that_slept_goes_on_with_its_numbers():
    outbox = filled(10, 5)
    taken(outbox)
    outbox.acknowledge(10, 4, [])
    outbox.write()
    outbox = opened(10, first_seq=5, told=5)
    assert (outbox.acked, outbox.held, outbox.next_seq) == (4, 1, 5)
    append(outbox)
    outbox.write()
    assert taken(outbox) == [(10, 4), (10, 5)] and outbox.produced == 2 and balanced(outbox)
    outbox.acknowledge(10, 6, [])
    assert outbox.held == 0 and balanced(outbox)


def spoil(number, offset, cut=False):
    path = "%s/%08x.seg" % (FOLDER, number)
    with open(path, "rb") as file:
        raw = bytearray(file.read())
    if cut:
        raw = raw[:offset]
    else:
        raw[offset] ^= 0x10
    with open(path, "wb") as file:
        file.write(raw)


def a_torn_tail_is_seen_and_what_stands_before_it_is_kept():
    filled(10, 8)
    spoil(0, 28 + 7 * 21 + 5, cut=True)
    outbox = opened(20)
    assert outbox.held == 7 and taken(outbox) == numbers(10, 0, 7)


def nothing_is_written_behind_a_torn_tail():
    filled(10, 8)
    spoil(0, 28 + 7 * 21 + 5, cut=True)
    outbox = opened(10, first_seq=7)
    append(outbox)
    outbox.write()
    assert taken(opened(20)) == numbers(10, 0, 8)


def one_damaged_reading_takes_no_other_along():
    filled(10, 8)
    spoil(0, 28 + 3 * 21 + 9)
    assert taken(opened(20)) == numbers(10, 0, 3) + numbers(10, 4, 8)


def a_damaged_reading_that_is_asked_for_is_told_as_gone():
    filled(10, 8)
    spoil(0, 28 + 3 * 21 + 9)
    spoil(0, 28 + 4 * 21 + 9)
    outbox = opened(20)
    assert taken(outbox) == numbers(10, 0, 3) + numbers(10, 5, 8)
    outbox.acknowledge(10, 3, [[3, 4]])
    assert taken(outbox) == [] and outbox.asked_for_gone and outbox.oldest == (10, 5)
    outbox.acknowledge(10, 8, [])
    assert (outbox.held, outbox.under_way) == (0, 0)


def a_segment_without_a_header_is_removed_and_the_rest_is_kept():
    filled(10, 8)
    filled(20, 8)
    spoil(0, 9)
    outbox = opened(30)
    assert taken(outbox) == numbers(20, 0, 8) and outbox.oldest == (20, 0)
    assert len(os.listdir(FOLDER)) == 1


def what_an_earlier_boot_took_to_its_end_is_told_as_gone_when_it_is_asked_for():
    filled(10, 5)
    outbox = filled(20, 3)
    taken(outbox)
    outbox.acknowledge(10, 5, [[5, 6]])  # 5 and 6 were heard of, and lay in RAM when the power went
    assert outbox.asked_for_gone and outbox.oldest == (10, 7)
    assert taken(outbox) == []


def a_hole_is_not_told_as_gone_while_something_before_it_is_still_to_come():
    filled(10, 5)
    outbox = filled(20, 3)
    taken(outbox)
    outbox.acknowledge(10, 3, [[3, 6]])
    assert outbox.oldest == (10, 0) and taken(outbox) == [(10, 3), (10, 4)]
    outbox.acknowledge(10, 5, [[5, 6]])
    assert outbox.oldest == (10, 7)


def no_acknowledgement_however_odd_breaks_the_account():
    for boot in (10, 20):
        filled(boot, 40, capacity=16)
    outbox = filled(30, 40, capacity=16)
    seed = 1
    for _ in range(300):
        seed = seed * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        boot = (0, 10, 20, 30, 31, 1 << 53)[seed % 6]
        first = seed >> 8 & 0x3F
        last = (first, first + 5, 0xFFFFFFFF)[seed % 3]
        run = outbox.next_run(1 + seed % 7, 20)
        if run is not None and seed & 4:
            outbox.mark_sent(run)
        outbox.acknowledge(
            boot, seed >> 14 & 0x3F if seed & 8 else 0xFFFFFFFF * (seed >> 20 & 1), [[first, last]] * 20
        )
        assert balanced(outbox) and 0 <= outbox.held <= 120 and outbox.under_way >= 0
        if seed & 16:
            append(outbox)
            outbox.write()
        if not seed & 0x700:
            outbox.rewind()
    taken(outbox)
    for boot in (10, 20, 30):
        outbox.acknowledge(boot, 0xFFFFFFFF, [])
    assert outbox.held == 0 and balanced(outbox)


def a_flash_that_does_not_take_readings_costs_only_what_the_ring_cannot_hold():
    outbox = filled(10, 10, capacity=16)
    flash.power(1)
    for _ in range(30):
        append(outbox)
    try:
        outbox.write()
        raise AssertionError("a dead flash took readings")
    except OSError:
        pass
    assert outbox.write_failures and outbox.dropped == 14 and balanced(outbox)
    flash.power()
    flash_rig.mount(flash)
    outbox.write()
    assert taken(outbox) == numbers(10, 0, 10) + numbers(10, 24, 40)
    assert taken(opened(20)) == numbers(10, 0, 10) + numbers(10, 24, 40)


def what_is_no_segment_is_left_alone():
    filled(10, 3)
    with open(FOLDER + "/notes.txt", "w") as file:
        file.write("by an engineer")
    assert taken(opened(20)) == numbers(10, 0, 3) and "notes.txt" in os.listdir(FOLDER)


for name, check in sorted(globals().copy().items()):
    if "_" in name and name[0] != "_" and callable(check) and name not in ("flash_rig",):
        flash.power()
        flash_rig.format(flash)
        flash_rig.mount(flash)
        check()
        print("ok", name)
