"""What a node says of itself to whoever stands before it or asks from afar: one dict for both."""

import gc

from micropython import const

from cityneuron import FIRMWARE
from cityneuron.clock import NAMES

_SECRET = const(("broker_password", "wifi_password"))


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
        "sensors": _sensors(node.sampler),
    }


def settings(chosen):
    """Return settings without secrets, as the command `settings` tells them."""
    found = chosen.__dict__
    return {name: found[name] for name in sorted(found) if name not in _SECRET and found[name] is not None}


def values(sampler):
    """Return the latest row as {quantity: text or None}."""
    return {name: _text_of(sampler.row[at], scale) for at, (name, scale) in enumerate(sampler.columns)}


def _sensors(sampler):
    """Return what `doctor` shows of each sensor."""
    found, told = [], values(sampler)
    for sensor, (error, _) in zip(sampler.sensors, sampler.errors):
        latest = {name: told[name] for name, _ in sensor.columns}
        found.append({"name": sensor.name, "ok": not error, "error": error, "values": latest})
    return found


def _text_of(value, decimals):
    """Return a scaled integer as a decimal number: (-123, 2) is "-1.23". None stays None."""
    if value is None or not decimals:
        return None if value is None else str(value)
    digits = str(abs(value))
    digits = "0" * (decimals + 1 - len(digits)) + digits
    return "%s%s.%s" % ("-" if value < 0 else "", digits[:-decimals], digits[-decimals:])
