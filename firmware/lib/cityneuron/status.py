"""What a node says of itself to whoever stands before it or asks from afar: one dict for both."""

import gc

from cityneuron import FIRMWARE
from cityneuron.clock import NAMES


def of(node):
    """Return the state of a node. Its account: produced = acknowledged + held + dropped."""
    outbox, board, clock = node.outbox, node.board, node.clock
    gc.collect()
    return {
        "node": node.settings.node,
        "boot": outbox.boot,
        "version": FIRMWARE,
        "slot": node.slot,
        "trial": bool(node.trial),
        "clock": NAMES[clock.state],
        "time_ms": clock.now_ms(),
        "net": node.conversation.net,
        "broker": node.conversation.broker,
        "stage": node.stage,
        "produced": outbox.produced,
        "acknowledged": outbox.acknowledged,
        "held": outbox.held,
        "dropped": outbox.dropped,
        "last_ack_ms": node.conversation.last_ack_ms,
        "heap_free": gc.mem_free(),
        "flash_free": board.flash_free(),
        "rssi_dbm": board.rssi_dbm(),
        "uptime_s": clock.uptime_ms() // 1000,
        "battery_mv": node.pace.battery_mv,
        "errors": node.errors.last(),
        "sensors": node.sampler.status(),
    }
