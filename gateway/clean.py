"""The hot path: unremarkable readings become their lines in one compiled function a schema.

Nearly every reading has all its values, each an integer within its range and near the one before, and a trusted
clock. For those, functions are generated once a schema and its limits; they stop at the first reading that is
anything else, and intake.py looks closer. A reading that passes here passes there, with the same line. What is
compiled is our own text: names come from the catalogue, tags are escaped and passed in, never pasted.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, MutableSequence, Sequence
from functools import lru_cache
from math import inf, nextafter
from typing import Any

from edge.model.quality import EARLIEST_MS, Flag
from edge.model.quantities import Form
from edge.protocol.series import escape_key
from edge.protocol.wire import MAX_VALUE, Column
from edge.quality import Limits, Profile

MOST = float(MAX_VALUE - 1)
FAR = 1e300

Clean = Callable[..., int]
"""(rows, at, end, head, t0_ms, latest_ms, checks, lines, seen) -> the place of the first row that it left.

Lines are appended to `lines`, and to `seen`, unless it is None, (t_ms, values, flags, late). `steady` takes
readings in their order, and moves the checks on, which must be calm; `late` takes readings sensed before the
newest one that the checks know.
"""


@lru_cache(maxsize=4096)
def compile_clean(columns: tuple[Column, ...], under: Profile) -> tuple[Clean, Clean]:
    """Return (steady, late) for readings with these columns: one pair for all nodes of a schema and limits."""
    space: dict[str, Any] = {
        "PASSES": [Flag.PASS] * len(columns),
        "rest": _rest,
        "array": array,
        "NOWHERE": (inf, -inf) * len(columns),
    }
    exec(_source("steady", columns, under) + _source("late", columns, under), space)
    return space["steady"], space["late"]


def _source(name: str, columns: tuple[Column, ...], under: Profile) -> str:
    """Return the text of a function.

    What was near the last value is near all that was: each value has a window, and values within it need no
    look at those before. A value that leaves its window is held against the last one, and the window follows.
    """
    head = f"def {name}(rows, at, end, head, t0_ms, latest_ms, checks, lines, seen):\n"
    if not all(_is_plain(limit) for limit in under.limits):
        return f"{head}    return at\n"
    steady, places = name == "steady", range(len(columns))
    bounds = [_bounds(limit) for limit in under.limits]
    narrow = [i for i in places if steady and _is_narrow(bounds[i], under.limits[i], under.steps[i])]
    edges = [(f"l{i}", f"h{i}") if i in narrow else tuple(map(_number, bounds[i])) for i in places]
    inside = " and ".join(f"{low} <= x{i} <= {high}" for i, (low, high) in enumerate(edges))
    others = [
        f"x{i} not in {limit.sentinels!r}"
        for i, limit in enumerate(under.limits)
        if _has_sentinels(bounds[i], limit)
    ]
    counters = [i for i in places if steady and under.limits[i].form is Form.COUNTER]
    others += [f"c{i} <= x{i}" for i in counters]
    crossed = [f"not ({pair.contradiction.format(f'x{pair.left}', f'x{pair.right}')})" for pair in under.pairs]
    if steady:
        timely = "soonest < t_ms - newest_ms <= latest and t_ms < latest_ms"
    else:
        timely = f"{EARLIEST_MS} <= t_ms <= newest_ms"
    of_row = "".join(f"row[{i + 1}] / {10 ** columns[i].decimals}, " for i in places)
    values = "".join(f"x{i}, " for i in places)
    window = "".join(f"l{i}, h{i}, " for i in narrow)
    fields = ",".join(f"{escape_key(columns[i].quantity)}={{x{i}}}" for i in places)
    text = [
        "    first, newest_ms = at, checks.t_ms",
        "    last, (soonest, latest) = checks.last, checks.spacing" if steady else "",
        f"    {window} = checks.window or NOWHERE[:{2 * len(narrow)}]" if narrow else "",
        *(f"    c{i} = last[{i}]" for i in counters),
        "    try:",
        "        for row in rows[at:end] if at or end < len(rows) else rows:",
        f"            dt_ms, {''.join(f'v{i}, ' for i in places)} = row",
        f"            if not (type(dt_ms) is int{''.join(f' and type(v{i}) is int' for i in places)}):",
        "                break",
        "            t_ms = t0_ms + dt_ms",
        *(f"            x{i} = v{i} / {10 ** columns[i].decimals}" for i in places),
        f"            if not ({' and '.join([timely, *others, *crossed])}):",
        "                break",
        f"            if not ({inside}):",
        "                if at > first: row = rows[at - 1]" if narrow else "",
        *(_follow(bounds, narrow, under, of_row) if narrow else ["                break"]),
        f"            lines.append(f'{{head}} {fields} {{t_ms}}000000')",
        "            newest_ms = t_ms" if steady else "",
        *(f"            c{i} = x{i}" for i in counters),
        f"            if seen is not None: seen.append((t_ms, ({values}), PASSES, {not steady}))",
        "            at += 1",
        "    except (TypeError, ValueError, OverflowError):",
        "        pass",
        *(_moved_on(under, of_row) if steady else []),
        "    return at",
    ]
    return head + "\n".join(line for line in text if line) + "\n"


def _moved_on(under: Profile, of_row: str) -> list[str]:
    """Return the lines that give the checks what was taken: the last values, those before, and since when."""
    places = range(len(under.limits))
    xs = "".join(f"x{i}, " for i in places)
    return [
        "    if at > first:",
        "        since_ms = checks.since_ms",
        "        if at < end:",
        "            row = rows[at - 1]",
        f"            values = {xs} = ({of_row})",
        "        else:",
        f"            values = ({xs})",
        "        if at - first == 1:",
        f"            {''.join(f'p{i}, ' for i in places)} = last",
        *(f"            if x{i} != p{i}: since_ms[{i}] = newest_ms" for i in places),
        "            checks.prior = last",
        "        else:",
        "            rest(since_ms, last, values, rows, first, at, t0_ms)",
        "            row = rows[at - 2]",
        f"            checks.prior = array('d', ({of_row}))",
        "        checks.t_ms, checks.last = newest_ms, array('d', values)",
    ]


def _follow(bounds: list[tuple[float, float]], narrow: list[int], under: Profile, of_row: str) -> list[str]:
    """Return the lines that hold values against the last ones, and move the windows to them."""
    places = range(len(bounds))
    near = [f"{_number(bounds[i][0])} <= x{i} <= {_number(bounds[i][1])}" for i in places]
    lines = []
    for i in narrow:
        step, is_counter = under.steps[i], under.limits[i].form is Form.COUNTER
        near.append(f"{0.0 if is_counter else _number(-step)} <= x{i} - p{i} <= {_number(step)}")
        low, high = ("0.0", _number(step)) if is_counter else (_number(step / 2), _number(step / 2))
        lines.append(
            f"                l{i}, h{i} = max({_number(bounds[i][0])}, x{i} - {low}), "
            f"min({_number(bounds[i][1])}, x{i} + {high})"
        )
    window = "".join(f"l{i}, h{i}, " for i in narrow)
    return [
        f"                {''.join(f'p{i}, ' for i in places)} = ({of_row}) if at > first else last",
        f"                if not ({' and '.join(near)}):",
        "                    break",
        *lines,
        f"                checks.window = array('d', ({window}))",
    ]


def _rest(
    since_ms: MutableSequence[int],
    before: Sequence[float],
    last: Sequence[float],
    rows: Sequence[Any],
    first: int,
    end: int,
    t0_ms: int,
) -> None:
    """Note since when each quantity is at its last value, which it may have been at before these rows."""
    newest = rows[end - 1]
    for index, value in enumerate(last):
        place, number = end - 1, newest[index + 1]
        while place > first and rows[place - 1][index + 1] == number:
            place -= 1
        if place > first or value != before[index]:
            since_ms[index] = t0_ms + rows[place][0]


def _is_plain(limits: Limits) -> bool:
    """Tell whether a value in range and near the one before needs no closer look."""
    return not limits.calibration and limits.flat_tolerance == 0


def _bounds(limits: Limits) -> tuple[float, float]:
    """Return the lowest and the highest value that no test of single values looks up at."""
    low, high = max(limits.fail_low, limits.suspect_low), min(limits.fail_high, limits.suspect_high)
    if limits.saturated_low is not None and limits.saturated_low >= low:
        low = nextafter(limits.saturated_low, inf)
    if limits.saturated_high is not None and limits.saturated_high <= high:
        high = nextafter(limits.saturated_high, -inf)
    return max(low, -MOST), min(high, MOST)


def _has_sentinels(bounds: tuple[float, float], limits: Limits) -> bool:
    """Tell whether a number within bounds stands for no value."""
    return any(bounds[0] <= value <= bounds[1] for value in limits.sentinels)


def _is_narrow(bounds: tuple[float, float], limits: Limits, step: float) -> bool:
    """Tell whether a value in range may still be far from the one before."""
    return limits.form is Form.COUNTER or step < bounds[1] - bounds[0]


def _number(value: float) -> str:
    """Return a limit as it stands in source; infinity is farther than anything."""
    return repr(max(-FAR, min(FAR, value)))
