"""What commands take: the arguments of each, and why some make no sense. Borrowed for each new command."""

from micropython import const

_MOST_NAME = const(64)

# Of each command the arguments: name, type, least, most (of a text its length), and whether it must be given.
_ARGUMENTS = {
    "sample": (),
    "set": (("period_ms", int, 20, 86_400_000, True),),
    "settings": (),
    "status": (),
    "identify": (("seconds", int, 1, 3_600, False),),
    "lamp": (("level_pct", int, 0, 100, False), ("minutes", int, 0, 10_080, False)),
    "schedule": (("table", None, 0, 0, False),),
    "reboot": (),
    "update": (
        ("url", str, 8, 256, True),
        ("size", int, 1, 1 << 24, False),
        ("digest", str, 1, 128, False),
        ("version", str, 1, 32, False),
        ("force", int, 0, 1, False),
    ),
    "reset": (),
}


def fault(name, given):
    """Return why the arguments of a command make no sense, or None."""
    known = _ARGUMENTS.get(name, ())
    for argument in given:
        if not any(argument == row[0] for row in known):
            return "%s takes no %s" % (name, argument[:_MOST_NAME])
    for argument, kind, least, most, needed in known:
        value = given.get(argument)
        if value is None:
            if needed:
                return "%s needs %s" % (name, argument)
            continue
        if kind is None:
            continue
        if type(value) is not kind:
            return "%s is no %s" % (argument, "text" if kind is str else "integer")
        measure = len(value) if isinstance(value, str) else value
        if not least <= measure <= most:
            return "%s is not within %d to %d" % (argument, least, most)
    return None
