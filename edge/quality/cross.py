"""Checks between the quantities of one reading: what cannot be true of both at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from edge.model.errors import ConfigError
from edge.quality.limits import Limits
from edge.quality.marks import suspect

LAMP_DRAWS_AT_LEAST_W = 3.0
"""A lit LED lamp at its lowest dimming draws more; a controller alone draws less (1 W)."""
ICE_BELOW_C = 0.1
"""Water at its freezing point: ice at the gauge lifts the stage (ISO 18365, stage records under ice)."""


@dataclass(frozen=True, slots=True)
class Cross:
    """A check: it doubts the quantities at `doubted` when `left` and `right` contradict one another.

    `contradiction` is Python over the two values `{0}` and `{1}`, so that a gateway can compile it into its own
    function; it is text of this file, never a user's.
    """

    test: str
    left: str
    right: str
    contradiction: str
    doubts_left: bool = True
    doubts_right: bool = True


CROSSES = (
    Cross("cross_lamp", "lamp_on", "power_w", f"{{0}} >= 1 and {{1}} < {LAMP_DRAWS_AT_LEAST_W!r}"),
    Cross("cross_ice", "level_m", "water_temperature_c", f"{{1}} <= {ICE_BELOW_C!r}", doubts_right=False),
)
TOTAL = "{0} > {1}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A check as it applies to a reading: the indexes of its two quantities, and the marks that it gives."""

    left: int
    right: int
    contradiction: str
    marks_left: int
    marks_right: int

    def holds(self, left: float, right: float) -> bool:
        """Tell whether the two values contradict one another."""
        return _test(self.contradiction)(left, right)


_compiled: dict[str, Callable[[float, float], bool]] = {}


def _test(contradiction: str) -> Callable[[float, float], bool]:
    found = _compiled.get(contradiction)
    if found is None:
        found = _compiled[contradiction] = eval(f"lambda a, b: {contradiction.format('a', 'b')}")
    return found


def pairs(quantities: Sequence[str], limits: Sequence[Limits]) -> tuple[Pair, ...]:
    """Return the checks that apply to readings of these quantities."""
    place = {name: index for index, name in enumerate(quantities)}
    rows = [*CROSSES]
    for name, limit in zip(quantities, limits, strict=True):
        if limit.at_most is not None:
            if limit.at_most == name:
                raise ConfigError(
                    f"{name}: at_most names itself", remedy="name the quantity that it is a part of"
                )
            rows.append(Cross("cross_total", name, limit.at_most, TOTAL))
    return tuple(
        Pair(
            place[row.left],
            place[row.right],
            row.contradiction,
            suspect(row.test) if row.doubts_left else 0,
            suspect(row.test) if row.doubts_right else 0,
        )
        for row in rows
        if row.left in place and row.right in place
    )


def cross_marks(
    found: Sequence[Pair], values: Sequence[float | None], usable: Sequence[bool]
) -> Mapping[int, int]:
    """Return what the checks add to the marks of a reading's values, by index; unusable values take no part."""
    added: dict[int, int] = {}
    for pair in found:
        left, right = values[pair.left], values[pair.right]
        if left is None or right is None or not (usable[pair.left] and usable[pair.right]):
            continue
        if isfinite(left) and isfinite(right) and pair.holds(left, right):
            for index, marks in ((pair.left, pair.marks_left), (pair.right, pair.marks_right)):
                if marks:
                    added[index] = added.get(index, 0) | marks
    return added
