"""What is the same for all nodes under the same rules: most nodes are calm, and need nothing of their own."""

from __future__ import annotations

from collections.abc import Sequence

from edge.model.node import Node
from edge.rules.line import Line
from edge.rules.peers import Alone, Peers
from edge.rules.rule import SIGNALS, Rule

INF = float("inf")


class Lines:
    """The rules of one node, each bound to it, by what moves them: values, their quality, silence, the clock.

    always: those that look at every reading, such as means; quiet: those that begin beyond a threshold.
    """

    __slots__ = ("all", "always", "clocks", "doubts", "quiet", "silences", "values")

    def __init__(
        self, rules: Sequence[Rule], node: Node, quantities: Sequence[str], peers: Peers, period_s: float
    ) -> None:
        made = [Line.make(rule, node, quantities, peers, period_s) for rule in rules]
        self.all = [line for line in made if line is not None]
        self.values = [line for line in self.all if line.quantity not in SIGNALS]
        self.doubts = [line for line in self.all if line.quantity == "doubt_s"]
        self.silences = [line for line in self.all if line.quantity == "silence_s"]
        self.clocks = [line for line in self.all if line.quantity == "clock_qc"]
        self.always = [line for line in self.values if line.source is not None or line.waits]
        self.quiet = [line for line in self.values if line not in self.always]


class Plan:
    """Beyond what a node's lines are asked at all, and the means to make them.

    calm: a (low, high) for each quantity, None where every reading must be seen. bounds: the same for those
    that any rule is about: (index, low, high). silent_ms, clock_qc: from there on silence or clock matter.
    """

    __slots__ = (
        "bounds",
        "calm",
        "clock_qc",
        "doubted",
        "empty",
        "period_s",
        "quantities",
        "rules",
        "silent_ms",
    )

    def __init__(
        self, rules: Sequence[Rule], quantities: tuple[str, ...], period_s: float, lines: Lines
    ) -> None:
        self.rules, self.quantities, self.period_s = rules, quantities, period_s
        self.empty = not lines.all
        self.bounds = _bounds(lines.quiet)
        self.doubted = tuple(line.index for line in lines.doubts)
        first_s = min((line.track.terms.first for line in lines.silences), default=None)
        self.silent_ms = None if first_s is None else round(1000 * first_s)
        self.clock_qc = min((line.track.terms.first for line in lines.clocks), default=INF)
        self.calm: tuple[tuple[float, float], ...] | None = None
        if not lines.always:
            within = {index: (low, high) for index, low, high in self.bounds}
            self.calm = tuple(within.get(index, (-INF, INF)) for index in range(len(quantities)))

    def lines(self, node: Node, peers: Peers) -> Lines:
        """Bind the rules to a node."""
        return Lines(self.rules, node, self.quantities, peers, self.period_s)


_Key = tuple[tuple[int, ...], str, tuple[str, ...], tuple[tuple[str, float], ...], float]
_KNOWN: dict[_Key, Plan] = {}
MOST_KNOWN = 10_000


def plan_of(rules: Sequence[Rule], node: Node, quantities: Sequence[str], period_s: float) -> Plan:
    """Return the plan of a node: one for all of its kind, columns, stages and period under these rules."""
    key = (tuple(map(id, rules)), node.kind, tuple(quantities), tuple(node.stages.items()), period_s)
    plan = _KNOWN.get(key)
    if plan is None:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        lines = Lines(rules, node, quantities, Alone(), period_s)
        plan = _KNOWN[key] = Plan(tuple(rules), tuple(quantities), period_s, lines)
    return plan


def _bounds(lines: Sequence[Line]) -> tuple[tuple[int, float, float], ...]:
    """Return within which values of which quantities nothing begins."""
    within: dict[int, tuple[float, float]] = {}
    for line in lines:
        low, high = within.get(line.index, (-INF, INF))
        terms = line.track.terms
        if terms.sign < 0:
            within[line.index] = (max(low, -terms.first), high)
        else:
            within[line.index] = (low, min(high, terms.first))
    return tuple((index, low, high) for index, (low, high) in sorted(within.items()))
