"""What a board's question must be answered with: computed from the week itself, from what the question means.

Nothing here reads a query. A signal (dashboards/signals.py) says what is asked; the rows of the simulated week
say what happened; the answer follows in plain Python.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise

from week_samples import (
    HOUR_MS,
    Answer,
    Key,
    Sample,
    Shown,
    Value,
    by_node,
    groups,
    key_of,
    leq,
    mean,
    numbers,
    parts_of,
    window,
)

from dashboards.signals import EPISODE, STATUS, Ask, Signal
from edge.model.kinds import KINDS
from edge.model.quality import Clock, Flag
from edge.model.quantities import QUANTITIES, Form, Mean
from edge.rules.aqi import IAQI, TABLE
from simulators.week import Week


class Oracle:
    """Knows the week."""

    def __init__(self, week: Week) -> None:
        self.week = week
        self._columns: dict[tuple[str, str], list[Sample]] = {}
        self._at: dict[tuple[str, str], dict[tuple[str, int], list[Value]]] = {}

    def answer(self, signal: Signal, shown: Shown) -> Answer:
        """Return what the signal's query must return."""
        return _FORMS[signal.form](self, signal, shown)

    def samples(self, signal: Signal, shown: Shown, name: str = "") -> list[Sample]:
        """Return the values of a field that the question is about, in order of time."""
        column = self.column(signal.kind, name or signal.quantity or "level")
        first = bisect_right(column, shown.start_ms - 1, key=lambda sample: sample.t_ms)
        last = bisect_right(column, shown.end_ms, key=lambda sample: sample.t_ms)
        return [sample for sample in column[first:last] if self.asks(signal, shown, sample)]

    def column(self, kind: str, name: str) -> list[Sample]:
        """Return all values of a field of the raw series, in order of time."""
        if (kind, name) not in self._columns:
            rows = sorted(self._of(kind, name), key=lambda sample: sample.t_ms)
            self._columns[kind, name] = rows
        return self._columns[kind, name]

    def _of(self, kind: str, name: str) -> Iterator[Sample]:
        if kind == STATUS:
            tags: dict[str, dict[str, str]] = {}
            for status in self.week.statuses:
                if status.node.id not in tags:
                    tags[status.node.id] = status.tags()
                if (found := status.field(name)) is not None:
                    yield Sample(status.t_ms, tags[status.node.id], found)
        elif kind == EPISODE:
            for episode in self.week.episodes:
                yield Sample(episode.start_ms, episode.tags(), episode.fields()[name])
        elif name == "clock_qc":
            for row in self.week.stored(kind):
                if row.clock is not Clock.SYNCED:
                    yield Sample(row.t_ms, self._tags[row.node.id], 3 if row.clock is Clock.ESTIMATED else 2)
        elif name.removesuffix("_qc") not in KINDS[kind].quantities:
            return  # what nobody of the week measures
        elif name.endswith("_qc"):
            for row in self.week.stored(kind):
                if (flag := row.flag(name.removesuffix("_qc"))) is not Flag.PASS:
                    yield Sample(row.t_ms, self._tags[row.node.id], int(flag))
        else:
            for row in self.week.stored(kind):
                if (value := row.value(name)) is not None:
                    yield Sample(row.t_ms, self._tags[row.node.id], value)

    @cached_property
    def _tags(self) -> dict[str, dict[str, str]]:
        return {
            node.id: {"node": node.id, "district": node.district, "site": node.site}
            for node in self.week.nodes.values()
        }

    def asks(self, signal: Signal, shown: Shown, sample: Sample) -> bool:
        """Whether the question is about a sample's place and what it must hold."""
        for tag, variable in signal.place:
            if variable in shown.chosen and sample.tags.get(tag, "") not in shown.chosen[variable]:
                return False
        if signal.positive and not any(
            value > 0 for value in self._fields_at(signal.kind, signal.positive, sample)
        ):
            return False
        return all(self._holds(signal.kind, name, value, sample) for name, value in signal.only)

    def _holds(self, kind: str, name: str, value: str | int, sample: Sample) -> bool:
        if isinstance(value, str):
            return sample.tags.get(name) == value
        return value in self._fields_at(kind, name, sample)

    def _fields_at(self, kind: str, name: str, sample: Sample) -> list[Value]:
        """Return the values of another field of the point that a sample is of."""
        if (kind, name) not in self._at:
            found: dict[tuple[str, int], list[Value]] = defaultdict(list)
            for other in self.column(kind, name):
                found[other.tags["node"], other.t_ms].append(other.value)
            self._at[kind, name] = found
        return self._at[kind, name].get((sample.tags["node"], sample.t_ms), [])


def _each(column: str, work: Callable[[Signal, list[Sample]], Value]) -> Callable[..., Answer]:
    """Return a form that makes one value of each group."""

    def answer(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
        found: Answer = defaultdict(dict)
        for (key, at_ms), samples in groups(signal, shown, oracle.samples(signal, shown)).items():
            found[key][at_ms] = {column: work(signal, samples)}
        return found

    return answer


def _course(signal: Signal, samples: list[Sample]) -> Value:
    row = QUANTITIES.get(signal.quantity)
    how = row.mean if row else Mean.LAST
    if how is Mean.ENERGY:
        return leq(numbers(samples))
    if how is Mean.SUM:
        return math.fsum(numbers(samples))
    if how is Mean.LAST and "district" not in signal.by:
        newest_ms = samples[-1].t_ms
        last = [sample.value for sample in samples if sample.t_ms == newest_ms]
        return (min(last), max(last))
    return mean(numbers(samples))


def _total(_: Signal, samples: list[Sample]) -> Value:
    return math.fsum(mean(numbers(own)) for own in by_node(samples).values())


def _newest_of_nodes(samples: Iterable[Sample]) -> list[float]:
    return [float(own[-1].value) for own in by_node(samples).values()]


def _counted(signal: Signal, samples: list[Sample]) -> Value:
    return sum(value == signal.equals for value in _newest_of_nodes(samples)) or None


def _percentile(signal: Signal, samples: list[Sample]) -> Value:
    """Any value is right of which about `rank` percent are not above: those beside the exact place."""
    values = sorted(numbers(samples))
    place = len(values) * signal.rank / 100
    low, high = math.floor(place - 0.5) - 1, math.ceil(place + 0.5) - 1
    return (values[max(0, low)], values[min(len(values) - 1, max(0, high))])


def _rate(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    """Growth an hour. What grew from one interval's last value to the next one's belongs to the time between.

    A fall is a counter that began anew: nobody knows what it took in that interval.
    """
    found: Answer = defaultdict(lambda: defaultdict(lambda: {"value": 0.0}))
    for own in by_node(oracle.samples(signal, shown)).values():
        last: dict[int, Sample] = {}
        for sample in own:
            last[window(signal, shown, sample.t_ms)] = sample
        for (before_ms, before), (at_ms, after) in pairwise(last.items()):
            if after.value >= before.value:
                grown = (after.value - before.value) * HOUR_MS / (at_ms - before_ms)
                found[key_of(signal, after)][at_ms]["value"] += grown
    return found


def _latest(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    """The newest value and the time at which it was sensed."""
    found: Answer = {}
    for (key, _), samples in groups(signal, shown, oracle.samples(signal, shown)).items():
        found[key] = {samples[-1].t_ms: {"value": samples[-1].value}}
    return found


def _flagged(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    found: Answer = defaultdict(lambda: defaultdict(dict))
    for name, title in signal.fields:
        for (key, at_ms), samples in groups(signal, shown, oracle.samples(signal, shown, name)).items():
            found[key][at_ms][title] = len(samples)
    return found


def sub_index(quantity: str, value: float) -> tuple[int, int]:
    """Return the sub-index of a mean (HJ 633, 4.3.2: rounded up), as the least and greatest that is right."""
    exact = _on_the_line(quantity, value)
    return math.ceil(exact - 1e-6), math.ceil(exact + 1e-6)


def _on_the_line(quantity: str, value: float) -> float:
    """Straight lines between the points of the table; beyond it, its end."""
    points = TABLE[quantity][1]
    for k in range(1, len(points)):
        if value <= points[k]:
            share = (value - points[k - 1]) / (points[k] - points[k - 1])
            return IAQI[k - 1] + share * (IAQI[k] - IAQI[k - 1])
    return float(IAQI[len(points) - 1])


def _iaqi(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    found: Answer = defaultdict(lambda: defaultdict(dict))
    for name, title in signal.fields:
        for (key, at_ms), samples in groups(signal, shown, oracle.samples(signal, shown, name)).items():
            found[key][at_ms][title] = sub_index(name, mean(numbers(samples)))
    return found


def _status(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    found: Answer = defaultdict(lambda: defaultdict(dict))
    for name, title in signal.fields:
        for (key, at_ms), samples in groups(signal, shown, oracle.samples(signal, shown, name)).items():
            found[key][at_ms][title] = samples[-1].value
    return found


def _coverage(_: Signal, samples: list[Sample]) -> Value:
    return 100 * mean([float(sample.value in (0, 1, 3)) for sample in samples])


def _episodes(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    found: Answer = {(): {}}
    columns = {title: oracle.samples(signal, shown, name) for name, title in signal.fields if name not in _TAGS}
    tags = {title: name for name, title in signal.fields if name in _TAGS}
    for rows in zip(*columns.values(), strict=True):
        row = dict(zip(columns, (sample.value for sample in rows), strict=True))
        found[()][rows[0].t_ms] = row | {title: rows[0].tags[name] for title, name in tags.items()}
    return found


_TAGS = frozenset({"rule", "kind", "node", "district", "system"})


def roll_ups(
    oracle: Oracle, kind: str, source: str
) -> Iterator[tuple[Mapping[str, str], int, dict[str, float]]]:
    """Return the roll-ups of a kind as a store holds them: tags, start of the window, fields."""
    windows: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    tags: dict[str, Mapping[str, str]] = {}
    for quantity in KINDS[kind].quantities:
        for node, own in by_node(oracle.column(kind, quantity)).items():
            tags[node] = own[0].tags
            for at_ms, part in parts_of(own, quantity, source).items():
                windows[node, at_ms] |= {f"{quantity}_{how}": value for how, value in part.items()}
    for (node, at_ms), fields in windows.items():
        yield tags[node], at_ms, fields


def _rolled(oracle: Oracle, signal: Signal, shown: Shown) -> Answer:
    """Of all nodes together, from each node's hours or days: least, mean, greatest; or what the mean is."""
    row = QUANTITIES[signal.quantity]
    parts: dict[tuple[Key, int], list[dict[str, float]]] = defaultdict(list)
    asked = (
        sample for sample in oracle.column(signal.kind, signal.quantity) if oracle.asks(signal, shown, sample)
    )
    for own in by_node(asked).values():
        for at_ms, part in parts_of(own, signal.quantity, signal.source).items():
            if shown.start_ms <= at_ms <= shown.end_ms:
                parts[key_of(signal, own[0]), window(signal, shown, at_ms)].append(part)
    found: Answer = defaultdict(dict)
    for (key, at_ms), rows in parts.items():
        if row.mean is Mean.ENERGY:
            answer: dict[str, Value] = {"value": leq([part["leq"] for part in rows])}
        elif row.form is Form.COUNTER:
            answer = {"value": math.fsum(part["grown"] for part in rows)}
        elif row.form is Form.STATE:
            answer = {"value": 100 * mean([part["share"] for part in rows])}
        elif row.mean is Mean.SUM:
            answer = {"value": math.fsum(part["sum"] for part in rows)}
        else:
            answer = {"min": min(part["min"] for part in rows), "max": max(part["max"] for part in rows)}
            if row.mean is Mean.ARITHMETIC:
                answer["mean"] = mean([part["mean"] for part in rows])
        found[key][at_ms] = answer
    return found


_FORMS: dict[Ask, Callable[[Oracle, Signal, Shown], Answer]] = {
    Ask.TREND: _each("value", _course),
    Ask.RATE: _rate,
    Ask.SHARE: _each("value", lambda _, samples: 100 * mean(numbers(samples))),
    Ask.TOTAL: _each("value", _total),
    Ask.LATEST: _latest,
    Ask.HEARD: _each("nodes", lambda _, samples: len(by_node(samples))),
    Ask.FLAGGED: _flagged,
    Ask.IAQI: _iaqi,
    Ask.STATUS: _status,
    Ask.COVERAGE: _each("value", _coverage),
    Ask.COUNTED: _each("nodes", _counted),
    Ask.PERCENTILE: _each("value", _percentile),
    Ask.SUMMED: _each("value", lambda _, samples: math.fsum(_newest_of_nodes(samples))),
    Ask.EPISODES: _episodes,
    Ask.EPISODE_COUNT: _each("episodes", lambda _, samples: len(samples)),
    Ask.ROLLED: _rolled,
}
