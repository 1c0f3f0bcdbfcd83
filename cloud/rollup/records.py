"""What the cloud's database keeps of the roll-ups: how far they are, what each hour had, what is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.levels import Level
from cloud.registry import Registry
from cloud.registry.level_tables import DueRow, PositionRow, RolledRow
from cloud.stores.protocol import Span


class Due(NamedTuple):
    """A window that has to be rolled up."""

    level: Level
    kind: str
    start_ms: int


class Records:
    """What is written and asked of the roll-ups' state."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def position(self, name: str) -> int | None:
        """Return how far something was done, None if it never began."""
        return await self._registry.transact(
            lambda session: row.value if (row := session.get(PositionRow, name)) else None
        )

    async def move(self, positions: Mapping[str, int]) -> None:
        """Note how far things are done."""

        def write(session: Session) -> None:
            for name, value in positions.items():
                session.merge(PositionRow(name=name, value=value))

        await self._registry.transact(write)

    async def rolled(self, kind: str, span: Span) -> dict[int, int]:
        """Return how many fields the hours of a kind had when they were rolled up."""
        query = select(RolledRow).where(
            RolledRow.kind == kind, RolledRow.start_ms >= span.start_ms, RolledRow.start_ms < span.end_ms
        )
        return await self._registry.transact(
            lambda session: {row.start_ms: row.fields for row in session.scalars(query)}
        )

    async def note_rolled(self, kind: str, start_ms: int, fields: int, due: Iterable[Due]) -> None:
        """Note an hour as rolled up, and what is due because of it."""
        rows = [DueRow(**one._asdict()) for one in due]

        def write(session: Session) -> None:
            session.merge(RolledRow(kind=kind, start_ms=start_ms, fields=fields))
            for row in rows:
                session.merge(row)

        await self._registry.transact(write)

    async def due(self, level: Level) -> list[Due]:
        """Return what is due of a level, in the order of time."""
        query = select(DueRow).where(DueRow.level == level).order_by(DueRow.start_ms, DueRow.kind)
        return await self._registry.transact(
            lambda session: [Due(Level(row.level), row.kind, row.start_ms) for row in session.scalars(query)]
        )

    async def add_due(self, due: Iterable[Due]) -> None:
        """Note what is due."""
        rows = [DueRow(**one._asdict()) for one in due]
        await self._registry.transact(lambda session: [session.merge(row) for row in rows])

    async def done(self, due: Due) -> None:
        """Note that something is due no more."""
        gone = delete(DueRow).where(
            DueRow.level == due.level, DueRow.kind == due.kind, DueRow.start_ms == due.start_ms
        )
        await self._registry.transact(lambda session: session.execute(gone))

    async def forget(self, before_ms: int) -> None:
        """Forget what hours had that are not looked back at any more."""
        gone = delete(RolledRow).where(RolledRow.start_ms < before_ms)
        await self._registry.transact(lambda session: session.execute(gone))
