"""The hot path: unremarkable readings become their lines in one compiled function a schema.

Nearly every reading has all its values, each an integer within its range and near the one before, and a trusted
clock. For those, functions are generated once a schema and its limits; they stop at the first reading that is
anything else, and intake.py looks closer. A reading that passes here passes there, with the same line. What is
compiled is our own text: names come from the catalogue, tags are escaped and passed in, never pasted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, floor
from typing import Any

from edge.model.quality import Flag
from edge.model.quantities import Form
from edge.protocol.series import escape_key
from edge.protocol.wire import MAX_VALUE, Column
from edge.quality import Limits, Profile
from edge.quality.track import alone

EARLIEST_MS = 1_262_304_000_000  # 2010-01-01: clocks without a battery wake in 1970 or 2000

Clean = Callable[..., int]
"""(rows, at, end, head, t0_ms, latest_ms, checks, lines, seen) -> the place of the first row that it left.

Lines are appended to `lines`, and to `seen`, unless it is None, (t_ms, values, flags, late). `steady` takes
readings in their order, and moves the checks on, which must be calm; `late` takes readings sensed before the
newest one that the checks know.
"""


@lru_cache(maxsize=4096)
def compile_clean(columns: tuple[Column, ...], under: Profile) -> tuple[Clean, Clean]:
    """Return (steady, late) for readings with these columns: one pair for all nodes of a schema and limits."""
    space: dict[str, Any] = {"PASSES": [Flag.PASS] * len(columns)}
    exec(_source("steady", columns, under) + _source("late", columns, under), space)
    return space["steady"], space["late"]


def _source(name: str, columns: tuple[Column, ...], under: Profile) -> str:
    steady = name == "steady"
    places = range(len(columns))
    if not all(_is_plain(limit) for limit in under.limits):
        return f"def {name}(rows, at, end, head, t0_ms, latest_ms, checks, lines, seen):\n    return at\n"
    bounds = [_bounds(column, limit) for column, limit in zip(columns, under.limits, strict=True)]
    if steady:
        timely = f"{under.nearest_ms} <= t_ms - newest_ms <= {_number(under.gap_ms)} and t_ms < latest_ms"
    else:
        timely = f"{EARLIEST_MS} <= t_ms <= newest_ms"
    checks = [f"type(v{i}) is int and {bounds[i][0]} <= v{i} <= {bounds[i][1]}" for i in places]
    checks += [
        f"v{i} not in {excluded}" for i in places if (excluded := _excluded(columns[i], under.limits[i]))
    ]
    far = [
        f"{0.0 if under.limits[i].form is Form.COUNTER else -step!r} <= x{i} - p{i} <= {_number(step)}"
        for i, step in enumerate(under.steps)
        if steady
        and (
            under.limits[i].form is Form.COUNTER
            or step * 10 ** columns[i].decimals < bounds[i][1] - bounds[i][0]
        )
    ]
    crossed = [f"not ({pair.contradiction.format(f'x{pair.left}', f'x{pair.right}')})" for pair in under.pairs]
    fields = ",".join(f"{escape_key(columns[i].quantity)}={{x{i}}}" for i in places)
    values = "".join(f"x{i}, " for i in places)
    shown = "last" if steady else f"({values})"
    text = [
        f"def {name}(rows, at, end, head, t0_ms, latest_ms, checks, lines, seen):",
        "    first, newest_ms = at, checks.t_ms",
        "    last, prior, since_ms = checks.last, checks.prior, checks.since_ms" if steady else "",
        "    try:",
        "        while at < end:",
        f"            dt_ms, {''.join(f'v{i}, ' for i in places)} = rows[at]",
        f"            if not (type(dt_ms) is int and {' and '.join(checks)}):",
        "                break",
        "            t_ms = t0_ms + dt_ms",
        *(f"            x{i} = v{i} / {10 ** columns[i].decimals}" for i in places),
        f"            {''.join(f'p{i}, ' for i in places)} = last" if steady else "",
        f"            if not ({' and '.join([timely, *far, *crossed])}):",
        "                break",
        f"            lines.append(f'{{head}} {fields} {{t_ms}}000000')",
        *(f"            if x{i} != p{i}: since_ms[{i}] = t_ms" for i in places if steady),
        f"            prior, last, newest_ms = last, ({values}), t_ms" if steady else "",
        f"            if seen is not None: seen.append((t_ms, {shown}, PASSES, {not steady}))",
        "            at += 1",
        "    except (TypeError, ValueError):",
        "        pass",
        "    if at > first:" if steady else "",
        "        checks.t_ms, checks.last, checks.prior = newest_ms, last, prior" if steady else "",
        "    return at",
    ]
    return "\n".join(line for line in text if line) + "\n"


def _is_plain(limits: Limits) -> bool:
    """Tell whether a value in range and near the one before needs no closer look."""
    return not limits.calibration and limits.flat_tolerance == 0


def _bounds(column: Column, limits: Limits) -> tuple[int, int]:
    """Return the lowest and the highest integer on the wire that no test of single values looks up at."""
    scale = 10**column.decimals
    low, high = max(limits.fail_low, limits.suspect_low), min(limits.fail_high, limits.suspect_high)
    if limits.saturated_low is not None:
        low = max(low, limits.saturated_low)
    if limits.saturated_high is not None:
        high = min(high, limits.saturated_high)
    lowest = ceil(max(low * scale, 1 - MAX_VALUE)) - 1
    highest = floor(min(high * scale, MAX_VALUE - 1)) + 1
    while lowest <= highest and _is_remarkable(lowest / scale, limits):
        lowest += 1
    while lowest <= highest and _is_remarkable(highest / scale, limits):
        highest -= 1
    return lowest, highest


def _is_remarkable(value: float, limits: Limits) -> bool:
    return value not in limits.sentinels and alone(value, limits) != 0


def _excluded(column: Column, limits: Limits) -> tuple[int, ...]:
    """Return the integers within bounds that stand for no value."""
    scale = 10**column.decimals
    low, high = _bounds(column, limits)
    found = {round(value * scale) for value in limits.sentinels}
    return tuple(sorted(each for each in found if low <= each <= high and each / scale in limits.sentinels))


def _number(value: float) -> str:
    """Return a limit as it stands in source; infinity is farther than any time."""
    return repr(2**63) if value == float("inf") else repr(value)
