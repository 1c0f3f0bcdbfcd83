"""The errors of a node on flash: a ring file of 256-byte records, a JSON object each. Borrowed."""

import json

from micropython import const

from cityneuron.files import make_folders

_RECORD_BYTES = const(256)


def rows(path, places):
    """Yield (number, row) of all records that make sense."""
    make_folders(path)
    try:
        with open(path, "rb") as file:
            for _ in range(places):
                row = _row(file.read(_RECORD_BYTES))
                if row:
                    yield row["n"], row
    except OSError:
        pass  # none yet


def last(path, count, most, places):
    """Return the newest `most` of `count` errors, the newest first, as {"stage", "text", "remedy", "ms"}."""
    found = []  # type: list[dict]
    try:
        with open(path, "rb") as file:
            for number in range(count - 1, max(count - places, 0) - 1, -1):
                if len(found) >= most:
                    break
                file.seek(number % places * _RECORD_BYTES)
                row = _row(file.read(_RECORD_BYTES))
                if row and row.pop("n") == number:
                    found.append(row)
    except OSError:
        pass  # none yet
    return found


def write(path, place, row):
    """Write a row over the one in its place. Raises OSError."""
    raw = json.dumps(row).encode()
    while len(raw) >= _RECORD_BYTES:  # many bytes a character
        longest = "text" if len(row["text"]) > len(row["remedy"]) else "remedy"
        row[longest] = row[longest][: len(row[longest]) // 2]
        raw = json.dumps(row).encode()
    try:
        file = open(path, "r+b")
    except OSError:
        file = open(path, "wb")
    with file:
        end = file.seek(0, 2)
        while end < place * _RECORD_BYTES:  # the file was lost meanwhile
            end += file.write(b" " * (_RECORD_BYTES - 1) + b"\n")
        file.seek(place * _RECORD_BYTES)
        file.write(raw + b" " * (_RECORD_BYTES - 1 - len(raw)) + b"\n")


def _row(raw):
    """Return what a record holds; None of an empty or torn one."""
    try:
        row = json.loads(raw)
    except ValueError:
        return None
    whole = type(row) is dict and all(name in row for name in ("n", "ms", "stage", "text", "remedy"))
    return row if whole and type(row["n"]) is int else None
