"""Counts how often the blocks of a flash are erased while a node keeps its readings.

Arguments: a folder, blocks of the file system, KB of firmware in it, KB of outbox, columns, period in seconds,
seconds between two writes, days. Prints days, writes, erases in all, erases of the most worn block, blocks that
share the wear.
"""

import os
import sys

import flash_rig

from cityneuron.clock import SYNCED
from cityneuron.marks import Marks
from cityneuron.outbox import Outbox
from cityneuron.segments import Segments
from cityneuron.settings import keep_number

KEEP_TIME_EVERY_S = 3600
folder = sys.argv[1]
blocks, firmware_kb, outbox_kb, columns, period_s, write_every_s, days = [int(word) for word in sys.argv[2:]]
flash = flash_rig.Flash(folder + "/wear.img", blocks)
flash_rig.format(flash)
flash_rig.mount(flash)
for number in range(firmware_kb // 4):
    with open("/flash/firmware%d" % number, "wb") as file:
        file.write(bytes(4096))
for number in range(blocks):
    flash.erases[number] = 0
free_blocks = os.statvfs("/flash")[3]
segments = Segments("/flash/outbox", outbox_kb, 3000, print)
outbox = Outbox(10_000, columns, 128, 1, segments, Marks("/flash/marks"))
row, writes = [0] * columns, 0
for second in range(0, days * 86_400, period_s):
    outbox.append(second * 1000, SYNCED, row)
    run = outbox.next_run(30, 120)
    outbox.mark_sent(run)
    outbox.acknowledge(10_000, outbox.next_seq, [])
    if second // write_every_s != (second + period_s) // write_every_s:
        outbox.write()
        writes += 1
    if second // KEEP_TIME_EVERY_S != (second + period_s) // KEEP_TIME_EVERY_S:
        keep_number("/flash/time", second * 1000)
print(days, writes, sum(flash.erases), max(flash.erases), free_blocks)
