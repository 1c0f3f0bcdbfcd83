"""The alerts in the registry's database: rows to values and back, each change one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, or_, select, tuple_, update
from sqlalchemy.orm import Session

from cloud.alerts.alert import Alert, Mark, Step
from cloud.alerts.book import Book, Draft
from cloud.alerts.maintenance import Window
from cloud.alerts.notice import Notice, Reason
from cloud.registry import Registry
from cloud.registry.alert_tables import AlertRow, AlertStepRow, MaintenanceRow, OutboxRow
from edge.model.alert import Episode, EpisodeKey, Level

KEYS_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Which alerts are asked for; what is None does not matter. `lasting_ms`: that lasted then or later."""

    lasting: bool | None = None
    level: Level | None = None
    node: str | None = None
    rule: str | None = None
    cause: int | None = None
    lasting_ms: int | None = None
    limit: int = 100


class Records:
    """What is written and asked of the alerts."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def book(self) -> Book:
        """Return the book as the last transaction left it."""
        return await self._registry.transact(_book)

    async def write(self, draft: Draft) -> None:
        """Write a draft, all or nothing."""
        await self._registry.transact(lambda session: _write(session, draft))

    async def keyed(self, keys: Sequence[EpisodeKey]) -> list[Alert]:
        """Return the alerts of these episodes, settled ones as well."""
        columns = tuple_(AlertRow.rule, AlertRow.node, AlertRow.start_ms)

        def find(session: Session) -> list[Alert]:
            found: list[Alert] = []
            for first in range(0, len(keys), KEYS_AT_ONCE):
                query = select(AlertRow).where(columns.in_(keys[first : first + KEYS_AT_ONCE]))
                found += map(_alert, session.scalars(query))
            return found

        return await self._registry.transact(find) if keys else []

    async def alerts(self, idents: Collection[int]) -> dict[int, Alert]:
        """Return the alerts of these numbers, those that there are."""
        query = select(AlertRow).where(AlertRow.id.in_(idents))
        return await self._registry.transact(
            lambda session: {row.id: _alert(row) for row in session.scalars(query)}
        )

    async def search(self, asked: Search) -> list[Alert]:
        """Return alerts: open ones the worst first, folded ones last; all others the newest first."""
        query = (
            select(AlertRow)
            .where(*_conditions(asked))
            .order_by(
                not_(_is_open()), AlertRow.cause.is_not(None), AlertRow.level.desc(), AlertRow.start_ms.desc()
            )
            .limit(asked.limit)
        )
        if asked.lasting is not True:
            query = query.order_by(None).order_by(AlertRow.start_ms.desc(), AlertRow.id.desc())
        return await self._registry.transact(lambda session: [_alert(row) for row in session.scalars(query)])

    async def steps(self, ident: int) -> list[Step]:
        """Return the audit of an alert, in the order in which things became known."""
        query = select(AlertStepRow).where(AlertStepRow.alert == ident).order_by(AlertStepRow.id)
        return await self._registry.transact(
            lambda session: [
                Step(row.alert, row.time_ms, row.who, row.step, row.text) for row in session.scalars(query)
            ]
        )

    async def folded(self, idents: Collection[int]) -> dict[int, int]:
        """Return how many alerts are folded under each of these."""
        query = select(AlertRow.cause, func.count()).where(AlertRow.cause.in_(idents)).group_by(AlertRow.cause)
        return await self._registry.transact(
            lambda session: {cause: count for cause, count in session.execute(query) if cause is not None}
        )

    async def add_window(self, window: Window) -> None:
        """Keep a maintenance window."""
        row = {**window.to_dict(), "removed_by": ""}
        await self._registry.transact(lambda session: session.execute(insert(MaintenanceRow).values(**row)))

    async def remove_window(self, ident: int, who: str, now_ms: int) -> None:
        """End a maintenance window; the audit keeps it."""
        changed = update(MaintenanceRow).where(MaintenanceRow.id == ident)
        await self._registry.transact(
            lambda session: session.execute(changed.values(removed_ms=now_ms, removed_by=who))
        )

    async def sent(
        self, notices: Collection[int], now_ms: int, steps: Iterable[Step], trouble: str = ""
    ) -> None:
        """Note that a channel took these notices, or will never take them, and why."""
        rows = [step._asdict() for step in steps]

        def note(session: Session) -> None:
            done = update(OutboxRow).where(OutboxRow.id.in_(notices))
            session.execute(done.values(done_ms=now_ms, trouble=trouble))
            if rows:
                session.execute(insert(AlertStepRow), rows)

        await self._registry.transact(note)

    async def digest(self, notices: Collection[int], number: int) -> None:
        """Note that these notices are told together, before anything is sent."""
        changed = update(OutboxRow).where(OutboxRow.id.in_(notices)).values(digest=number)
        await self._registry.transact(lambda session: session.execute(changed))

    async def sent_since(self, since_ms: int) -> list[tuple[str, int]]:
        """Return which channel took a message when, a digest once."""
        query = (
            select(OutboxRow.channel, func.max(OutboxRow.done_ms))
            .where(OutboxRow.done_ms >= since_ms, OutboxRow.trouble == "")
            .group_by(OutboxRow.channel, func.coalesce(OutboxRow.digest, OutboxRow.id))
        )
        return await self._registry.transact(
            lambda session: [(channel, time_ms or 0) for channel, time_ms in session.execute(query)]
        )

    async def prune(self, before_ms: int) -> int:
        """Forget what was over before then, with its audit; return how many alerts."""

        def forget(session: Session) -> int:
            old = select(AlertRow.id).where(AlertRow.settled, AlertRow.end_ms < before_ms)
            session.execute(delete(AlertStepRow).where(AlertStepRow.alert.in_(old)))
            gone = session.execute(delete(AlertRow).where(AlertRow.settled, AlertRow.end_ms < before_ms))
            session.execute(delete(OutboxRow).where(OutboxRow.done_ms < before_ms))
            session.execute(delete(MaintenanceRow).where(MaintenanceRow.until_ms < before_ms))
            return int(getattr(gone, "rowcount", 0))

        return await self._registry.transact(forget)


def _is_open() -> ColumnElement[bool]:
    return and_(AlertRow.end_ms.is_(None), AlertRow.closed_ms.is_(None))


def _conditions(asked: Search) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.lasting is not None:
        found.append(_is_open() if asked.lasting else not_(_is_open()))
    if asked.level is not None:
        found.append(AlertRow.level >= asked.level)
    if asked.node is not None:
        found.append(AlertRow.node == asked.node)
    if asked.rule is not None:
        found.append(AlertRow.rule == asked.rule)
    if asked.cause is not None:
        found.append(AlertRow.cause == asked.cause)
    if asked.lasting_ms is not None:
        found.append(or_(AlertRow.end_ms.is_(None), AlertRow.end_ms >= asked.lasting_ms))
    return found


def _book(session: Session) -> Book:
    book = Book(
        next_alert=(session.scalar(select(func.max(AlertRow.id))) or 0) + 1,
        next_notice=(session.scalar(select(func.max(OutboxRow.id))) or 0) + 1,
        next_window=(session.scalar(select(func.max(MaintenanceRow.id))) or 0) + 1,
    )
    book.add(_alert(row) for row in session.scalars(select(AlertRow).where(not_(AlertRow.settled))))
    undone = select(OutboxRow).where(OutboxRow.done_ms.is_(None)).order_by(OutboxRow.id)
    book.notices = {row.id: _notice(row) for row in session.scalars(undone)}
    windows = select(MaintenanceRow).where(MaintenanceRow.removed_ms.is_(None))
    book.windows = {row.id: _window(row) for row in session.scalars(windows)}
    return book


def _write(session: Session, draft: Draft) -> None:
    new = [_row(alert) for ident, alert in draft.alerts.items() if ident in draft.new]
    changed = [_row(alert) for ident, alert in draft.alerts.items() if ident not in draft.new]
    if new:
        session.execute(insert(AlertRow), new)
    if changed:
        session.execute(update(AlertRow), changed)
    if draft.steps:
        session.execute(insert(AlertStepRow), [step._asdict() for step in draft.steps])
    if draft.notices:
        session.execute(insert(OutboxRow), [_outbox(notice) for notice in draft.notices])
    for ident, reason in draft.dropped.items():
        gone = update(OutboxRow).where(OutboxRow.id == ident)
        session.execute(gone.values(done_ms=draft.now_ms, trouble=reason))


def _row(alert: Alert) -> dict[str, Any]:
    episode = alert.episode
    life = {
        "taken_ms": alert.taken_ms,
        "risen_ms": alert.risen_ms,
        "over_ms": alert.over_ms,
        "told": {channel: [int(mark.level), mark.time_ms] for channel, mark in alert.told.items()},
        "escalated": dict(alert.escalated),
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_ms": alert.acknowledged_ms,
        "assigned": alert.assigned,
        "muted_until_ms": alert.muted_until_ms,
        "muted_level": int(alert.muted_level),
        "closed_by": alert.closed_by,
        "waits_until_ms": alert.waits_until_ms,
        "follows": alert.follows,
        "over_told": list(alert.over_told),
    }
    return {
        "id": alert.id,
        "rule": episode.rule,
        "node": episode.node,
        "start_ms": episode.start_ms,
        "end_ms": episode.end_ms,
        "closed_ms": alert.closed_ms,
        "level": int(episode.level if episode.is_open else episode.highest),
        "cause": alert.cause,
        "settled": alert.settled,
        "episode": episode.to_dict(),
        "life": life,
    }


def _alert(row: AlertRow) -> Alert:
    life: Mapping[str, Any] = row.life
    return Alert(
        id=row.id,
        episode=Episode.from_dict(row.episode),
        cause=row.cause,
        settled=row.settled,
        closed_ms=row.closed_ms,
        **{
            **life,
            "told": {
                channel: Mark(Level(level), time_ms) for channel, (level, time_ms) in life["told"].items()
            },
            "over_told": tuple(life["over_told"]),
        },
    )


def _outbox(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "channel": notice.channel,
        "kind": notice.reason.value,
        "level": int(notice.level),
        "was": notice.was,
        "made_ms": notice.made_ms,
        "alerts": list(notice.alerts),
        "digest": notice.digest,
        "trouble": "",
    }


def _notice(row: OutboxRow) -> Notice:
    return Notice(
        id=row.id,
        channel=row.channel,
        reason=Reason(row.kind),
        level=Level(row.level),
        was=row.was,
        made_ms=row.made_ms,
        alerts=tuple(row.alerts),
        digest=row.digest,
    )


def _window(row: MaintenanceRow) -> Window:
    return Window(
        id=row.id,
        from_ms=row.from_ms,
        until_ms=row.until_ms,
        nodes=tuple(row.nodes),
        district=row.district,
        rule=row.rule,
        text=row.text,
        who=row.who,
    )
