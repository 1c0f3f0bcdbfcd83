"""From a board and its settings to a node: the one place where its parts are chosen; borrow it."""

import os

from micropython import const

from cityneuron.clock import Clock, Servers
from cityneuron.energy import Pace
from cityneuron.marks import Marks
from cityneuron.node import Node
from cityneuron.outbox import Outbox
from cityneuron.sampler import Sampler
from cityneuron.segments import BLOCK_BYTES, Segments, record_bytes
from cityneuron.seldom import borrow
from drivers.instrument import instruments

_BUILD_TIME_MS = const(1_763_683_200_000)  # no reading is older than the firmware: 2025-11-21


def build(board, log):
    """Return the Node of a board. Counts the start. Raises SettingsError."""
    settings = borrow("settings", "changes")
    chosen = settings.load(board.path("settings.json"), board.path("data/changed.json"))
    _make_folder(board.path("data"))
    board.configure(chosen)
    kept = borrow("sleep").read_kept(board.kept()) if chosen.sleep else None
    board.keep(b"")  # whatever ends this start otherwise than by a sleep must not go on with its numbers
    floor_ms = max(_BUILD_TIME_MS, settings.read_number(board.path("data/time")), kept.wake_ms if kept else 0)
    clock = Clock(board.ticks_ms, board.ticks_diff, floor_ms, slept=kept is not None and kept.clock_known)
    board.set_time(clock.now_ms())
    lamp = _lamp(board, chosen, clock, log)
    awake_s = chosen.awake_s if chosen.sleep else None
    sampler = Sampler(instruments(board, chosen.sensors, awake_s) + ([lamp] if lamp else []))
    outbox = _outbox(board, chosen, sampler, kept, settings, log)
    pace = Pace(chosen, sampler.columns)
    if kept is not None:
        pace.value, pace.value_ms, pace.fast_until_ms = kept.value, kept.value_ms, kept.fast_until_ms
    log("%s, boot %d, %s, %d columns" % (chosen.node, outbox.boot, board.NAME, len(sampler.columns)))
    servers = Servers(chosen.ntp_hosts, clock, board.getrandbits, _BUILD_TIME_MS)
    node = Node(chosen, board, clock, sampler, outbox, servers, pace, log)
    node.wakes = kept.wakes if kept is not None else 0
    if lamp is not None:
        node.lamp = lamp
        node.actions.update(lamp.actions)
    return node


def _lamp(board, chosen, clock, log):
    """Return the lamp, lit, of a node that has one: before anything that can fail."""
    if chosen.lamp is None:
        return None
    from cityneuron import lamp

    return lamp.build(chosen.lamp, board, clock, log)


def _outbox(board, chosen, sampler, kept, settings, log):
    """Return the outbox; it goes on with the boot that slept if flash and spared memory agree."""
    columns, schema = len(sampler.columns), sampler.schema
    segments = marks = None
    if chosen.outbox_kb:
        try:
            folder = board.path("data/outbox")
            _make_folder(folder)
            room_kb = (board.flash_free() + BLOCK_BYTES * len(os.listdir(folder))) // 2048  # half is left
            most_kb = min(chosen.outbox_kb, room_kb)
            segments = Segments(folder, most_kb, chosen.pack_rows * record_bytes(columns), log)
            marks = Marks(board.path("data/marks"))
        except OSError as error:
            log("the flash holds no readings: %s; they stay in RAM" % error)
            segments = marks = None
    highest = segments.highest_boot() if segments else 0
    if kept is not None and kept.boot == highest and segments.next_seq(highest) == kept.next_seq:
        boot, first_seq, told = kept.boot, kept.next_seq, kept.told
    else:
        boot, first_seq, told = settings.next_boot(board.path("data/boot"), log, highest), 0, 0
    return Outbox(boot, columns, chosen.capacity_rows, schema, segments, marks, first_seq, told)


def _make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        pass  # it is there; if not, writing into it will say so
