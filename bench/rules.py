"""What rules cost: microseconds a reading a rule, beside a plain evaluator that reads its rules from tables.

Run: make bench BENCH=rules. Medians of five runs. The peer knows thresholds, `for` and levels alone, and looks
everything up as it goes, which is how such evaluators are usually written.
"""

from __future__ import annotations

import platform
import random
import statistics
import time
import tomllib
from collections.abc import Callable, Sequence

from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from edge.rules import Rule, Watch, load_rules, rules_of
from edge.rules.load import default_text

NOW_MS = 1_790_000_000_000
READINGS = 10_000
RUNS = 5
STAGES = {"near_m": 3.0, "warning_m": 3.3, "guaranteed_m": 3.9, "record_m": 4.5, "cover_m": 4.0}
# per kind: where its values lie on a calm day, and on one with an event
CALM = {
    "water_level": [2.0, 15.0, 3.6, -70.0], "power_meter": [220.0, 5.0, 1100.0, 5000.0, 50.0, 0.95],
    "hazmat": [1.0, 20.0, 0.0, 3.6], "air_quality": [20.0, 40.0, 30.0, 10.0, 60.0, 0.6, 20.0, 60.0],
}  # fmt: skip
EVENT = {
    "water_level": [3.5, 15.0, 3.6, -70.0], "power_meter": [240.0, 5.0, 1100.0, 5000.0, 50.0, 0.95],
    "hazmat": [30.0, 20.0, 0.0, 3.6], "air_quality": [20.0, 300.0, 30.0, 10.0, 60.0, 0.6, 20.0, 60.0],
}  # fmt: skip


class Peer:
    """Rules as tables, interpreted at each reading."""

    def __init__(self, node: Node, quantities: Sequence[str], names: Sequence[str]) -> None:
        table = tomllib.loads(default_text())["rule"]
        self.rules = {name: table[name] for name in names if "derive" not in table[name]}
        self.node, self.quantities = node, quantities
        self.state: dict[tuple[str, str], dict[str, int | None]] = {}

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int]) -> list[tuple[str, str]]:
        """Return what is on."""
        found = []
        reading = dict(zip(self.quantities, zip(values, flags, strict=True), strict=True))
        for name, rule in self.rules.items():
            value, flag = reading.get(rule["quantity"], (None, 9))
            if value is None or flag > 2:
                continue
            for level, limits in rule["levels"].items():
                enter = limits["enter"] if isinstance(limits, dict) else limits
                enter = self.number(enter)
                state = self.state.setdefault((name, level), {"since": None})
                beyond = value <= enter if rule.get("direction") == "below" else value >= enter
                if not beyond:
                    state["since"] = None
                    continue
                if state["since"] is None:
                    state["since"] = t_ms
                if t_ms - state["since"] >= 60_000 * int(rule.get("for", "0min").rstrip("hmin") or 0):
                    found.append((name, level))
        return found

    def number(self, text: object) -> float:
        """Return a threshold's number."""
        if isinstance(text, int | float):
            return float(text)
        name, _, offset = str(text).replace(" ", "").partition("-")
        for known, value in (*self.node.stages.items(), ("grid_v", 220.0), ("grid_hz", 50.0)):
            if name.endswith(known):
                factor = name.removesuffix(known).rstrip("*")
                return value * float(factor or 1) - float(offset or 0)
        return 0.0


def made(kind: str) -> Node:
    """Return a node of a kind."""
    return Node(id=node_id("bench"), kind=kind, label_en="", label_zh="", site="s", district="d", stages=STAGES)


def readings(base: Sequence[float]) -> list[tuple[int, list[float | None]]]:
    """Return readings, one a minute, that wander a little."""
    chance = random.Random(1)
    return [
        (NOW_MS + k * 60_000, [value * (1 + chance.gauss(0, 0.002)) for value in base]) for k in range(READINGS)
    ]


def median_us(make: Callable[[], Callable[..., object]], rows: list[tuple[int, list[float | None]]]) -> float:
    """Return microseconds a reading: the median of RUNS runs over all rows."""
    flags = [1] * len(rows[0][1])
    found = []
    for _ in range(RUNS):
        take = make()
        began = time.process_time()
        for t_ms, values in rows:
            take(t_ms, values, flags)
        found.append((time.process_time() - began) / len(rows) * 1e6)
    return statistics.median(found)


def row(what: str, kind: str, rules: Sequence[Rule], base: Sequence[float]) -> str:
    """Measure one line of the table."""
    node, quantities = made(kind), KINDS[kind].quantities
    lines = Watch(node, quantities, rules).lines
    count = len(lines.values) + len(lines.doubts)  # silence and clocks are asked by time
    rows = readings(base)
    ours = median_us(lambda: Watch(node, quantities, rules).take, rows)
    names = [rule.name for rule in rules if rule.derive is None and rule.quantity in quantities]
    peer = median_us(lambda: Peer(node, quantities, names).take, rows) / max(1, len(names))
    beside = f"{peer:10.3f}" if names else "         -"
    return f"  {kind:<13} {what:<30} {count:>5} {ours:>14.3f} {ours / count:>18.3f}  {beside}"


def main() -> None:
    """Print the table."""
    print(f"{platform.machine()}, Python {platform.python_version()}; medians of {RUNS} runs, us")
    print("  kind          day                            rules      a reading   a reading a rule        peer")
    for kind in CALM:
        rules = rules_of(load_rules(), made(kind))
        plain = tuple(rule for rule in rules if rule.derive is None)
        print(row("calm, plain rules", kind, plain, CALM[kind]))
        print(row("calm, all rules", kind, rules, CALM[kind]))
        print(row("an event, all rules", kind, rules, EVENT[kind]))
    print("  peer: plain rules alone, a reading a rule")


if __name__ == "__main__":
    main()
