"""The boot number: higher at each start, and no other start's, also where a disk forgets or was copied."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from edge.protocol.wire import BOOT_STEP

log = logging.getLogger(__name__)

_COUNT_DIGITS = 11  # what is longer is no count of ours


def next_boot(path: Path) -> int:
    """Count this start on disk and return its number.

    The count stands in two files that are written in turn: a torn write leaves the start before. The random
    part keeps apart two starts that had to take one count, and two devices that run from copies of one disk.
    """
    files = (path, path.with_name(f"{path.name}.2"))
    counts = [_count(file) for file in files]
    start = max(counts) + 1
    try:
        _write(files[counts.index(min(counts))], f"{start}\n")
    except OSError as error:
        log.warning("start %d could not be counted on disk: %s", start, error)
    return start * BOOT_STEP + secrets.randbelow(BOOT_STEP)


def start_of(boot: int) -> int:
    """Return which start a boot is; 1 is the first."""
    return boot // BOOT_STEP


def _count(file: Path) -> int:
    try:
        text = file.read_bytes().strip()
    except FileNotFoundError:
        return 0
    except OSError as error:
        log.warning("%s cannot be read: %s", file, error)
        return 0
    if text.isdigit() and len(text) <= _COUNT_DIGITS:
        return int(text)
    log.warning("%s holds no count of starts", file)
    return 0


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
