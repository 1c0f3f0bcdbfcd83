"""Cuts the power at write after write of a node's life, and looks at what the next start finds.

Arguments: a folder, at how many writes to cut. Prints "cuts N", how many of them damaged nothing.
"""

import gc
import sys

import flash_rig

from cityneuron.clock import SYNCED
from cityneuron.marks import Marks
from cityneuron.outbox import Outbox
from cityneuron.segments import Segments

FOLDER, COLUMNS, KB, BLOCKS = "/flash/outbox", 20, 16, 48
ROWS_A_BOOT, BOOTS, ROWS_A_WRITE = 180, (10, 20), 5
ROWS_A_SEGMENT = (4096 - 28) // (13 + 4 * COLUMNS)
NEXT_BOOT = 30


def place(number):
    """Return how many readings come before one."""
    return BOOTS.index(number[0]) * ROWS_A_BOOT + number[1]


def start(boot):
    flash_rig.mount(flash)
    segments = Segments(FOLDER, KB, 30 * 100, lambda line: log.append(line))
    return Outbox(boot, COLUMNS, 64, 7, segments, Marks("/flash/marks"))


def values(boot, seq):
    return [boot * 1000 + seq + column for column in range(COLUMNS)]


class Life:
    """What a node does, and what it may rely on: `safe` is the last reading whose write returned."""

    def __init__(self):
        self.boot, self.safe = BOOTS[0], 0
        self.acked = (0, 0)
        self.oldest_before = (BOOTS[0], 0)

    def run(self):
        for boot in BOOTS:
            outbox = start(boot)
            self.boot, self.safe = boot, 0
            for seq in range(ROWS_A_BOOT):
                outbox.append(seq * 1000, SYNCED, values(boot, seq))
                if seq % ROWS_A_WRITE == ROWS_A_WRITE - 1:
                    self.hand_over(outbox)
                    self.oldest_before = outbox.oldest
                    outbox.write()
                    self.safe = seq + 1

    def hand_over(self, outbox):
        """Deliver, and hear of it, some readings late."""
        while True:
            run = outbox.next_run(30, 90)
            if run is None:
                break
            outbox.mark_sent(run)
            self.acked = (run.boot, max(0, run.seq0 + run.rows - 12))
            outbox.acknowledge(self.acked[0], self.acked[1], [])


def found(outbox):
    """Return the (boot, seq) of all readings that are there, each checked for its values."""
    numbers, row = [], [None] * COLUMNS
    segments = outbox.segments
    for number in range(segments.first, segments.end):
        boot, rows, seq0 = segments.boot(number), segments.rows(number), segments.seq0(number)
        assert segments.schema(number) == 7 and segments.columns(number) == COLUMNS
        for seq in range(seq0, seq0 + rows):
            run = outbox.taken(boot, seq, seq + 1, True, False)
            assert run is not None, "reading %d of boot %d is damaged" % (seq, boot)
            assert outbox.row_into(seq, row) == seq * 1000 and row == values(boot, seq)
            numbers.append((boot, seq))
    return numbers


def judge(life):
    """The next start: everything that was safe is there, whole, unless its room was needed."""
    flash.power()
    outbox = start(NEXT_BOOT)
    numbers = found(outbox)
    assert not log, log
    oldest = numbers[0] if numbers else (life.boot, life.safe)
    given = place(oldest) - place(life.oldest_before)
    assert 0 <= given <= ROWS_A_SEGMENT, (
        given
    )  # the write that was cut may have given the oldest segment's room
    wanted = []
    for boot in BOOTS:
        if oldest[0] <= boot <= life.boot:
            first = oldest[1] if boot == oldest[0] else 0
            end = life.safe if boot == life.boot else ROWS_A_BOOT
            wanted += [(boot, seq) for seq in range(first, end)]
    more = [number for number in numbers if number not in wanted]
    assert [number for number in numbers if number in wanted] == wanted
    assert more == [(life.boot, life.safe + index) for index in range(len(more))] and len(more) <= ROWS_A_WRITE
    assert outbox.marks.position <= life.acked, (outbox.marks.position, life.acked)
    outbox.append(0, SYNCED, values(NEXT_BOOT, 0))
    outbox.write()
    assert found(start(40))[-1] == (NEXT_BOOT, 0)


def live(fuse):
    """Live until the power goes at the fuse-th write; returns the Life."""
    log.clear()
    flash.power()
    flash_rig.format(flash)
    flash_rig.mount(flash)
    flash.writes = 0
    flash.power(fuse)
    life = Life()
    try:
        life.run()
    except OSError:
        assert fuse, "the flash failed by itself"
    return life


log = []
flash = flash_rig.Flash(sys.argv[1] + "/flash.img", BLOCKS)
whole = live(0)
judge(whole)
live(0)
writes, cuts = flash.writes, int(sys.argv[2])
print("writes", writes)
for cut in range(cuts):
    fuse = 1 + cut * (writes - 1) // (cuts - 1)
    life = live(fuse)
    try:
        judge(life)
    except Exception as error:
        print("cut at write", fuse)
        raise error
    gc.collect()
print("cuts", cuts)
