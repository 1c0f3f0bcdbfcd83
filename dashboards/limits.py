"""Limits: the rules' thresholds as Grafana draws them, so that a line on a board is the line that alarms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from edge.model.alert import Level
from edge.model.kinds import Kind
from edge.rules.load import load_rules
from edge.rules.rule import Rule, Step

CALM = "green"
_SAME_AXIS = {"mean": "", "leq": "day"}
"""Derived numbers that are read on their quantity's own axis; of two that would cross there, which one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """From `value` on (or below it) the rule is at `level`."""

    value: float
    level: Level
    below: bool
    rule: Rule


@cache
def default_rules() -> dict[str, Rule]:
    """Return the rules that every gateway begins with, by name."""
    return {rule.name: rule for rule in load_rules()}


def limits(kind: Kind, quantity: str) -> tuple[Limit, ...]:
    """Return what a rule holds against a quantity of the kind; stages of single nodes are left out."""
    found = []
    for rule in default_rules().values():
        covered = kind.name in rule.kinds if rule.kinds else kind.name != "gateway"
        if rule.quantity != quantity or not covered or not _is_plain(rule):
            continue
        values = [(step, _value(step)) for step in rule.steps]
        found += [
            Limit(value=value, level=step.level, below=rule.below, rule=rule)
            for step, value in values
            if value is not None
        ]
    return tuple(found)


def steps(found: tuple[Limit, ...]) -> list[dict[str, Any]]:
    """Return Grafana's threshold steps, lowest first: below the lowest limit, calm, above the highest."""
    low = sorted((limit for limit in found if limit.below), key=lambda limit: limit.value)
    high = sorted((limit for limit in found if not limit.below), key=lambda limit: limit.value)
    colours = [limit.level.word for limit in low] + [CALM] + [limit.level.word for limit in high]
    bounds = [limit.value for limit in [*low, *high]]
    return [{"color": colours[0], "value": None}] + [
        {"color": colour, "value": bound} for colour, bound in zip(colours[1:], bounds, strict=True)
    ]


def _is_plain(rule: Rule) -> bool:
    """Tell whether a line says what the rule says: it holds at all times, on the quantity's own axis."""
    if rule.derive is not None and rule.derive.form in _SAME_AXIS:
        return rule.derive.other == _SAME_AXIS[rule.derive.form]
    return rule.derive is None and rule.schedule is None and rule.given is None


def _value(step: Step) -> float | None:
    enter = step.enter.at({}, 0.0)
    return None if enter is None or step.enter.name == "periods" else round(enter, 6)
