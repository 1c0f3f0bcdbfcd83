"""The desk where alerts are dealt with: one change at a time, written first, then true, then shown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cloud.alerts import life
from cloud.alerts.alert import Alert
from cloud.alerts.book import Book, Draft
from cloud.alerts.errors import NoSuchAlert
from cloud.alerts.maintenance import Window
from cloud.alerts.records import Records, Search
from cloud.alerts.view import counts, shown
from cloud.registry import Registry
from edge.model.alert import Episode
from edge.model.node import Node

_T = TypeVar("_T")
Labels = Callable[[str], tuple[str, str]]
"""From a rule's name to its English and Chinese label."""


def plain_label(rule: str) -> tuple[str, str]:
    """Return a rule's name as a label, for rules that are not known here."""
    text = rule.replace("_", " ").replace("-", " ")
    return text, text


class Desk:
    """Takes episodes and what people do, keeps the book, and tells the pages what changed.

    Every change is decided on a `Draft`, written as one transaction, and only then taken into the book: what
    was not written did not happen. One process owns the book.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        now_ms: Callable[[], int],
        show: Callable[[list[dict[str, Any]]], None] = lambda _alerts: None,
        labels: Labels = plain_label,
    ) -> None:
        self._registry, self._records = registry, Records(registry)
        self._now_ms, self._show, self._labels = now_ms, show, labels
        self._lock = asyncio.Lock()
        self._book = Book()
        self._nodes: dict[str, Node] = {}

    async def open(self) -> None:
        """Know what the last run left."""
        self._book = await self._records.book()
        self.know(await self._registry.nodes())

    def know(self, nodes: Iterable[Node]) -> None:
        """Learn of nodes that are new or corrected."""
        self._nodes.update((node.id, node) for node in nodes)

    async def take(self, episodes: Sequence[Episode]) -> None:
        """Take episodes as a gateway tells them; repeats, and what comes late or in disorder, merge."""
        async with self._lock:
            unknown = {episode.key for episode in episodes if self._book.keyed(episode.key) is None}
            visitors = await self._records.keyed(list(unknown))
            self._book.add(visitors)

            def merge(draft: Draft) -> None:
                for episode in episodes:
                    known = draft.keyed(episode.key)
                    if known is None:
                        draft.put(*life.opened(draft.next_id(), episode, draft.now_ms))
                    else:
                        after, steps = life.updated(known, episode, draft.now_ms)
                        if after != known:
                            draft.put(after, steps)

            try:
                await self._change(merge)
            finally:
                self._book.forget_settled([alert.id for alert in visitors])

    async def act(self, ident: int, change: Callable[[Alert, int], life.Lived]) -> dict[str, Any]:
        """Do to an alert what a person wants done; return it as it is then, or raise NoSuchAlert."""
        async with self._lock:
            if ident not in self._book.alerts:
                self._book.add([await self._kept(ident)])

            def work(draft: Draft) -> Alert:
                alert = draft.get(ident)
                assert alert is not None
                after, steps = change(alert, draft.now_ms)
                draft.put(after, steps)
                return after

            try:
                after = await self._change(work)
            finally:
                self._book.forget_settled([ident])
        return (await self._shown([after]))[0]

    async def one(self, ident: int) -> dict[str, Any]:
        """Return an alert with its audit, or raise NoSuchAlert."""
        (row,) = await self._shown([await self._kept(ident)])
        steps = [step._asdict() for step in await self._records.steps(ident)]
        for step in steps:
            del step["alert"]
        return {**row, "steps": steps}

    async def search(self, asked: Search) -> list[dict[str, Any]]:
        """Return alerts for people."""
        return await self._shown(await self._records.search(asked))

    def counts(self) -> dict[str, int]:
        """Return how many alerts stand open, by level."""
        return counts(self._book.alerts.values(), self._now_ms())

    def windows(self) -> list[Window]:
        """Return the maintenance windows that are or will be, the next first."""
        now_ms = self._now_ms()
        lasting = [window for window in self._book.windows.values() if window.until_ms > now_ms]
        return sorted(lasting, key=lambda window: (window.from_ms, window.id))

    async def add_window(self, window: Window) -> Window:
        """Keep a maintenance window under a new number."""
        async with self._lock:
            window = replace(window, id=self._book.next_window)
            await self._records.add_window(window)
            self._book.next_window += 1
            self._book.windows[window.id] = window
        return window

    async def remove_window(self, ident: int, who: str) -> None:
        """End a maintenance window now, or raise NoSuchAlert."""
        async with self._lock:
            if ident not in self._book.windows:
                raise NoSuchAlert(f"there is no maintenance window {ident}", remedy="see /api/v1/maintenance")
            await self._records.remove_window(ident, who, self._now_ms())
            del self._book.windows[ident]

    async def _change(self, work: Callable[[Draft], _T]) -> _T:
        """Decide on a draft, write it, make it true and show it. The caller holds the lock."""
        draft = Draft(self._book, self._now_ms())
        result = work(draft)
        if draft:
            await self._records.write(draft)
            draft.take_in()
            self._show(self._rows(draft.alerts.values(), self._folded(draft.alerts)))
        return result

    async def _kept(self, ident: int) -> Alert:
        found = self._book.alerts.get(ident) or await self._records.alert(ident)
        if found is None:
            raise NoSuchAlert(f"there is no alert {ident}", remedy="see /api/v1/alerts?state=all")
        return found

    async def _shown(self, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
        return self._rows(alerts, await self._records.folded([alert.id for alert in alerts]))

    def _rows(self, alerts: Iterable[Alert], folded: Mapping[int, int]) -> list[dict[str, Any]]:
        now_ms = self._now_ms()
        return [
            shown(
                alert,
                node=self._nodes.get(alert.episode.node),
                label=self._labels(alert.episode.rule),
                folded=folded.get(alert.id, 0),
                now_ms=now_ms,
            )
            for alert in alerts
        ]

    def _folded(self, idents: Iterable[int]) -> Mapping[int, int]:
        wanted = set(idents)
        causes = (alert.cause for alert in self._book.alerts.values())
        return Counter(cause for cause in causes if cause in wanted)
