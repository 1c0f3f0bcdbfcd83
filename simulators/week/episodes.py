"""The episodes of the week, as the cloud would have written them: one a real event, from start to end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Flag
from edge.model.units import UNITS
from edge.rules.load import load_rules
from edge.rules.rule import Rule
from simulators.week.plan import FAULTS, HOUR_MS, MINUTE_MS, Fault, at
from simulators.week.readings import EMPTY_V, Reading, period_ms

STAGES = ("near_m", "warning_m", "guaranteed_m", "record_m")
_LEAVE_M = 0.03
_KEEP_MS = HOUR_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One event at one node; `end_ms` is 0 while it lasts. `level` is the highest: 1 blue to 4 red."""

    rule: str
    node: Node
    start_ms: int
    end_ms: int
    level: int
    value: float
    acknowledged: bool = False

    @property
    def title_en(self) -> str:
        """What happened, and where."""
        return f"{_rules()[self.rule].label_en}: {self.node.label_en}"

    @property
    def title_zh(self) -> str:
        """What happened, and where, in Chinese."""
        return f"{self.node.label_zh}：{_rules()[self.rule].label_zh}"

    def tags(self) -> dict[str, str]:
        """Return the tags that it is stored under."""
        return {
            "rule": self.rule,
            "kind": self.node.kind,
            "node": self.node.id,
            "district": self.node.district,
            "system": KINDS[self.node.kind].system,
        }

    def fields(self) -> dict[str, float | int | str]:
        """Return its fields as they stand at the end of the week."""
        unit = _rules()[self.rule].unit
        return {
            "level": self.level,
            "firing": int(not self.end_ms),
            "end_ms": self.end_ms,
            "title_en": self.title_en,
            "title_zh": self.title_zh,
            "value": self.value,
            "unit": UNITS[unit].display if unit in UNITS else unit,
            "acknowledged": int(self.acknowledged),
        }


@cache
def _rules() -> Mapping[str, Rule]:
    return {rule.name: rule for rule in load_rules()}


def episodes(nodes: Mapping[str, Node], readings: Mapping[str, Sequence[Reading]]) -> tuple[Episode, ...]:
    """Return the week's episodes, the earliest first."""
    found = [
        episode
        for node, rows in readings.items()
        if nodes[node].kind == "water_level"
        for episode in _floods(nodes[node], rows)
    ]
    found += _labelled(nodes)
    return tuple(sorted(found, key=lambda episode: (episode.start_ms, episode.node.id, episode.rule)))


def _floods(node: Node, rows: Iterable[Reading]) -> Iterator[Episode]:
    """A flood begins where the water comes near the warning stage, and ends an hour after it fell below."""
    near_m = node.stages["near_m"]
    start_ms = last_ms = 0
    highest_m = 0.0
    for row in rows:
        level_m = row.value("level_m") if row.flag("level_m") is Flag.PASS else None
        if level_m is None:
            continue
        if start_ms and row.t_ms - last_ms > _KEEP_MS:
            yield _flood(node, start_ms, last_ms + _KEEP_MS, highest_m)
            start_ms, highest_m = 0, 0.0
        if level_m >= (near_m - _LEAVE_M if start_ms else near_m):
            start_ms, last_ms, highest_m = start_ms or row.t_ms, row.t_ms, max(highest_m, level_m)
    if start_ms:
        yield _flood(node, start_ms, 0, highest_m)


def _flood(node: Node, start_ms: int, end_ms: int, highest_m: float) -> Episode:
    level = sum(highest_m >= node.stages[stage] for stage in STAGES)
    return Episode(rule="flood", node=node, start_ms=start_ms, end_ms=end_ms, level=level, value=highest_m)


def _labelled(nodes: Mapping[str, Node]) -> Iterator[Episode]:
    """What the labelled faults lead to."""

    def of(
        label: str, rule: str, after_ms: int, level: int, value: float, end_ms: int | None = None
    ) -> Episode:
        fault: Fault = FAULTS[label]
        return Episode(
            rule=rule,
            node=nodes[fault.nodes[0]],
            start_ms=fault.start_ms + after_ms,
            end_ms=fault.end_ms if end_ms is None else end_ms,
            level=level,
            value=value,
            acknowledged=end_ms == 0,
        )

    silence_ms = 10 * period_ms("air_quality")
    low_ms, empty_ms = battery_below_ms(3.3), battery_below_ms(EMPTY_V)
    yield of("silent", "node_silent", silence_ms, 2, 6 * 3600.0)
    yield of("lamp_by_day", "lamp_by_day", at(2, 11) - FAULTS["lamp_by_day"].start_ms, 1, 1.0)
    yield of("noisy_night", "noise_night", 10 * MINUTE_MS, 3, 66.0)
    yield of("outage", "gateway_lost", MINUTE_MS, 3, 4 * 3600.0)
    yield of("stuck", "values_in_doubt", 8 * HOUR_MS, 1, 8 * 3600.0)
    yield of("battery", "battery_low", low_ms + HOUR_MS, 2, EMPTY_V, 0)
    yield of("battery", "node_silent", empty_ms + silence_ms, 2, 86_400.0, 0)


def battery_below_ms(volt: float) -> int:
    """Return how long after the fault's start the battery that runs down falls below a voltage."""
    return round((3.55 - volt) / 0.16 * 24 * HOUR_MS)
