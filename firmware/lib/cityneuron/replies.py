"""The last word on a command, kept on flash: `[1, id, status, detail]`. Borrowed while one is written."""

from binascii import crc32
from struct import pack as to_bytes

from micropython import const

from cityneuron import pack
from cityneuron.commands import ACCEPTED, DONE, FAILED, REFUSED, Refused
from cityneuron.errors import NodeError, PackError
from cityneuron.files import replace

MOST_BYTES = const(960)
_SHORT_BYTES = const(160)  # that a command is begun
_LARGEST = const(1 << 53)


def failed(commands, place, error):
    """Return the last word on a command that raised `error`, as bytes."""
    return close(commands, place, *_of(error))


def finish_failed(commands, place, error):
    """Give the last word on a command that raised `error`."""
    finish(commands, place, *_of(error))


def finish(commands, place, status, detail):
    """Give the last word on the command in a place."""
    close(commands, place, status, detail)
    commands.unsaid.append(place)
    commands.changed()


def _of(error):
    return REFUSED if isinstance(error, Refused) else FAILED, explained(error)


def close(commands, place, status, detail):
    """Keep the last word and return it as bytes; on a flash that is full it is said but not kept."""
    commands.begun.pop(place, None)
    commands.tasks.pop(place, None)
    reply = keep(commands, place, status, detail)
    return answer(commands, commands.ids[place], status, detail) if reply is None else reply


def answer(commands, ident, status, detail):
    return bytes(_written(commands, ident, status, detail))


def _written(commands, ident, status, detail, most=MOST_BYTES):
    """Return a view of a reply."""
    writer = pack.Writer(most)
    try:
        write_reply(writer, ident, status, detail)
    except PackError as error:
        commands.log("reply to command %d: %s" % (ident, error))
        too_long = explained(NodeError("the answer does not fit a reply", "read it at the console"))
        write_reply(writer, ident, FAILED, too_long)
    return writer.payload()


def keep(commands, place, status, detail):
    most = _SHORT_BYTES if status == ACCEPTED else MOST_BYTES
    reply = _written(commands, commands.ids[place], status, detail, most)
    try:
        replace(commands.path(place), to_bytes(">II", commands.numbers[place], crc32(reply)), reply)
    except OSError as error:
        commands.log("command %d is not on flash: %s" % (commands.ids[place], error))
        return None
    return bytes(reply)


def explained(error):
    """Return an error as the detail of a reply."""
    detail = {"error": str(getattr(error, "message", "") or error or type(error).__name__)[:200]}
    if getattr(error, "remedy", ""):
        detail["remedy"] = error.remedy[:200]
    return detail


def write_reply(writer, ident, status, detail):
    """Write `[1, id, status, detail]`, with the keys of maps in CBOR's canonical order."""
    writer.clear()
    writer.array(4)
    writer.integer(pack.VERSION)
    writer.integer(ident)
    writer.integer(status)
    write_value(writer, detail)


def write_value(writer, value):
    """Write what a reply may say. Raises PackError."""
    if value is None:
        writer.null()
    elif isinstance(value, (bool, int)):
        writer.integer(int(value))
    elif isinstance(value, str):
        writer.text(value)
    elif isinstance(value, (list, tuple)):
        writer.array(len(value))
        for item in value:
            write_value(writer, item)
    elif isinstance(value, dict):
        writer.map(len(value))
        for key in sorted(value, key=_canonical):
            writer.text(key)
            write_value(writer, value[key])
    else:
        raise PackError("a reply cannot say a %s" % type(value).__name__)


def _canonical(key):
    raw = key.encode()
    return len(raw), raw


def fits(detail):
    """Whether a reply can say this."""
    try:
        write_reply(pack.Writer(MOST_BYTES), _LARGEST, DONE, detail)
    except PackError:
        return False
    return True
