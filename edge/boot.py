"""The boot number: higher at each start than ever before, and on disk before anybody hears of it."""

from __future__ import annotations

import os
from pathlib import Path

from edge.model.errors import ConfigError


def next_boot(path: Path) -> int:
    """Return the number of this start, one above the last, once it is on disk. Raises ConfigError."""
    try:
        last = int(path.read_text(encoding="ascii")) if path.exists() else 0
    except ValueError:
        raise ConfigError(
            f"{path} holds no boot number", remedy="write the last boot's number into it"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    with draft.open("w", encoding="ascii") as file:
        file.write(f"{last + 1}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return last + 1
