"""The hot path: a clean reading becomes its line in one compiled function a schema.

Nearly every reading has all its values, each an integer within its range, and a trusted clock. For those a
function is generated once a schema; whatever else comes, it returns None and intake.py looks closer. What is
compiled is our own text: names come from the catalogue, tags are escaped and passed in, never pasted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, floor
from typing import Any

from edge.model.quantities import QUANTITIES
from edge.protocol.series import escape_key
from edge.protocol.wire import MAX_VALUE, Column

Clean = Callable[[Any, str, int, int, int], str | None]
"""(row, head, t0_ms, earliest_ms, latest_ms) -> line or None; other shapes raise TypeError or ValueError.

`head` is what the lines of a node begin with.
"""


@lru_cache(maxsize=4096)
def compile_clean(columns: tuple[Column, ...]) -> Clean:
    """Return the function for readings with these columns: one for all nodes of a schema."""
    names = [f"v{index}" for index in range(len(columns))]
    checks, fields = [], []
    for name, column in zip(names, columns, strict=True):
        scale = 10**column.decimals
        row = QUANTITIES[column.quantity]
        low, high = max(ceil(row.low * scale), 1 - MAX_VALUE), min(floor(row.high * scale), MAX_VALUE - 1)
        checks.append(f"type({name}) is int and {low} <= {name} <= {high}")
        fields.append(f"{escape_key(column.quantity)}={{{name} / {scale}!r}}")
    source = (
        "def clean(row, head, t0_ms, earliest_ms, latest_ms):\n"
        f"    dt_ms, {', '.join(names)} = row\n"
        f"    if type(dt_ms) is int and {' and '.join(checks)}:\n"
        "        t_ms = t0_ms + dt_ms\n"
        "        if earliest_ms <= t_ms <= latest_ms:\n"
        f"            return f'{{head}} {','.join(fields)} {{t_ms}}000000'\n"
        "    return None\n"
    )
    space: dict[str, Any] = {}
    exec(source, space)
    found: Clean = space["clean"]
    return found
