"""A command is read, judged, and marked on flash before it is done. Borrowed by Commands when one comes."""

from micropython import const

from cityneuron import pack
from cityneuron.clock import SYNCED
from cityneuron.commands import ACCEPTED, EXPIRED, FAILED, KEPT, REFUSED, Refused
from cityneuron.errors import NodeError, PackError
from cityneuron.replies import answer, explained, keep
from cityneuron.seldom import borrow

_MOST_TEXT = const(64)
_LARGEST = const(1 << 53)

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


def read_command(payload):
    """Return (id, name, arguments, expires_ms), or raise PackError."""
    body = pack.decode(payload)
    if type(body) is not list or not body or type(body[0]) is not int or body[0] != pack.VERSION:
        raise PackError("not a command of version %d" % pack.VERSION, "update the node")
    if len(body) != 5:
        raise PackError("a command has 5 elements, not %d" % len(body))
    _, ident, name, arguments, expires_ms = body
    if not _is_id(ident) or not _is_id(expires_ms):
        raise PackError("id or end of the command is no number of 53 bits")
    if type(name) is not str or not 1 <= len(name) <= _MOST_TEXT:
        raise PackError("the command's name is no text of 1 to %d characters" % _MOST_TEXT)
    if type(arguments) is not dict:
        raise PackError("the arguments are no map")
    return ident, name, arguments, expires_ms


def _is_id(value):
    return type(value) is int and 1 <= value <= _LARGEST


def begin(commands, payload):
    """Return (place, arguments, reply) of a command to be done; else the reply, None if this is no command."""
    try:
        ident, name, arguments, expires_ms = read_command(payload)
    except PackError as error:
        commands.bad_messages += 1
        commands.log("bad command: %s" % error)
        return None
    if ident in commands.ids:
        place = commands.ids.index(ident)
        if place in commands.unsaid:
            commands.unsaid.remove(place)
        return borrow("recall").said(commands, place)
    if commands.clock.state == SYNCED and commands.clock.now_ms() > expires_ms:
        return answer(commands, ident, EXPIRED, None)
    fault = _why_not(commands, name, arguments)
    if fault:
        return answer(commands, ident, REFUSED, explained(fault))
    return _begin(commands, ident, name, arguments)


def _why_not(commands, name, arguments):
    if name not in commands.actions:
        return Refused("this node cannot do %s" % name, "it has no part for it, or is to be updated")
    fault = _fault(name, arguments)
    return Refused(fault) if fault else None


def _begin(commands, ident, name, arguments):
    place = _oldest(commands)
    commands.ids[place] = ident
    commands.numbers[place] = max(commands.numbers) + 1
    begun = keep(commands, place, ACCEPTED, {"name": name})
    if begun is None:
        error = NodeError("the flash takes no command", "look at its room")
        return answer(commands, ident, FAILED, explained(error))
    commands.begun[place] = name
    return place, arguments, begun


def _oldest(commands):
    """Return the place to use next; what is not finished keeps its own as long as there is another."""
    free = [place for place in range(KEPT) if place not in commands.begun] or list(range(KEPT))
    return min(free, key=lambda place: commands.numbers[place])


def _fault(name, given):
    """Return why the arguments of a command make no sense, or None."""
    known = _ARGUMENTS.get(name, ())
    for argument in given:
        if not any(argument == row[0] for row in known):
            return "%s takes no %s" % (name, argument[:_MOST_TEXT])
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
