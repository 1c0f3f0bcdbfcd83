"""Prints bytes, allocation and time of packs: rows bytes allocated_bytes microseconds."""

import gc
import time

from cityneuron import pack
from cityneuron.clock import SYNCED
from cityneuron.outbox import Outbox

T0_MS = 1760000000000
outbox = Outbox(3, 6, 64)
for index in range(60):
    outbox.append(T0_MS + 60000 * index, SYNCED, (3120 + index, 1820 - index, 371, -67, 812, 5 * index))
writer = pack.Writer(2048)
row = [None] * 6


def encode(rows):
    run = outbox.next_run(rows, 64)
    pack.write_data_head(writer, 1, run.boot, run.seq0, run.t0_ms, run.clock, run.rows)
    for seq in range(run.seq0, run.seq0 + run.rows):
        t_ms = outbox.row_into(seq, row)
        pack.write_row(writer, t_ms - run.t0_ms, row)


for rows in (1, 30):
    encode(rows)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    encode(rows)
    allocated = gc.mem_alloc() - before
    gc.enable()
    start = time.ticks_us()
    for _ in range(50):
        encode(rows)
    print(rows, writer.length, allocated, time.ticks_diff(time.ticks_us(), start) // 50)
