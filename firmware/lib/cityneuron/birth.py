"""What a node tells of itself when it connects. Borrowed for it."""

from cityneuron import FIRMWARE, pack


def write(writer, node, oldest):
    """Write the birth of a Node; `oldest` is (boot, seq) of the oldest reading that it can still send."""
    write_birth(
        writer,
        {
            "node": node.settings.node,
            "kind": node.settings.kind,
            "fw": FIRMWARE,
            "hw": node.board.NAME,
            "boot": node.outbox.boot,
            "schema": node.sampler.schema,
            "cols": node.sampler.columns,
            "period_ms": node.settings.period_ms,
            "oldest": oldest,
            "next": node.outbox.next_seq,
            "clock": node.clock.state,
            "sn": node.board.serial(),
            "trial": bool(node.trial),
        },
    )


def write_birth(writer, birth):
    """Write a birth: a dict with node, kind, fw, hw, boot, schema, cols, period_ms, oldest, next, clock; sn and
    trial when they are not empty."""
    writer.clear()
    writer.map(12 + bool(birth["sn"]) + bool(birth.get("trial")))
    writer.text("v")
    writer.integer(pack.VERSION)
    for key in ("node", "kind", "fw", "hw"):
        writer.text(key)
        writer.text(birth[key])
    for key in ("boot", "schema"):
        writer.text(key)
        writer.integer(birth[key])
    writer.text("cols")
    writer.array(len(birth["cols"]))
    for quantity, decimals in birth["cols"]:
        writer.array(2)
        writer.text(quantity)
        writer.integer(decimals)
    writer.text("period_ms")
    writer.integer(birth["period_ms"])
    writer.text("oldest")
    writer.array(2)
    for number in birth["oldest"]:
        writer.integer(number)
    for key in ("next", "clock"):
        writer.text(key)
        writer.integer(birth[key])
    if birth["sn"]:
        writer.text("sn")
        writer.text(birth["sn"])
    if birth.get("trial"):
        writer.text("trial")
        writer.integer(1)
