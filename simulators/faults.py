"""What goes wrong with the machines and lines of a network: a scenario and a seed make a plan. Pure.

The plan is carried out on real servers by the fault laboratory (tests/faults, `make faults`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edge.config import read_table
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """The [load] table: who produces readings while things go wrong. A producer is one process with nodes."""

    producers: int = 4
    nodes_per_producer: int = 5
    readings_per_s: float = 5.0
    """Of each node: how fast it makes those that the plan gives it."""
    small_outbox_rows: int = 0
    """The last node of each producer keeps so few readings that its outbox can overflow; 0: as many as all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sort:
    """One table of [sorts]: how often this sort of fault is drawn, and how long one lasts."""

    weight: float = 1.0
    shortest_s: float = 0.5
    longest_s: float = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What shall go wrong: sorts of faults, how many, how close together, and the load they meet."""

    name: str
    faults: int
    at_once: int = 2
    """At most so many faults are in force at one time."""
    every_s: float = 2.0
    """The mean time from one fault's start to the next."""
    load: Load = field(default_factory=Load)
    backlog: Mapping[str, float] = field(default_factory=dict)
    """The [backlog] table of the gateway that it happens to."""
    sorts: Mapping[str, Sort]

    def __post_init__(self) -> None:
        if not self.sorts or self.faults < 1 or self.at_once < 1 or self.every_s < 0:
            raise ConfigError(f"scenario {self.name}: nothing can go wrong", remedy="name sorts and a number")
        for name, sort in self.sorts.items():
            if sort.weight <= 0 or not 0 <= sort.shortest_s <= sort.longest_s:
                raise ConfigError(f"scenario {self.name}: sort {name} has no weight or no time to last")

    def only(self, names: Sequence[str]) -> Scenario:
        """Return this scenario with these sorts alone."""
        missing = set(names) - set(self.sorts)
        if missing:
            raise ConfigError(f"scenario {self.name} has no sort {', '.join(sorted(missing))}")
        return replace(self, sorts={name: self.sorts[name] for name in names})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that goes wrong. `target` and `strength` mean what the sort makes of them."""

    number: int
    sort: str
    after_s: float
    """Wait so long after the fault before this one began."""
    readings: int
    """So many does every node make in that time: the plan says how many there will be, not the clock."""
    lasts_s: float
    target: int
    """Any number: a sort takes it modulo what there is to hit."""
    strength: float
    """In [0, 1)."""


def scenario_from(tables: Mapping[str, Any], place: str) -> Scenario:
    """Read a scenario's TOML tables; every mistake raises ConfigError with table and key."""
    sorts = {
        name: read_table(Sort, table, f"{place}.sorts.{name}")
        for name, table in tables.get("sorts", {}).items()
    }
    rest = {name: value for name, value in tables.items() if name not in ("sorts", "load", "backlog")}
    unknown = set(rest) - {"name", "faults", "at_once", "every_s"}
    if unknown or not {"name", "faults"} <= set(rest):
        look = ", ".join(sorted(unknown)) or "name, faults"
        raise ConfigError(f"{place}: unknown or missing keys", remedy=f"look at {look}")
    return Scenario(
        name=str(rest["name"]),
        faults=int(rest["faults"]),
        at_once=int(rest.get("at_once", 2)),
        every_s=float(rest.get("every_s", 2.0)),
        load=read_table(Load, tables.get("load", {}), f"{place}.load"),
        backlog={name: float(value) for name, value in tables.get("backlog", {}).items()},
        sorts=sorts,
    )


def plan(scenario: Scenario, seed: int, faults: int | None = None) -> list[Fault]:
    """Return what goes wrong, in order. Every sort comes once before chance decides; same seed, same plan."""
    chance = random.Random(f"{scenario.name}/{seed}")
    names = sorted(scenario.sorts)
    count = scenario.faults if faults is None else faults
    drawn = list(names)
    chance.shuffle(drawn)
    weights = [scenario.sorts[name].weight for name in names]
    drawn += chance.choices(names, weights, k=max(0, count - len(drawn)))
    waits_s = [round(scenario.every_s * chance.uniform(0.5, 1.5), 3) for _ in drawn[:count]]
    return [
        Fault(
            number=number,
            sort=name,
            after_s=wait_s,
            readings=max(1, round(wait_s * scenario.load.readings_per_s)),
            lasts_s=round(chance.uniform(scenario.sorts[name].shortest_s, scenario.sorts[name].longest_s), 3),
            target=chance.randrange(2**31),
            strength=chance.random(),
        )
        for number, (name, wait_s) in enumerate(zip(drawn, waits_s, strict=False))
    ]
