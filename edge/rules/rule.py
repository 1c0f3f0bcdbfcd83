"""A rule: what is watched, from which value on it is an event, and how long it must last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from edge.model.alert import Level
from edge.model.node import Node
from edge.rules.schedule import Schedule

SIGNALS = {
    "silence_s": "s",  # how long nothing was heard of the node
    "clock_qc": "",  # 0 trusted, 3 estimated, 2 unknown, as in the store
    "doubt_s": "s",  # how long a quantity has not passed the quality checks
}
"""What every node has beside its quantities, and its unit."""


class Scope(StrEnum):
    """Who evaluates the rule."""

    GATEWAY = "gateway"
    CITY = "city"


class NoData(StrEnum):
    """What becomes of an open episode when no value comes any more."""

    KEEP = "keep"
    END = "end"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number, or a stage of the node and an offset: factor * name + offset.

    The name `periods` is the node's own period in seconds; `default` stands where the node has no such stage.
    """

    offset: float
    factor: float = 0.0
    name: str = ""
    default: float | None = None

    def at(self, stages: Mapping[str, float], period_s: float) -> float | None:
        """Return the number for a node; None when it has no such stage."""
        if not self.name:
            return self.offset
        value = period_s if self.name == "periods" else stages.get(self.name, self.default)
        return None if value is None else self.factor * value + self.offset

    def __str__(self) -> str:
        if not self.name:
            return f"{self.offset:g}"
        head = self.name if self.factor == 1 else f"{self.factor:g} {self.name}"
        return head + (f" {'-' if self.offset < 0 else '+'} {abs(self.offset):g}" if self.offset else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One level of a rule: reached at `enter`, left behind `leave` (both in the quantity's unit)."""

    level: Level
    enter: Threshold
    leave: Threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What must hold for a reading to be judged at all: another quantity of it within [low, high]."""

    quantity: str
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Derive:
    """How the watched number comes from readings: a form of edge.rules.derive.FORMS and its parameters."""

    form: str
    over_ms: int = 0
    other: str = ""  # a quantity, a stage, or node/quantity, as the form says
    extra: Mapping[str, float | str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What `load_rules` makes of a table [rule.NAME]. Durations in milliseconds.

    of: the quantity whose doubt is watched; the kind's headline where it is empty.
    steps: mildest first. below: whether low values are the bad ones. worst: the worst quality that counts,
    "good" (pass, not evaluated) or "suspect". gap: values further apart (seconds) do not belong together.
    """

    name: str
    label_en: str
    label_zh: str
    quantity: str
    steps: tuple[Step, ...]
    kinds: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    below: bool = False
    for_ms: int = 0
    keep_ms: int = 0
    no_data: NoData = NoData.KEEP
    gap: Threshold = Threshold(0.0, 10.0, "periods")
    worst: str = "good"
    given: Given | None = None
    schedule: Schedule | None = None
    scope: Scope = Scope.GATEWAY
    derive: Derive | None = None
    of: str = ""
    unit: str = ""
    text: str = ""

    def covers(self, node: Node) -> bool:
        """Tell whether the rule names this node, by id or by kind."""
        if self.nodes:
            return any(fnmatchcase(node.id, pattern) for pattern in self.nodes)
        if self.kinds:
            return node.kind in self.kinds
        return node.kind != "gateway"  # gateways are watched only by rules that name them


def rules_of(rules: Iterable[Rule], node: Node, scope: Scope = Scope.GATEWAY) -> tuple[Rule, ...]:
    """Return the rules that one who watches at `scope` evaluates for the node."""
    return tuple(rule for rule in rules if rule.scope is scope and rule.covers(node))
