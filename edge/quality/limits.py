"""What a value is measured against: limits of a quantity from the catalogue, and what a user says otherwise.

A user's file has [quality.<quantity>] for all nodes and [node."<id>".<quantity>] for one; a quantity that is
not in the catalogue may be defined there. `false` switches a test off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Any

from edge.model.errors import ConfigError
from edge.model.quantities import QUANTITIES, Form
from edge.quality.calibration import Calibration

NO_VALUE = -9999.0
"""What most loggers write for "no value": never taken for one, in any quantity."""
SENTINELS = (NO_VALUE, -999.0, 7999.0)
"""Numbers that loggers write for "no value" or "out of range". But for NO_VALUE they count only where the
sensor cannot report them: a meter may well stand at 7999 Wh. Others, and those within range, are the user's to
name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of one quantity at one node, in its unit; None: the test is not done.

    fail_low, fail_high: what the sensor can report; suspect_low, suspect_high: what is to be expected here.
    spike, spike_fail: how far a value may stand off its two neighbours. rate_per_s, rate_fail_per_s: fastest
    change. excursion: whether values stay doubted after too fast a change, until that rate could have led
    there. flat_after_s, flat_fail_after_s: unchanged (within flat_tolerance, exclusive) for so long. gap_s:
    longest time between readings. warm_up_s: how long the sensor is not to be trusted after a start;
    off_after_s: a gap as long as this is a start. saturated_low, saturated_high: the ends of the sensor's
    scale. roll_over: the number at which a counter begins anew.
    """

    fail_low: float = -inf
    fail_high: float = inf
    suspect_low: float = -inf
    suspect_high: float = inf
    spike: float | None = None
    spike_fail: float | None = None
    spike_method: str = "average"
    rate_per_s: float | None = None
    rate_fail_per_s: float | None = None
    excursion: bool = True
    flat_after_s: float | None = None
    flat_fail_after_s: float | None = None
    flat_tolerance: float = 0.0
    gap_s: float | None = None
    warm_up_s: float = 0.0
    off_after_s: float | None = None
    sentinels: tuple[float, ...] = (NO_VALUE,)
    saturated_low: float | None = None
    saturated_high: float | None = None
    roll_over: float | None = None
    form: Form = Form.GAUGE
    at_most: str | None = None
    calibration: tuple[Calibration, ...] = ()


@dataclass(frozen=True, slots=True)
class Overrides:
    """What users say beside the catalogue: limits of quantities, and of quantities at single nodes."""

    quantities: Mapping[str, Mapping[str, Any]]
    nodes: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def limits(self, quantity: str, node: str | None = None) -> Limits | None:
        """Return the limits of a quantity at a node; None where nobody knows the quantity."""
        said = [self.quantities.get(quantity), self.nodes.get(node or "", {}).get(quantity)]
        if quantity not in QUANTITIES and not any(row is not None for row in said):
            return None
        found = _of_catalogue(quantity)
        for row in said:
            if row:
                found = replace(found, **row)
        return found


NO_OVERRIDES = Overrides({}, {})


def load_limits(table: Mapping[str, Any], where: str) -> Overrides:
    """Read [quality.<quantity>] and [node."<id>".<quantity>]; a mistake raises ConfigError with its place."""
    for key in table:
        if key not in ("quality", "node"):
            raise ConfigError(f"{where}: unknown table {key!r}", remedy="known: quality, node")
    quantities = {
        name: _read(row, f"{where}: [quality.{name}]")
        for name, row in _tables(table.get("quality", {}), f"{where}: [quality]")
    }
    nodes = {
        node: {
            name: _read(row, f'{where}: [node."{node}".{name}]')
            for name, row in _tables(rows, f'{where}: [node."{node}"]')
        }
        for node, rows in _tables(table.get("node", {}), f"{where}: [node]")
    }
    found = Overrides(quantities, nodes)
    for node, rows in [("", quantities), *nodes.items()]:
        for name in rows:
            _check(found.limits(name, node), f"{where}: {name}" + (f" of {node}" if node else ""))
    return found


def _of_catalogue(quantity: str) -> Limits:
    row = QUANTITIES.get(quantity)
    if row is None:
        return Limits()
    low, high = row.plausible or (-inf, inf)
    return Limits(
        fail_low=row.low,
        fail_high=row.high,
        suspect_low=low,
        suspect_high=high,
        spike=row.spike,
        rate_per_s=row.max_rate_per_s,
        flat_after_s=row.stuck_after_s,
        warm_up_s=row.warm_up_s,
        sentinels=tuple(x for x in SENTINELS if x == NO_VALUE or not row.low <= x <= row.high),
        saturated_high=row.full_scale,
        form=row.form,
        at_most=row.at_most,
    )


def _tables(table: Any, place: str) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is not a table")
    for name, row in table.items():
        if not isinstance(row, Mapping):
            raise ConfigError(f"{place}: {name} is not a table", remedy="write one table a quantity")
    return list(table.items())


_NUMBERS = {
    "spike", "spike_fail", "rate_per_s", "rate_fail_per_s", "flat_after_s", "flat_fail_after_s", "gap_s",
    "off_after_s", "saturated_low", "saturated_high", "roll_over", "flat_tolerance", "warm_up_s",
}  # fmt: skip
_MAY_BE_NEGATIVE = {"saturated_low", "saturated_high"}
_KEYS = ("fail", "suspect", *sorted(_NUMBERS), "spike_method", "excursion", "sentinels", "form", "at_most",
         "calibration")  # fmt: skip


def _read(row: Mapping[str, Any], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in row.items():
        at = f"{place}: {key}"
        if key in ("fail", "suspect"):
            low, high = (-inf, inf) if value is False else _numbers(value, at, 2)
            if not low < high:
                raise ConfigError(f"{at}: {low:g} is not below {high:g}", remedy="write [lowest, highest]")
            found |= {f"{key}_low": low, f"{key}_high": high}
        elif key in _NUMBERS:
            off = 0.0 if key in ("flat_tolerance", "warm_up_s") else None
            found[key] = off if value is False else _number(value, at)
            if key not in _MAY_BE_NEGATIVE and (found[key] or 0) < 0:
                raise ConfigError(f"{at} is negative")
        elif key == "sentinels":
            found[key] = () if value is False else tuple(_numbers(value, at))
        elif key == "spike_method":
            found[key] = _word(value, ("average", "differential"), at)
        elif key == "excursion":
            if not isinstance(value, bool):
                raise ConfigError(f"{at}: {value!r} is neither true nor false")
            found[key] = value
        elif key == "form":
            found[key] = Form(_word(value, tuple(Form), at))
        elif key == "at_most":
            if value is not False and not isinstance(value, str):
                raise ConfigError(f"{at}: {value!r} is not the name of a quantity")
            found[key] = value or None
        elif key == "calibration":
            found[key] = _calibrations(value, at)
        else:
            raise ConfigError(f"{place}: unknown key {key!r}", remedy=f"known: {', '.join(_KEYS)}")
    return found


def _check(limits: Limits | None, place: str) -> None:
    assert limits is not None
    if not limits.fail_low < limits.fail_high:
        raise ConfigError(f"{place}: fail is empty")
    if limits.spike_fail is not None and limits.spike is not None and limits.spike_fail < limits.spike:
        raise ConfigError(f"{place}: spike_fail is below spike")
    if limits.roll_over is not None and limits.form is not Form.COUNTER:
        raise ConfigError(f"{place}: roll_over belongs to a counter", remedy='add form = "counter"')


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ConfigError(
            f"{place}: {value!r} is not a number", remedy="give a number, or false for no such test"
        )
    return float(value)


def _numbers(value: Any, place: str, count: int | None = None) -> list[float]:
    if not isinstance(value, list) or (count is not None and len(value) != count):
        raise ConfigError(f"{place}: {value!r} is not a list of {count or 'numbers'}")
    return [_number(item, place) for item in value]


def _word(value: Any, known: Sequence[str], place: str) -> str:
    if value not in known:
        raise ConfigError(f"{place}: {value!r} is none of {', '.join(map(str, known))}")
    return str(value)


def _calibrations(value: Any, place: str) -> tuple[Calibration, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{place} is not a list", remedy="write [[...calibration]] tables")
    found = []
    for number, row in enumerate(value, 1):
        at = f"{place}, number {number}"
        if not isinstance(row, Mapping):
            raise ConfigError(f"{at} is not a table")
        for key in row:
            if key not in ("from", "offset", "gain", "polynomial"):
                raise ConfigError(f"{at}: unknown key {key!r}", remedy="known: from, offset, gain, polynomial")
        if "polynomial" in row and {"offset", "gain"} & set(row):
            raise ConfigError(f"{at}: give either a polynomial or offset and gain")
        if "polynomial" in row:
            coefficients = tuple(_numbers(row["polynomial"], at))
        else:
            coefficients = (_number(row.get("offset", 0.0), at), _number(row.get("gain", 1.0), at))
        found.append(Calibration(coefficients=coefficients, from_ms=_moment(row.get("from"), at)))
    return tuple(sorted(found, key=lambda each: -inf if each.from_ms is None else each.from_ms))


def _moment(value: Any, place: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{place}: from = {value!r} is no time", remedy="2026-03-01T00:00:00Z") from None
    if not isinstance(value, datetime):
        raise ConfigError(f"{place}: from = {value!r} is no time", remedy="write 2026-03-01T00:00:00Z")
    return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
