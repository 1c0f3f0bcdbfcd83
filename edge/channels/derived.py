"""What a derived number is called: `12 小时累计雨量`, `10 min mean wind speed`. Pure."""

from __future__ import annotations

from edge.channels.words import duration, label
from edge.model.quantities import QUANTITIES
from edge.rules.rule import Rule


def derived_name(rule: Rule, zh: bool) -> str:
    """Return the name of what a rule watches, or "" where it is a plain quantity or nothing is known."""
    derive = rule.derive
    if derive is None or derive.form == "forecast":  # a forecast is told by the stage itself, and its note
        return ""
    if derive.form == "aqi":
        return "空气质量指数" if zh else "air quality index"
    if derive.form == "leq":
        when = {"day": ("昼间", "daytime "), "night": ("夜间", "night ")}.get(derive.other, ("", ""))
        return f"{when[0]}等效声级" if zh else f"{when[1]}Leq"
    row = QUANTITIES.get(rule.quantity)
    if row is None:
        return ""
    name, span = label(row, zh), duration(derive.over_ms, zh)
    if derive.form == "mean":
        return f"{span}平均{name}" if zh else f"{span} mean {name}"
    if derive.form == "sum":
        return f"{span}累计{name}" if zh else f"{span} {name}"
    if derive.form == "rate":
        rising = row.unit == "m" and not rule.below
        speed = "上涨速度" if rising else "变化速度"
        return f"{name}{speed}" if zh else f"{'rise' if rising else 'change'} of {name}"
    if derive.form == "energy":
        return f"单次{name}" if zh else f"{name} of one run"
    if derive.form == "difference":
        node, _, quantity = derive.other.rpartition("/")
        other = label(QUANTITIES[quantity], zh) if quantity in QUANTITIES else quantity
        whose = f"{node} " if node else ""
        return f"{name}与{whose}{other}之差" if zh else f"{name} minus {whose}{other}"
    return ""
