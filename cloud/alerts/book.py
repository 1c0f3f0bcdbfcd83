"""The alerts at hand, in memory, and the draft of a change: what is decided here is written, then true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cloud.alerts.alert import Alert, Step
from cloud.alerts.facts import Group, Recent
from cloud.alerts.maintenance import Window
from cloud.alerts.notice import Notice, Reason
from edge.model.alert import EpisodeKey, Level


@dataclass(kw_only=True, slots=True)
class Book:
    """All alerts that are not settled, what is still to be sent, and the maintenance windows.

    It holds what the database holds: a `Draft` is written first and taken in afterwards.
    """

    alerts: dict[int, Alert] = field(default_factory=dict)
    notices: dict[int, Notice] = field(default_factory=dict)
    windows: dict[int, Window] = field(default_factory=dict)
    groups: dict[Group, Recent] = field(default_factory=dict)
    due_ms: dict[int, int] = field(default_factory=dict)
    """When an alert has to be looked at again."""
    waiting: dict[Group, set[int]] = field(default_factory=dict)
    """What waits to be told: a group that is told anything is told of these as well."""
    next_alert: int = 1
    next_notice: int = 1
    next_window: int = 1
    _by_key: dict[EpisodeKey, int] = field(default_factory=dict)
    _by_subject: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def add(self, alerts: Iterable[Alert]) -> None:
        """Take alerts in, new or changed."""
        for alert in alerts:
            self.alerts[alert.id] = alert
            self._by_key[alert.key] = alert.id
            self._by_subject.setdefault(alert.subject, set()).add(alert.id)

    def keyed(self, key: EpisodeKey) -> int | None:
        """Return the number of the alert of an episode, None if it is not at hand."""
        return self._by_key.get(key)

    def of(self, subject: tuple[str, str]) -> Iterable[int]:
        """Return the numbers of the alerts of one rule and node."""
        return self._by_subject.get(subject, ())

    def forget_settled(self, idents: Iterable[int]) -> None:
        """Let go of those of which nothing more will come; the database keeps them."""
        for ident in idents:
            alert = self.alerts.get(ident)
            if alert is not None and alert.settled:
                del self.alerts[ident]
                del self._by_key[alert.key]
                self.due_ms.pop(ident, None)
                rest = self._by_subject[alert.subject]
                rest.discard(ident)
                if not rest:
                    del self._by_subject[alert.subject]


class Draft:
    """Changes over a book: read through, collected, written as one transaction, then taken in."""

    def __init__(self, book: Book, now_ms: int) -> None:
        self.book, self.now_ms = book, now_ms
        self.alerts: dict[int, Alert] = {}
        self.new: set[int] = set()
        self.steps: list[Step] = []
        self.notices: list[Notice] = []
        self.dropped: dict[int, str] = {}
        """Notices that need not be sent any more, with the reason."""
        self.groups: dict[Group, Recent] = {}
        self.waiting: dict[Group, set[int]] = {}
        self._new_keys: dict[EpisodeKey, int] = {}
        self._new_subjects: dict[tuple[str, str], list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self.alerts or self.steps or self.notices or self.dropped)

    def get(self, ident: int) -> Alert | None:
        """Return an alert as it will be."""
        return self.alerts.get(ident) or self.book.alerts.get(ident)

    def alert(self, ident: int) -> Alert:
        """Return an alert that is known to be there."""
        return self.alerts.get(ident) or self.book.alerts[ident]

    def keyed(self, key: EpisodeKey) -> Alert | None:
        """Return the alert of an episode."""
        ident = self.book.keyed(key) or self._new_keys.get(key)
        return None if ident is None else self.get(ident)

    def of(self, subject: tuple[str, str]) -> list[Alert]:
        """Return the alerts of one rule and node, the oldest first."""
        idents = {*self.book.of(subject), *self._new_subjects.get(subject, ())}
        return [alert for ident in sorted(idents) if (alert := self.get(ident)) is not None]

    def all(self) -> Iterator[Alert]:
        """Return every alert at hand, as it will be."""
        for ident in [*self.book.alerts, *sorted(self.new)]:
            if (alert := self.get(ident)) is not None:
                yield alert

    def next_id(self) -> int:
        """Return a number for a new alert."""
        return self.book.next_alert + len(self.new)

    def put(self, alert: Alert, steps: Iterable[Step] = ()) -> None:
        """Change an alert, or add one under `next_id`."""
        if alert.id not in self.book.alerts and alert.id not in self.new:
            self.new.add(alert.id)
            self._new_keys[alert.key] = alert.id
            self._new_subjects.setdefault(alert.subject, []).append(alert.id)
        self.alerts[alert.id] = alert
        self.steps += steps

    def tell(self, channel: str, reason: Reason, level: Level, alerts: Iterable[int], *, was: int = 0) -> None:
        """Have something sent."""
        self.notices.append(
            Notice(
                id=self.book.next_notice + len(self.notices),
                channel=channel,
                reason=reason,
                level=level,
                was=was,
                made_ms=self.now_ms,
                alerts=tuple(alerts),
            )
        )

    def waiting_for(self, group: Group) -> Iterable[int]:
        """Return what waits for a group to be told."""
        return self.waiting.get(group, self.book.waiting.get(group, ()))

    def wait(self, group: Group, idents: set[int]) -> None:
        """Let these wait for a group, beside those that do; none: the group was told of all."""
        self.waiting[group] = {*self.waiting_for(group), *idents} if idents else set()

    def recent(self, group: Group) -> Recent | None:
        """Return what a group was told last."""
        return self.groups.get(group) or self.book.groups.get(group)

    def take_in(self) -> None:
        """Make the changes true, after they were written."""
        self.book.next_alert += len(self.new)
        self.book.next_notice += len(self.notices)
        self.book.add(self.alerts.values())
        self.book.notices.update((notice.id, notice) for notice in self.notices)
        for ident in self.dropped:
            self.book.notices.pop(ident, None)
        self.book.groups.update(self.groups)
        self.book.forget_settled(self.alerts)
