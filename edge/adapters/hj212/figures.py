"""Quantities of the catalogue as the factors of a report, split into packets where they are many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge.adapters.hj212.factors import CODES
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

_MOST_CP = 950  # bytes of CP in one packet
_MARKS = {Flag.PASS: "N", Flag.NOT_EVALUATED: "N", Flag.SUSPECT: "D", Flag.FAIL: "D", Flag.MISSING: "B"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What is reported of one quantity: suffix (Rtd; Min, Avg, Max, Cou) -> value in the catalogue's unit."""

    values: Mapping[str, float]
    flag: Flag = Flag.PASS


def parts(time: str, figures: Mapping[str, Figure]) -> list[str]:
    """Return the CP of each packet of a report, every one with its DataTime.

    KeyError for a quantity that has no code.
    """
    found, size = [time], len(time)
    packets = [found]
    for item in (_item(name, figure) for name, figure in figures.items()):
        if size + 1 + len(item) > _MOST_CP and len(found) > 1:
            found, size = [time], len(time)
            packets.append(found)
        found.append(item)
        size += 1 + len(item)
    return [";".join(items) for items in packets]


def _item(name: str, figure: Figure) -> str:
    return ",".join(_pairs(name, figure))


def _pairs(name: str, figure: Figure) -> Iterator[str]:
    code, factor = CODES[name]
    decimals = QUANTITIES[name].decimals + (factor > 1)
    for suffix, value in figure.values.items():
        yield f"{code}-{suffix}={_plain(value / factor, decimals)}"
    yield f"{code}-Flag={_MARKS[figure.flag]}"


def _plain(value: float, decimals: int) -> str:
    """Return the value without an exponent and without digits that say nothing."""
    digits = f"{value:.{decimals}f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits == "-0" else digits
