"""Rules over what spans gateways (scope "city"): the code of the gateways, where all readings meet.

A state is written before the desk hears what was found: whatever the desk knows, the rules still know after a
restart, so an episode goes on under its key and its revision grows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from cloud.alerts.desk import Desk
from cloud.alerts.facts import LOST
from cloud.alerts.records import Search
from cloud.board import Board
from cloud.errors import CloudError
from cloud.registry import Registry
from cloud.registry.alert_tables import WatchRow
from cloud.stores.protocol import Latest, latest_of
from edge.model.alert import Episode
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES
from edge.protocol.lines import Point
from edge.rules import Memory, Rule, Scope, Watch, rules_of

TICK_S = 5.0
LIVE_PERIODS = 3
LIVE_AT_LEAST_S = 60.0
"""A reading that took longer than this, or than three of its periods, is history. Gateways send in batches."""
AHEAD_MS = 300_000
"""What is further ahead of the cloud's clock is not judged: it would make all that follows late."""
MOST_OPEN = 10_000
_log = logging.getLogger(__name__)


class CityRules:
    """A watch a node that a rule of the city covers. Without such rules, which is usual, nothing is done.

    The loss of gateways is not among them: cloud/alerts/watch.py sees to it.
    delay_s: how late readings may come here at best, where they are asked for instead of sent.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        desk: Desk,
        registry: Registry,
        board: Board,
        *,
        now_ms: Callable[[], int],
        delay_s: float = 0.0,
    ) -> None:
        self._rules = tuple(rule for rule in rules if rule.scope is Scope.CITY and rule.name != LOST)
        self._desk, self._registry, self._board = desk, registry, board
        self._now_ms, self._delay_s = now_ms, delay_s
        self._peers = Memory(self._on_board)
        self._bound: dict[str, tuple[Node, tuple[str, ...], Watch | None]] = {}
        self._stored: dict[str, dict[str, Any]] = {}
        self._touched: dict[str, None] = {}
        self._news: dict[str, list[Episode]] = {}
        self._since_ms = 0
        self._lock = asyncio.Lock()

    @property
    def active(self) -> bool:
        """Whether there is any rule of the city."""
        return bool(self._rules)

    async def open(self) -> None:
        """Go on where the last run ended, with what the board has; the desk is open already."""
        if not self.active:
            return
        self._since_ms = self._now_ms()
        self._stored = await self._registry.transact(_states)
        for node, state in self._stored.items():
            if state["news"]:
                self._news[node] = [Episode.from_dict(row) for row in state["news"]]
                self._touched[node] = None
        await self._adopt()
        self._bind_all()
        self._take(self._board.all(), heard=False)
        await self._keep()

    async def run(self) -> None:
        """Let time pass for the rules, every few seconds, until cancelled."""
        while self.active:
            await asyncio.sleep(TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Look what time alone brings, and write what changed since the last time."""
        now_ms = self._now_ms()
        self._bind_all()
        for node, (_, _, watch) in self._bound.items():
            if watch is not None:
                self._found(node, watch, watch.tick(now_ms, self._since_ms))
        await self._keep()

    async def close(self) -> None:
        """Write what is not written yet."""
        await self._keep()

    def deaf(self) -> None:
        """Note that nothing could be heard until now: that is no node's silence."""
        self._since_ms = self._now_ms()

    async def take_points(self, points: Iterable[Point]) -> None:
        """Judge points as they were written."""
        if self.active:
            await self.take(_readings(points, self._concerns))

    async def take(self, readings: Iterable[Latest]) -> None:
        """Judge readings, in the order of time; return once what they changed of an episode is kept."""
        if not self.active:
            return
        self._take(readings, heard=True)
        if self._news:
            await self._keep()

    def _take(self, readings: Iterable[Latest], *, heard: bool) -> None:
        now_ms = self._now_ms()
        for reading in sorted(readings, key=lambda reading: reading.time_ns):
            watch = self._watch(reading)
            asked = reading.node in self._peers.wanted
            if watch is None and not asked:
                continue
            if watch is not None and heard:
                watch.heard(now_ms, reading.qc.get("clock", 0))
            if reading.time_ms > now_ms + AHEAD_MS:
                continue
            if asked:
                self._offer(reading)
            if watch is not None:
                self._judge(reading, watch, now_ms)

    def _offer(self, reading: Latest) -> None:
        for quantity in self._peers.wanted[reading.node]:
            value = _good(reading, quantity)
            if value is not None:
                self._peers.note(reading.node, quantity, reading.time_ms, value)

    def _on_board(self, node: str, quantity: str) -> tuple[int, float] | None:
        """Return what the board knows of a quantity before the first question."""
        known = self._board.of(node)
        value = _good(known, quantity) if known is not None else None
        return None if known is None or value is None else (known.time_ms, value)

    def _judge(self, reading: Latest, watch: Watch, now_ms: int) -> None:
        quantities = self._bound[reading.node][1]
        values = [_number(reading, quantity) for quantity in quantities]
        flags = [reading.qc.get(quantity, Flag.PASS) for quantity in quantities]
        live_s = self._delay_s + max(LIVE_AT_LEAST_S, LIVE_PERIODS * _period_s(watch.node))
        late = now_ms - reading.time_ms > 1_000 * live_s
        self._found(reading.node, watch, watch.take(reading.time_ms, values, flags, late=late))

    def _found(self, node: str, watch: Watch, episodes: Sequence[Episode]) -> None:
        if episodes:
            self._news.setdefault(node, []).extend(replace(episode, gateway="") for episode in episodes)
        if watch.changed or episodes:
            self._touched[node] = None

    def _concerns(self, node: str) -> bool:
        """Whether readings of a node may matter here."""
        bound = self._bound.get(node)
        return bound is None or bound[2] is not None or node in self._peers.wanted

    def _watch(self, reading: Latest) -> Watch | None:
        """Return the watch of a reading's node, None where no rule covers it."""
        node = self._desk.facts.nodes.get(reading.node)
        if node is None:
            return None
        watch = self._bind(node)
        if watch is not None:
            known = self._bound[reading.node][1]
            more = [name for name in reading.values if name not in known and name in QUANTITIES]
            if more:
                watch = self._bind(node, (*known, *more))
        return watch

    def _bind_all(self) -> None:
        for node in self._desk.facts.nodes.values():
            self._bind(node)

    def _bind(self, node: Node, quantities: tuple[str, ...] = ()) -> Watch | None:
        """Return the node's watch, made anew where the node was corrected or measures more than was known."""
        before = self._bound.get(node.id)
        if before is not None and before[0] is node and not quantities:
            return before[2]
        old = None if before is None else before[2]
        stored = self._stored.pop(node.id, {})
        kind = KINDS.get(node.kind)
        known = before[1] if before is not None else tuple(stored.get("quantities", ()))
        quantities = tuple(dict.fromkeys((*known, *(kind.quantities if kind else ()), *quantities)))
        watch = Watch(node, quantities, rules_of(self._rules, node, Scope.CITY), self._peers)
        if watch.empty:
            self._bound[node.id] = (node, quantities, None)
            return None
        watch.load(stored.get("watch", {}) if old is None else old.dump())
        self._bound[node.id] = (node, quantities, watch)
        if old is not None:
            self._touched[node.id] = None
        return watch

    async def _keep(self) -> None:
        """Write what changed, then tell the desk; what fails is tried again with the next tick."""
        async with self._lock:
            touched, self._touched = self._touched, {}
            news = {node: len(found) for node, found in self._news.items()}
            rows = [row for node in touched if (row := self._row(node)) is not None]
            try:
                if rows:
                    await self._registry.transact(lambda session: [session.merge(row) for row in rows])
                    touched = {}
                if news:
                    await self._desk.take(
                        [one for node, many in news.items() for one in self._news[node][:many]]
                    )
            except CloudError as error:
                self._touched = {**touched, **self._touched}
                _log.error("what the rules of the city found is not kept: %s", error)
                return
            for node, many in news.items():
                rest = self._news.pop(node)[many:]
                if rest:
                    self._news[node] = rest
                self._touched[node] = None

    def _row(self, node: str) -> WatchRow | None:
        news = [episode.to_dict() for episode in self._news.get(node, ())]
        bound = self._bound.get(node)
        if bound is None or bound[2] is None:  # no rule covers it any more
            return WatchRow(node=node, state={"news": news})
        return WatchRow(node=node, state={"quantities": bound[1], "watch": bound[2].dump(), "news": news})

    async def _adopt(self) -> None:
        """Go on with episodes that are open at the desk and of which no state is left."""
        for rule in self._rules:
            for alert in await self._desk.records.search(Search(lasting=True, rule=rule.name, limit=MOST_OPEN)):
                episode = alert.episode
                state = self._stored.setdefault(episode.node, {"news": []})
                kept = state.setdefault("watch", {})
                tracks = kept.setdefault("rules", {})
                found = ((tracks.get(rule.name) or {}).get("track") or {}).get("episode")
                waiting = {one.key for one in self._news.get(episode.node, ())}
                if found is None and episode.key not in waiting:
                    kept.setdefault("t", episode.updated_ms)
                    tracks[rule.name] = {"track": _going_on(episode)}


def _going_on(episode: Episode) -> Mapping[str, Any]:
    """Return the state of a track of which only its open episode is known; see edge.rules.track."""
    return {
        "began": [], "left": [], "on": [], "last": episode.updated_ms, "peak": episode.peak or 0.0,
        "peak_ms": episode.peak_ms, "anchors": None, "none": episode.value is None,
        "episode": episode.to_dict(),
    }  # fmt: skip


def _states(session: Any) -> dict[str, dict[str, Any]]:
    return {row.node: dict(row.state) for row in session.scalars(select(WatchRow))}


def _period_s(node: Node) -> float:
    return KINDS[node.kind].period_s if node.kind in KINDS else 60.0


def _readings(points: Iterable[Point], concerns: Callable[[str], bool]) -> list[Latest]:
    """Return the readings that points are, one a node and time, of the nodes that matter."""
    found: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {}
    for point in points:
        node = dict(point.tags).get("node")
        if node is not None and point.time_ns is not None and concerns(node):
            _, fields = found.setdefault((node, point.time_ns), (point.measurement, {}))
            fields.update(point.fields)
    return [latest_of(node, kind, time_ns, fields) for (node, time_ns), (kind, fields) in found.items()]


def _number(reading: Latest, quantity: str) -> float | None:
    """Return a value of a reading; None where it has none, or one that is no number."""
    value = reading.values.get(quantity)
    return float(value) if isinstance(value, int | float) else None


def _good(reading: Latest, quantity: str) -> float | None:
    """Return a value that passed its checks."""
    good = reading.qc.get(quantity, Flag.PASS) <= Flag.NOT_EVALUATED
    return _number(reading, quantity) if good else None
