"""What a value passed, how far the next stage is, and when it will be reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from edge.channels.words import STAGES, amount, duration, pick
from edge.model.quantities import QUANTITIES

_DAY_MIN = 1440.0


def passed(
    value: float, limit: float, quantity: str, unit: str, stages: Mapping[str, float], rising: bool, zh: bool
) -> str:
    """Return `超保证水位 3.00 m`: the limit by its name, if it is a stage, and how the value lies to it."""
    named = {at: STAGES[key] for key, at in stages.items() if key in STAGES}
    gap = _to_the_next(value, quantity, named, zh) if rising and limit not in named else ""
    if gap and limit < min(named):
        return gap  # a limit set before the first stage means that stage
    shown = amount(limit, quantity, unit, zh=zh, exact=True)
    name = pick(named.get(limit, ("限值", "the limit")), zh)
    over, under = (("超", "over") if rising else ("低于", "under")), value < limit if rising else value > limit
    if under:  # it has turned, yet not far enough to be over
        return f"曾{over[0]}{name} {shown}" if zh else f"was {over[1]} {name} of {shown}"
    if value == limit:
        return f"达到{name} {shown}" if zh else f"at {name} of {shown}"
    said = f"{over[0]}{name} {shown}" if zh else f"{over[1]} {name} of {shown}"
    return f"{said}{pick(('，', ', '), zh)}{gap}" if gap else said


def forecast(note: Mapping[str, float], stages: Mapping[str, float], zh: bool) -> str:
    """Return when which stage will be reached, with the band within which that is likely."""
    stage = note.get("stage_m")
    named = {at: STAGES[key] for key, at in stages.items() if key in STAGES}
    name = pick(named.get(stage if stage is not None else -1e9, ("警戒线", "the stage")), zh)
    at = f" {stage:.2f} m" if stage is not None else ""
    span = duration(note["reaches_min"] * 60_000, zh)
    band = ""
    if "earliest_min" in note and note.get("latest_min", _DAY_MIN) < _DAY_MIN:
        first, last = (duration(note[key] * 60_000, zh) for key in ("earliest_min", "latest_min"))
        band = f"（{first}至 {last}）" if zh else f" ({first} to {last})"
    if zh:
        return f"预计 {span}后{band}达{name}{at}"
    return f"expected to reach {name}{' of' if at else ''}{at} in {span}{band}"


def pollutant(note: Mapping[str, float], zh: bool) -> str:
    """Return the pollutant that decides an air quality index (HJ 633: 首要污染物), "" if none is named."""
    found = next(((name, mean) for name, mean in note.items() if name in QUANTITIES), None)
    if found is None:
        return ""
    row = QUANTITIES[found[0]]
    shown = amount(found[1], row.name, zh=zh)
    return f"首要污染物 {row.label_zh} {shown}" if zh else f"mostly {row.label_en} at {shown}"


def _to_the_next(value: float, quantity: str, named: Mapping[float, tuple[str, str]], zh: bool) -> str:
    row = QUANTITIES.get(quantity)
    above = [at for at in named if at > value]
    if row is None or row.unit != "m" or not above:
        return ""
    at = min(above)
    gap = max(1, round((at - value) * 100))
    size = f"{gap} cm" if gap < 100 else f"{at - value:.2f} m"
    name = pick(named[at], zh)
    return f"距{name} {at:.2f} m 还差 {size}" if zh else f"{size} below {name} of {at:.2f} m"
