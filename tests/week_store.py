"""The simulated week in a real InfluxDB, and the questions of boards put to it as Grafana does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

import servers
from week_oracle import Oracle, roll_ups
from week_samples import SOURCES, Answer, Key, Shown, Value, ms_of, window

from dashboards.boards import Board
from dashboards.signals import DAYS, HOURS, RAW, Ask, Signal
from edge.model.kinds import KINDS
from edge.protocol.series import NS_PER_MS, encode_point
from simulators.week import Week, make_week

_BATCH = 10_000
_VARIABLE = re.compile(r"\$\{(\w+):regex\}")
the_week = cache(make_week)
"""The week of the tests, made once a process."""

_COUNTS = (Ask.HEARD, Ask.COUNTED, Ask.FLAGGED, Ask.EPISODE_COUNT)
_SPECIAL = re.compile(r"[-/\\^$*+?.()|\[\]{}]")


def fill(store: servers.InfluxDB, week: Week, oracle: Oracle) -> None:
    """Write the week and its roll-ups."""
    _write(store, week.lines(), SOURCES[RAW])
    for source in (HOURS, DAYS):
        store.query("", f'CREATE DATABASE "{SOURCES[source]}"')
        lines = (
            encode_point(kind, tags, fields, at_ms * NS_PER_MS)
            for kind in KINDS
            for tags, at_ms, fields in roll_ups(oracle, kind, source)
        )
        _write(store, lines, SOURCES[source])


def _write(store: servers.InfluxDB, lines: Iterable[str], db: str) -> None:
    rest = iter(lines)
    while batch := list(islice(rest, _BATCH)):
        store.write("\n".join(batch), db=db)


def as_grafana_sends(query: str, shown: Shown) -> str:
    """Fill in what Grafana fills in: the time range, the interval, and variables with their signs escaped."""

    def chosen(found: re.Match[str]) -> str:
        if found[1] not in shown.chosen:
            return ".*"
        values = [_SPECIAL.sub(r"\\\g<0>", value) for value in sorted(shown.chosen[found[1]])]
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"

    text = query.replace("$timeFilter", f"time >= {shown.start_ms}ms and time <= {shown.end_ms}ms")
    text = text.replace("$__interval", f"{shown.interval_ms}ms")
    text = _VARIABLE.sub(chosen, text)
    assert "${" not in text and "$_" not in text, f"Grafana would leave a variable in: {text}"
    return text


def ask(store: servers.InfluxDB, signal: Signal, shown: Shown, query: str = "") -> Answer:
    """Put a signal's query (or another one in its place) to the store."""
    text = as_grafana_sends(query or signal.query, shown)
    (result,) = store.query(SOURCES[signal.source], text)["results"]
    if "error" in result:
        raise servers.ServerError(f"{text}: {result['error']}")
    found: Answer = defaultdict(lambda: defaultdict(dict))
    timed = bool(signal.over) or signal.form in (Ask.LATEST, Ask.EPISODES)
    for series in result.get("series", ()):
        tags = series.get("tags", {})
        for row in series["values"]:
            cells = dict(zip(series["columns"], row, strict=True))
            at_ms = cells.pop("time")
            key = _key(signal, tags)
            found[key][at_ms if timed else 0] |= cells
    return found


def _key(signal: Signal, tags: dict[str, str]) -> Key:
    return (*(tags.get(tag, "(no tag)") for tag in signal.by), *sorted(tags.keys() - set(signal.by)))


def differences(signal: Signal, shown: Shown, expected: Answer, got: Answer) -> list[str]:
    """Return in words where an answer is not what it must be."""
    return list(islice(_differences(signal, shown, expected, got), 5))


def _differences(signal: Signal, shown: Shown, expected: Answer, got: Answer) -> Iterator[str]:
    first_ms = window(signal, shown, shown.start_ms)
    for key in sorted(expected.keys() | got.keys()):
        for at_ms in sorted(expected.get(key, {}).keys() | got.get(key, {}).keys()):
            if signal.form is Ask.RATE and at_ms <= first_ms:
                continue  # what grew before the range began: a store may know it or not
            must, is_ = expected.get(key, {}).get(at_ms, {}), got.get(key, {}).get(at_ms, {})
            for column in sorted(must.keys() | is_.keys()):
                if not _same(must.get(column), is_.get(column), signal.form in _COUNTS):
                    yield f"{key} at {at_ms}, {column}: {is_.get(column)}, must be {must.get(column)}"


def _same(must: Value, is_: Value, counted: bool) -> bool:
    if must is None or is_ is None:
        return (must or None) == (is_ or None) if counted else must is is_  # nothing may be answered for none
    if isinstance(must, str) or isinstance(is_, str):
        return bool(must == is_)
    low, high = must if isinstance(must, tuple) else (must, must)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    return bool(low - slack <= is_ <= high + slack)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A target of a panel of a board."""

    board: str
    panel: str
    signal: Signal
    lately_ms: int
    at_least_ms: int

    def within(self, shown: Shown) -> Shown:
        """Return what the panel shows while its board shows this: some look at their own last minutes."""
        start_ms = shown.end_ms - self.lately_ms if self.lately_ms else shown.start_ms
        return replace(shown, start_ms=start_ms, interval_ms=max(shown.interval_ms, self.at_least_ms))


def questions(board: Board) -> list[Question]:
    """Return all that a board asks."""
    return [
        Question(
            board=board.uid,
            panel=panel.title,
            signal=target.signal,
            lately_ms=ms_of(panel.time_from),
            at_least_ms=ms_of(panel.interval),
        )
        for row in board.rows
        for panel in row.panels
        for target in panel.targets
    ]


class City:
    """The week in a store, and what is known of it: asks each question once, however many boards ask it."""

    def __init__(self, store: servers.InfluxDB, week: Week) -> None:
        self.store, self.week, self.oracle = store, week, Oracle(week)
        self._wrong: dict[tuple[str, str], list[str]] = {}
        fill(store, week, self.oracle)

    def wrong(self, question: Question, shown: Shown) -> list[str]:
        """Return in words what a panel shows that was not so; empty where it shows the week as it was."""
        inside = question.within(shown)
        key = (question.signal.source, as_grafana_sends(question.signal.query, inside))
        if key not in self._wrong:
            self._wrong[key] = self.compare(question.signal, inside)
        return [
            f"{question.board}, {question.panel} ({question.signal.form}): {one}" for one in self._wrong[key]
        ]

    def compare(self, signal: Signal, shown: Shown, query: str = "") -> list[str]:
        """Return the differences between what the store answers (to another query) and what was so."""
        try:
            got = ask(self.store, signal, shown, query)
        except servers.ServerError as error:
            return [str(error)]
        return differences(signal, shown, self.oracle.answer(signal, shown), got)
