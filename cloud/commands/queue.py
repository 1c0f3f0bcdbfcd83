"""The commands in the registry: asked for, handed to gateways, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cloud.commands.command import UNFINISHED, Command, State, Word, aged, checked, heard, sayable
from cloud.errors import Conflict, NotFound
from cloud.registry import Registry
from cloud.registry.device_tables import CommandRow, DeviceRow
from cloud.registry.models import NodeRow

MOST_TOLD = 100
MOST_WAITING = 100


class CommandQueue:
    """The one place where commands are made and change; every change is one transaction."""

    def __init__(self, registry: Registry, *, now_ms: Callable[[], int]) -> None:
        self._registry, self._now_ms = registry, now_ms

    async def ask(self, node: str, name: str, args: Mapping[str, Any], *, expires_s: int, who: str) -> Command:
        """Queue a command. Raises NotFound, InvalidRequest, Conflict."""
        now_ms = self._now_ms()

        def work(session: Session) -> Command:
            if session.get(NodeRow, node) is None:
                raise NotFound(f"node {node!r} is not registered", remedy="see GET /api/v1/nodes")
            waiting = select(func.count()).where(CommandRow.node == node, CommandRow.state.in_(UNFINISHED))
            if (session.scalar(waiting) or 0) >= MOST_WAITING:
                raise Conflict(f"{MOST_WAITING} commands wait for {node}", remedy="wait until some are done")
            return make(session, node, name, args, who=who, now_ms=now_ms, expires_s=expires_s)

        return await self._registry.transact(work)

    async def one(self, ident: int) -> Command:
        """Return a command. Raises NotFound."""

        def work(session: Session) -> Command:
            row = session.get(CommandRow, ident)
            if row is None:
                raise NotFound(f"there is no command {ident}", remedy="see GET /api/v1/nodes/ID/commands")
            return settled(row, self._now_ms())

        return await self._registry.transact(work)

    async def of_node(self, node: str) -> list[Command]:
        """Return a node's newest commands, the newest first."""
        query = select(CommandRow).where(CommandRow.node == node)
        query = query.order_by(CommandRow.id.desc()).limit(MOST_TOLD)

        def work(session: Session) -> list[Command]:
            return [settled(row, self._now_ms()) for row in session.scalars(query)]

        return await self._registry.transact(work)

    async def exchange(self, gateway: str, rows: Iterable[Mapping[str, Any]]) -> list[Command]:
        """Take what a gateway heard of commands; return all that its nodes have not finished."""
        now_ms = self._now_ms()
        words = [Word.from_dict(row, now_ms) for row in rows]

        def work(session: Session) -> list[Command]:
            take(session, words)
            return [
                command
                for row in session.scalars(_of_gateway(gateway))
                if (command := settled(row, now_ms)).state in UNFINISHED
            ]

        return await self._registry.transact(work)


def make(
    session: Session, node: str, name: str, args: Mapping[str, Any], *, who: str, now_ms: int, expires_s: int
) -> Command:
    """Queue a command within the caller's transaction. Raises InvalidRequest."""
    command = sayable(
        Command(
            id=_number(session, now_ms),
            node=node,
            name=name,
            args=checked(name, args),
            who=who,
            made_ms=now_ms,
            expires_ms=now_ms + 1_000 * expires_s,
        )
    )
    session.add(
        CommandRow(
            id=command.id,
            node=node,
            name=name,
            args=dict(command.args),
            who=who,
            made_ms=now_ms,
            expires_ms=command.expires_ms,
            state=command.state.value,
        )
    )
    session.flush()
    return command


def take(session: Session, words: Sequence[Word]) -> None:
    """Merge what was heard of commands, within the caller's transaction; unknown numbers are nobody's."""
    for word in words:
        row = session.get(CommandRow, word.id)
        if row is None:
            continue
        command = heard(read(row), word)
        write(row, command)
        if command.name == "update" and command.state is State.DONE:
            _proven(session, command)


def _proven(session: Session, command: Command) -> None:
    """An update is done when it proved itself: its trial is over, also if no further birth says so."""
    device = session.get(DeviceRow, command.node)
    if device is not None and device.firmware == command.args["version"]:
        device.trial = False


def settled(row: CommandRow, now_ms: int) -> Command:
    """Return the command of a row as the time leaves it, and keep that."""
    command = aged(read(row), now_ms)
    write(row, command)
    return command


def read(row: CommandRow) -> Command:
    """Return the command of a row."""
    return Command(
        id=row.id,
        node=row.node,
        name=row.name,
        args=row.args,
        who=row.who,
        made_ms=row.made_ms,
        expires_ms=row.expires_ms,
        state=State(row.state),
        detail=row.detail,
        sent_ms=row.sent_ms,
        replied_ms=row.replied_ms,
    )


def write(row: CommandRow, command: Command) -> None:
    """Put what became of a command into its row; what is equal is not written."""
    for name, value in (
        ("state", command.state.value),
        ("detail", command.detail),
        ("sent_ms", command.sent_ms),
        ("replied_ms", command.replied_ms),
    ):
        if getattr(row, name) != value:
            setattr(row, name, value)


def _number(session: Session, now_ms: int) -> int:
    """Return the number of a new command: never one that was given before.

    A node repeats its reply to a number that it knows. Numbers that follow the clock stay new also when the
    registry was restored from a backup.
    """
    last = session.scalar(select(func.max(CommandRow.id))) or 0
    return max(int(last) + 1, now_ms // 1_000)


def _of_gateway(gateway: str) -> Any:
    """Unfinished commands of a gateway's nodes; a node of no gateway belongs to who heard its birth."""
    return (
        select(CommandRow)
        .join(NodeRow, NodeRow.id == CommandRow.node)
        .outerjoin(DeviceRow, DeviceRow.node == CommandRow.node)
        .where(
            CommandRow.state.in_(UNFINISHED),
            or_(NodeRow.gateway == gateway, NodeRow.gateway.is_(None) & (DeviceRow.heard_by == gateway)),
        )
        .order_by(CommandRow.id)
    )
