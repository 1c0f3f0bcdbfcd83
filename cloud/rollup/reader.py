"""Which level answers a question about time, and how its windows become those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cloud.errors import InvalidRequest
from cloud.levels import DAY_MS, ROLLED, WINDOW_S, Level
from cloud.rollup.fold import CITY
from cloud.stores.protocol import MS_PER_S, Aggregate, Span, Step, Store, Values
from cloud.stores.windows import first_window_ms
from edge.model.quantities import QUANTITIES, Form, Mean

LONGER_THAN_MS = {Level.DAYS: 62 * DAY_MS, Level.HOURS: 7 * DAY_MS}
"""Longer ranges are read from the level, if the step allows it: months from days, weeks from hours."""
Covered = Callable[[Level], Span | None]


class Window(NamedTuple):
    """One window of a level: any time within it, its value, and of how many values it is made."""

    time_ms: int
    value: float
    weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was found, and the coarsest level that took part."""

    level: Level
    values: Values


def choose(span: Span, step: Step | None) -> Level:
    """Return the level for a question: the coarsest that its range and its step allow."""
    if step is not None:
        length_ms = span.end_ms - span.start_ms
        for level, longer_ms in LONGER_THAN_MS.items():
            if length_ms > longer_ms and step.step_s % WINDOW_S[level] == 0:
                return level
    return Level.RAW


def field_of(quantity: str, aggregate: Aggregate, *, of_one: bool) -> str | None:
    """Return what a level's field is called that an aggregate is made of, None if it has no such field."""
    what = QUANTITIES.get(quantity)
    if what is None:
        return None
    if aggregate is Aggregate.COUNT:
        return "count"
    if aggregate is Aggregate.LAST:
        return "last" if of_one and what.mean is Mean.LAST else None
    if what.form is Form.STATE:
        return "share" if aggregate in (Aggregate.MEAN, Aggregate.SUM) else None
    if what.form is Form.COUNTER:
        return None
    if aggregate in (Aggregate.MIN, Aggregate.MAX):
        return aggregate.value
    means = {Mean.ARITHMETIC: (Aggregate.MEAN, "mean"), Mean.ENERGY: (Aggregate.ENERGY, "leq")}
    if what.mean is Mean.SUM:
        return "sum" if aggregate in (Aggregate.SUM, Aggregate.MEAN) else None
    mean = means.get(what.mean)
    if mean is None or (aggregate is Aggregate.SUM and mean[1] == "leq"):
        return None
    return mean[1] if aggregate in (mean[0], Aggregate.SUM) else None


def combine(windows: Sequence[Window], field: str, aggregate: Aggregate, first_ms: int, step_ms: int) -> Values:
    """Return one value a step from the windows within it, each weighed by its count."""
    steps: dict[int, list[Window]] = {}
    for window in windows:
        start_ms = first_ms + (window.time_ms - first_ms) // step_ms * step_ms
        steps.setdefault(start_ms, []).append(window)
    return [(start_ms, _combined(steps[start_ms], field, aggregate)) for start_ms in sorted(steps)]


def _combined(windows: Sequence[Window], field: str, aggregate: Aggregate) -> float:
    values, counts = [window.value for window in windows], [window.weight for window in windows]
    if aggregate is Aggregate.MIN:
        return min(values)
    if aggregate is Aggregate.MAX:
        return max(values)
    if aggregate is Aggregate.LAST:
        return max(windows, key=lambda window: window.time_ms).value
    if aggregate is Aggregate.COUNT or field == "sum":
        total = sum(values)
        return total / sum(counts) if aggregate is Aggregate.MEAN else total
    if aggregate is Aggregate.ENERGY:
        energy = sum(count * 10.0 ** (value / 10.0) for value, count in zip(values, counts, strict=True))
        return 10.0 * log10(energy / sum(counts))
    total = sum(value * count for value, count in zip(values, counts, strict=True))
    return total if aggregate is Aggregate.SUM else total / sum(counts)


class Reader:
    """Answers questions over time from the raw values and the levels; `covered` is None without roll-ups."""

    def __init__(
        self, raw: Store, stores: Mapping[Level, Store], covered: Covered | None, zone: ZoneInfo
    ) -> None:
        self._raw, self._stores, self._covered, self._zone = raw, stores, covered, zone

    async def read(
        self, kind: str, node: str | None, quantity: str, span: Span, step: Step | None, asked: Level | None
    ) -> Answer:
        """Return a quantity of a node, or of all nodes of a kind, from the level asked for or what suits.

        Raises InvalidRequest where the level that was asked for cannot answer.
        """
        level = asked or (choose(span, step) if self._covered is not None else Level.RAW)
        field = field_of(quantity, step.aggregate, of_one=node is not None) if step is not None else None
        if asked in ROLLED:
            self._check(asked, quantity, step, field)
        if step is None or level is Level.RAW or field is None:
            return Answer(level=Level.RAW, values=await self._of_raw(kind, node, quantity, span, step))
        first_ms, step_ms = first_window_ms(span, step, self._zone), step.step_s * MS_PER_S
        rolled = span if asked in ROLLED else self._rolled(level, span, first_ms, step_ms)
        if rolled is None:
            return Answer(level=Level.RAW, values=await self._of_raw(kind, node, quantity, span, step))
        values: Values = []
        if span.start_ms < rolled.start_ms:
            head = Span(start_ms=span.start_ms, end_ms=rolled.start_ms)
            values += await self._of_raw(kind, node, quantity, head, step)
        windows = await self._windows(level, kind, node, f"{quantity}_", field, rolled)
        values += combine(windows, field, step.aggregate, first_ms, step_ms)
        if rolled.end_ms < span.end_ms:
            tail = Span(start_ms=rolled.end_ms, end_ms=span.end_ms)
            values += await self._of_raw(kind, node, quantity, tail, step)
        return Answer(level=level, values=values)

    def _check(self, level: Level, quantity: str, step: Step | None, field: str | None) -> None:
        if self._covered is None:
            raise InvalidRequest(
                "this cloud makes no roll-ups", remedy="set [rollup] enabled, or leave level out"
            )
        if step is None or step.step_s % WINDOW_S[level]:
            raise InvalidRequest(
                f"parameter 'step_s': level {level} has windows of {WINDOW_S[level]} s",
                remedy=f"use a multiple of {WINDOW_S[level]}, or leave level out",
            )
        if field is None:
            raise InvalidRequest(
                f"level {level} does not keep the {step.aggregate} of {quantity}",
                remedy="use another aggregate, or leave level out",
            )

    def _rolled(self, level: Level, span: Span, first_ms: int, step_ms: int) -> Span | None:
        """Return the part of the span, in whole steps, that the level stands for."""
        covered = self._covered(level) if self._covered is not None else None
        if covered is None:
            return None
        start_ms = first_ms - (first_ms - max(span.start_ms, covered.start_ms)) // step_ms * step_ms
        end_ms = first_ms + (min(span.end_ms, covered.end_ms) - first_ms) // step_ms * step_ms
        return Span(start_ms=start_ms, end_ms=end_ms) if start_ms < end_ms else None

    async def _of_raw(
        self, kind: str, node: str | None, quantity: str, span: Span, step: Step | None
    ) -> Values:
        if node is not None:
            return await self._raw.readings(kind, node, quantity, span, step)
        assert step is not None  # all nodes are asked for at a step
        return await self._raw.summary(kind, quantity, span, step)

    async def _windows(
        self, level: Level, kind: str, node: str | None, prefix: str, field: str, span: Span
    ) -> list[Window]:
        """Return the windows of a level; their middle stands for their time, whatever summer time does."""
        half_ms = WINDOW_S[level] * MS_PER_S // 2
        values = await self._ask(level, kind, node, prefix + field, span)
        counts = values if field == "count" else await self._ask(level, kind, node, prefix + "count", span)
        weights = dict(counts)  # a window may be written between the two questions
        return [
            Window(time_ms + half_ms, value, weights[time_ms])
            for time_ms, value in values
            if time_ms in weights
        ]

    async def _ask(self, level: Level, kind: str, node: str | None, field: str, span: Span) -> Values:
        store = self._stores[level]
        if node is not None:
            return await store.readings(kind, node, field, span)
        step = Step(step_s=WINDOW_S[level], aggregate=Aggregate.LAST)  # one point a window: any one is the one
        return await store.summary(CITY + kind, field, span, step)
