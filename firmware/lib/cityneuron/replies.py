"""Answers to commands as bytes: `[1, id, status, detail]`. Borrowed while one is written."""

from micropython import const

from cityneuron import pack
from cityneuron.commands import DONE
from cityneuron.errors import PackError

MOST_BYTES = const(960)
_LARGEST = const(1 << 53)


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
