"""What a folder of segments holds: read once, at the start. What a power cut tore is cut off or removed."""

import os

from micropython import const

from cityneuron.files import remove
from cityneuron.segments import head_of, intact, record_bytes

_HEAD_BYTES = const(28)  # with their checksum


def scan(folder, most, page, log):
    """Yield (number, head, intact readings, damaged ones, whether its end is whole) of the newest segments.

    At most `most` of them; `page` is a buffer for a reading at least. A segment without a reading is removed.
    """
    numbers = sorted(number for number in map(_number, os.listdir(folder)) if number is not None)
    for number in numbers:
        path = "%s/%08x.seg" % (folder, number)
        size = os.stat(path)[6]
        if numbers[-1] - number >= most or not size:  # too old; begun, and never written: the power went
            remove(path)
            if not size:
                yield number, None, 0, 0, False
            continue
        head, rows, damaged = _load(path, size, page)
        if not rows:
            log("segment %d is damaged: removed" % number)
            remove(path)
            yield number, None, 0, damaged + 1, False
        else:
            yield number, head, rows, damaged, size == _HEAD_BYTES + rows * record_bytes(head[3])


def _load(path, size, page):
    """Return the head of a segment and how many readings are intact; what follows the last of them is torn."""
    damaged = 0
    with open(path, "rb") as file:
        raw = file.read(_HEAD_BYTES)
        head = head_of(raw) if len(raw) == _HEAD_BYTES else None
        if head is None:
            return None, 0, 0
        record = page[: record_bytes(head[3])]
        rows = (size - _HEAD_BYTES) // len(record)
        while rows:
            file.seek(_HEAD_BYTES + (rows - 1) * len(record))
            file.readinto(record)
            if intact(record, head[1] + rows - 1):
                break
            rows -= 1
            damaged += 1
    return head, rows, damaged


def _number(name):
    try:
        return int(name[:8], 16) if name[8:] == ".seg" else None
    except ValueError:
        return None
