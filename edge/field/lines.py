"""Lists that grow beside a file, a JSON object a line: on disk before anybody relies on a line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.model.errors import ConfigError


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a list, none if it is not there. Raises ConfigError for one that is damaged.

    A line that breaks off is no such: the power went while it was written, and nobody has relied on it.
    """
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.endswith("}"):
            continue
        try:
            found.append(dict(json.loads(line)))
        except ValueError:
            raise ConfigError(
                f"{path}, line {number}: it is damaged", remedy="correct it, or bring the list back from a copy"
            ) from None
    return found


def add_line(path: Path, row: Mapping[str, object]) -> None:
    """Write a line to the end of a list; it is on disk when this returns."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")  # the last one broke off
        file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
