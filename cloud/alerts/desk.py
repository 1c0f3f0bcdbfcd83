"""The desk where alerts are dealt with: one change at a time, written first, then true, then shown."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloud.alerts import life
from cloud.alerts.alert import Alert, Mark, Step
from cloud.alerts.book import Book, Draft
from cloud.alerts.errors import NoSuchAlert
from cloud.alerts.facts import Facts, Group, Labels, Recent
from cloud.alerts.maintenance import Window
from cloud.alerts.notice import Notice
from cloud.alerts.plan import plan
from cloud.alerts.records import Records, Search
from cloud.alerts.take import take
from cloud.alerts.view import counts, shown
from cloud.alerts.watch import watch_gateways
from cloud.errors import CloudError
from cloud.registry import Registry
from edge.model.alert import Episode
from edge.model.node import Node

TICK_S = 0.25
PRUNE_EVERY_MS = 3_600_000
_log = logging.getLogger(__name__)


def plain_label(rule: str) -> tuple[str, str]:
    """Return a rule's name as a label, for rules that are not known here."""
    text = rule.replace("_", " ").replace("-", " ")
    return text, text


class Desk:
    """Takes episodes and what people do, keeps the book, plans who is told, and tells the pages what changed.

    Every change is decided on a `Draft`, written as one transaction, and only then taken into the book: what
    was not written did not happen, and what has to be sent stands beside the reason for it. One process owns
    the book.
    """

    def __init__(
        self,
        registry: Registry,
        facts: Facts,
        *,
        now_ms: Callable[[], int],
        show: Callable[[list[dict[str, Any]]], None] = lambda _alerts: None,
        labels: Labels = plain_label,
        units: Mapping[str, str] | None = None,
    ) -> None:
        self.labels, self._units = labels, units or {}
        self.news = asyncio.Event()
        """Set when something is to be sent."""
        self._registry, self.records = registry, Records(registry)
        self._now_ms, self._show = now_ms, show
        self._lock = asyncio.Lock()
        self._book = Book()
        self._nodes = dict(facts.nodes)
        self.facts = replace(facts, nodes=self._nodes)
        self._heard_ms: dict[str, int] = {}
        self._since_ms = 0
        self._pruned_ms = 0

    async def open(self) -> None:
        """Know what the last run left; from now on gateways are listened for."""
        self._book = await self.records.book()
        self.know(await self._registry.nodes())
        self._since_ms = self._now_ms()
        for status in await self._registry.gateways():
            self._heard_ms[status.gateway] = min(status.time_ms, self._since_ms)
        for alert in self._book.alerts.values():
            self._remember(alert)
        self._book.due_ms = dict.fromkeys(self._book.alerts, 0)

    def know(self, nodes: Iterable[Node]) -> None:
        """Learn of nodes that are new or corrected."""
        self._nodes.update((node.id, node) for node in nodes)

    def heard(self, gateway: str) -> None:
        """Note that a gateway reported now, by the cloud's clock."""
        self._heard_ms[gateway] = self._now_ms()

    async def run(self) -> None:
        """Look at what is due, several times a second, until cancelled."""
        while True:
            try:
                await self.tick()
            except CloudError as error:
                _log.error("the alerts are not looked after: %s", error)
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """Look at gateways and at what is due, and forget what is older than it is to be kept."""
        now_ms = self._now_ms()
        async with self._lock:

            def look(draft: Draft) -> list[int]:
                lost = watch_gateways(self._heard_ms, draft, self._since_ms, self.facts)
                due = [ident for ident, due_ms in self._book.due_ms.items() if due_ms <= now_ms]
                return [*due, *take(draft, lost, self.facts)]

            await self._change(look)
        if now_ms - self._pruned_ms >= PRUNE_EVERY_MS:
            self._pruned_ms = now_ms
            await self.records.prune(now_ms - round(self.facts.config.keep_days * 86_400_000))

    async def take(self, episodes: Sequence[Episode]) -> None:
        """Take episodes as a gateway tells them; repeats, and what comes late or in disorder, merge."""
        async with self._lock:
            unknown = {episode.key for episode in episodes if self._book.keyed(episode.key) is None}
            visitors = await self.records.keyed(list(unknown))
            self._book.add(visitors)
            try:
                await self._change(lambda draft: take(draft, episodes, self.facts))
            finally:
                self._book.forget_settled([alert.id for alert in visitors])

    async def act(self, ident: int, change: Callable[[Alert, int], life.Lived]) -> dict[str, Any]:
        """Do to an alert what a person wants done; return it as it is then, or raise NoSuchAlert."""
        async with self._lock:
            self._book.add([await self._kept(ident)])

            def work(draft: Draft) -> list[int]:
                alert = draft.get(ident)
                assert alert is not None
                draft.put(*change(alert, draft.now_ms))
                return [ident]

            try:
                await self._change(work)
                after = self._book.alerts.get(ident)
            finally:
                self._book.forget_settled([ident])
        return (await self._shown([after or await self._kept(ident)]))[0]

    def to_send(self) -> Mapping[int, Notice]:
        """Return what has to be sent, by number."""
        return self._book.notices

    async def alerts(self, idents: Collection[int]) -> dict[int, Alert]:
        """Return alerts by number, settled ones as well."""
        found = {ident: self._book.alerts[ident] for ident in idents if ident in self._book.alerts}
        missing = [ident for ident in idents if ident not in found]
        return found | await self.records.alerts(missing) if missing else found

    def together(self, notices: Iterable[Notice]) -> None:
        """Take in that these notices are sent as one digest; the caller wrote it."""
        self._book.notices.update((notice.id, notice) for notice in notices)

    async def sent(self, notices: Sequence[Notice], steps: Sequence[Step], trouble: str = "") -> None:
        """Note that a channel took these notices, or never will; then they go to the fallback channels."""
        idents = [notice.id for notice in notices]
        await self.records.sent(idents, self._now_ms(), steps, trouble)
        for ident in idents:
            self._book.notices.pop(ident, None)
        if trouble:
            async with self._lock:
                await self._change(lambda draft: self._fall_back(draft, notices))

    def _fall_back(self, draft: Draft, notices: Sequence[Notice]) -> Sequence[int]:
        fallback = self.facts.config.fallback
        for notice in notices:
            for channel in fallback if notice.channel not in fallback else ():
                draft.tell(channel, notice.reason, notice.level, notice.alerts, was=notice.was)
        return []

    async def one(self, ident: int) -> dict[str, Any]:
        """Return an alert with its audit, or raise NoSuchAlert."""
        (row,) = await self._shown([await self._kept(ident)])
        steps = [step._asdict() for step in await self.records.steps(ident)]
        for step in steps:
            del step["alert"]
        return {**row, "steps": steps}

    async def search(self, asked: Search) -> list[dict[str, Any]]:
        """Return alerts for people."""
        return await self._shown(await self.records.search(asked))

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
            await self.records.add_window(window)
            self._book.next_window += 1
            self._book.windows[window.id] = window
        return window

    async def remove_window(self, ident: int, who: str) -> None:
        """End a maintenance window now, or raise NoSuchAlert."""
        async with self._lock:
            if ident not in self._book.windows:
                raise NoSuchAlert(f"there is no maintenance window {ident}", remedy="see /api/v1/maintenance")
            await self.records.remove_window(ident, who, self._now_ms())
            del self._book.windows[ident]
            self._book.due_ms = dict.fromkeys(self._book.alerts, 0)

    async def _change(self, work: Callable[[Draft], Sequence[int]]) -> None:
        """Decide on a draft, plan who is told of what `work` returns, write it, make it true."""
        draft = Draft(self._book, self._now_ms())
        idents = work(draft)
        looks = plan(draft, idents, self.facts) if idents else {}
        if draft:
            await self.records.write(draft)
            draft.take_in()
            causes = [alert.cause for alert in draft.alerts.values() if alert.cause is not None]
            touched = {**dict.fromkeys(causes), **draft.alerts}
            shown = [alert for ident in touched if (alert := draft.get(ident)) is not None]
            self._show(self._rows(shown, self._folded(touched)))
            if draft.notices:
                self.news.set()
        self._book.waiting.update(draft.waiting)
        for ident in idents:
            self._book.due_ms.pop(ident, None)
        self._book.due_ms.update((ident, due) for ident, due in looks.items() if ident in self._book.alerts)

    def _remember(self, alert: Alert) -> None:
        """Know of which group was told what lately, as it was before the restart."""
        for channel, mark in alert.told.items():
            group = Group(channel, alert.episode.rule, self.facts.district(alert))
            known = self._book.groups.get(group, Recent(0, mark.level))
            if mark.time_ms > known.time_ms - self.facts.config.group_window_s * 1_000:
                newest: Mark = max(mark, Mark(known.level, known.time_ms), key=lambda one: one.time_ms)
                self._book.groups[group] = Recent(newest.time_ms, max(mark.level, known.level))

    async def _kept(self, ident: int) -> Alert:
        found = (await self.alerts([ident])).get(ident)
        if found is None:
            raise NoSuchAlert(f"there is no alert {ident}", remedy="see /api/v1/alerts?state=all")
        return found

    async def _shown(self, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
        return self._rows(alerts, await self.records.folded([alert.id for alert in alerts]))

    def _rows(self, alerts: Iterable[Alert], folded: Mapping[int, int]) -> list[dict[str, Any]]:
        now_ms = self._now_ms()
        return [
            shown(
                alert,
                node=self._nodes.get(alert.episode.node),
                label=self.labels(alert.episode.rule),
                rule_unit=self._units.get(alert.episode.rule, ""),
                folded=folded.get(alert.id, 0),
                now_ms=now_ms,
            )
            for alert in alerts
        ]

    def _folded(self, idents: Iterable[int]) -> Mapping[int, int]:
        wanted = set(idents)
        causes = (alert.cause for alert in self._book.alerts.values())
        return Counter(cause for cause in causes if cause in wanted)
