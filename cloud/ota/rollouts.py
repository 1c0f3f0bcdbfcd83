"""Roll-outs as a service: reads what is known, asks the plan, writes what it says; all in one transaction.

Nothing is kept in memory, so a roll-out goes on after a restart as if nothing had been.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.board import Board
from cloud.commands import queue
from cloud.commands.command import withdrawn
from cloud.errors import CloudError, Conflict, InvalidRequest, NotFound
from cloud.ota import depot, rows
from cloud.ota.plan import (
    TELL_WITHIN_S,
    UNDER_WAY,
    Course,
    Member,
    Plan,
    Rollout,
    Seen,
    Turn,
    draw,
    halted,
    plan,
    resumed,
)
from cloud.registry import Registry
from cloud.registry.device_tables import CommandRow, RolloutNodeRow, RolloutRow
from cloud.state import SILENT_AFTER_PERIODS
from edge.model.kinds import KINDS

LOOK_EVERY_S = 10.0
LEAST_PAUSE_S = 0.5
LEAST_PATIENCE_MS = 600_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A roll-out as it is asked for; with no nodes, kind and district: every node of the board."""

    version: str
    board: str
    nodes: Collection[str] = ()
    kind: str | None = None
    district: str | None = None
    rings: tuple[int, ...] = (1, 10, 100)
    force: bool = False
    who: str
    origin: str


class Rollouts:
    """Starts, steps, stops and tells roll-outs. `run` steps those under way."""

    def __init__(self, registry: Registry, board: Board, *, now_ms: Callable[[], int]) -> None:
        self._registry, self._board, self._now_ms = registry, board, now_ms
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something was heard of nodes: look at once."""
        self._news.set()

    async def run(self) -> None:
        """Step what is under way until cancelled."""
        while True:
            try:
                await self.step()
            except CloudError as error:
                _log.warning("roll-outs were not looked at: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            await asyncio.sleep(LEAST_PAUSE_S)  # gateways bring their news one after the other
            self._news.clear()

    async def step(self) -> None:
        """Look once at every roll-out that runs, or that was stopped while nodes were under way."""
        heard = {reading.node: reading.time_ms for reading in self._board.all()}
        moving = select(RolloutNodeRow.rollout).where(RolloutNodeRow.state.in_(UNDER_WAY))
        query = (
            select(RolloutRow)
            .where((RolloutRow.state == Course.RUNNING.value) | RolloutRow.id.in_(moving))
            .order_by(RolloutRow.id)
        )

        def work(session: Session) -> list[str]:
            found = [rows.rollout(row) for row in session.scalars(query)]
            return [said for rollout in found if (said := self._step(session, rollout, heard))]

        for said in await self._registry.transact(work):
            _log.warning("%s", said)

    async def start(self, wish: Wish) -> dict[str, object]:
        """Begin a roll-out; return it. Raises NotFound, Conflict, InvalidRequest."""
        heard = {reading.node: reading.time_ms for reading in self._board.all()}

        def work(session: Session) -> int:
            bundle = depot.find(session, wish.version, wish.board)
            _require_alone(session, wish.board)
            nodes = rows.choose(session, wish.board, wish.nodes, wish.kind, wish.district)
            if not nodes:
                raise InvalidRequest(
                    f"no node with the board {wish.board} is meant", remedy="see GET /api/v1/nodes/ID/device"
                )
            row = RolloutRow(
                version=wish.version, board=wish.board, digest=bundle.digest, size=bundle.size,
                url=f"{wish.origin}/firmware/{bundle.digest}", force=wish.force, rings=list(wish.rings), ring=0,
                who=wish.who, made_ms=self._now_ms(), state=Course.RUNNING.value, why="", steps=[],
            )  # fmt: skip
            session.add(row)
            session.flush()
            self._note(session, row.id, wish.who, "start")
            seen = self._seen(session, [Member(node=node, place=0, ring=0) for node in nodes], heard)
            now_ms = self._now_ms()
            silent = {node for node in nodes if seen[node].silent_at(now_ms)}
            rows.write_members(session, row.id, draw(nodes, wish.rings, silent))
            session.flush()
            self._step(session, rows.rollout(row), heard)
            return row.id

        return await self.one(await self._registry.transact(work))

    async def stop(self, ident: int, who: str) -> dict[str, object]:
        """Stop a roll-out: nobody else is told. Raises NotFound, Conflict."""

        def work(session: Session) -> None:
            rollout = _found(session, ident)
            if rollout.state is Course.DONE:
                raise Conflict(f"the roll-out {ident} is done", remedy="roll out another version")
            if rollout.state is Course.RUNNING:
                members = rows.members(session, ident)
                self._stop(session, replace(rollout, why=f"stopped by {who}"), members, members)
                self._note(session, ident, who, "stop")

        await self._registry.transact(work)
        return await self.one(ident)

    async def resume(self, ident: int, who: str) -> dict[str, object]:
        """Let a stopped roll-out go on; what went wrong has another try. Raises NotFound, Conflict."""

        def work(session: Session) -> None:
            rollout = _found(session, ident)
            if rollout.state is Course.STOPPED:
                _require_alone(session, rollout.board)
                members = rows.members(session, ident)
                rows.write(session, resumed(rollout, members), members)
                self._note(session, ident, who, "resume")

        await self._registry.transact(work)
        await self.step()
        return await self.one(ident)

    async def all(self) -> list[dict[str, object]]:
        """Return the roll-outs, the newest first, with the counts of their nodes."""

        def work(session: Session) -> list[dict[str, object]]:
            query = select(RolloutRow).order_by(RolloutRow.id.desc()).limit(100)
            found = [rows.rollout(row) for row in session.scalars(query)]
            return [rows.told(rollout, rows.members(session, rollout.id)) for rollout in found]

        return await self._registry.transact(work)

    async def one(self, ident: int) -> dict[str, object]:
        """Return a roll-out with its nodes. Raises NotFound."""

        def work(session: Session) -> dict[str, object]:
            rollout, members = _found(session, ident), rows.members(session, ident)
            nodes = [
                {"node": member.node, "ring": member.ring, "state": member.state.value, "why": member.why}
                for member in members
            ]
            steps = session.get_one(RolloutRow, ident).steps
            return {**rows.told(rollout, members), "nodes": nodes, "steps": steps}

        return await self._registry.transact(work)

    async def of_node(self, node: str) -> dict[str, object] | None:
        """Return the newest roll-out that a node takes part in and its state in it, None if there is none."""

        def work(session: Session) -> dict[str, object] | None:
            query = select(RolloutNodeRow).where(RolloutNodeRow.node == node)
            member = session.scalar(query.order_by(RolloutNodeRow.rollout.desc()).limit(1))
            if member is None:
                return None
            rollout = _found(session, member.rollout)
            return {
                "id": rollout.id,
                "version": rollout.version,
                "state": member.state,
                "rollout_state": rollout.state.value,
                "why": member.why,
            }

        return await self._registry.transact(work)

    def _step(self, session: Session, rollout: Rollout, heard: dict[str, int]) -> str:
        """Take one step; return what people should read in the log."""
        now_ms = self._now_ms()
        members = rows.members(session, rollout.id)
        planned = plan(rollout, members, self._seen(session, members, heard), now_ms)
        if planned.rollout.state is Course.STOPPED and rollout.state is Course.RUNNING:
            self._stop(session, planned.rollout, planned.members, members)
            self._note(session, rollout.id, "", "stop", planned.rollout.why)
            return f"roll-out {rollout.id} of {rollout.version} stopped: {planned.rollout.why}"
        rows.write(session, replace(planned, members=self._told(session, planned, now_ms)), members)
        return ""

    def _told(self, session: Session, planned: Plan, now_ms: int) -> tuple[Member, ...]:
        """Queue the command for each node that is to be told; return the members with its number."""
        rollout = planned.rollout
        args = {
            "url": rollout.url,
            "size": rollout.size,
            "digest": rollout.digest,
            "version": rollout.version,
            **({"force": 1} if rollout.force else {}),
        }
        numbers = {
            node: queue.make(
                session, node, "update", args,
                who=f"roll-out {rollout.id}", now_ms=now_ms, expires_s=TELL_WITHIN_S,
            ).id
            for node in planned.tell
        }  # fmt: skip
        return tuple(
            replace(member, command=numbers[member.node]) if member.node in numbers else member
            for member in planned.members
        )

    def _note(self, session: Session, ident: int, who: str, step: str, text: str = "") -> None:
        row = session.get_one(RolloutRow, ident)
        row.steps = [*row.steps, {"time_ms": self._now_ms(), "who": who, "step": step, "text": text}]

    def _stop(
        self, session: Session, rollout: Rollout, members: Sequence[Member], before: Sequence[Member]
    ) -> None:
        """Stop, and take back what no node has begun with."""
        back = []
        for member in members:
            row = session.get(CommandRow, member.command) if member.state is Turn.SENT else None
            if row is None:
                continue
            command = queue.settled(row, self._now_ms())
            after = withdrawn(command, f"the roll-out {rollout.id} was stopped")
            if after is not command:
                queue.write(row, after)
                back.append(member.node)
        rows.write(session, halted(rollout, members, back, rollout.why), before)

    def _seen(self, session: Session, members: Sequence[Member], heard: dict[str, int]) -> dict[str, Seen]:
        """Return what is known now of the nodes that are not done."""
        open_ = {member.node: member for member in members if member.state is not Turn.DONE}
        found = {}
        for node, kind, firmware, trial, born_ms in rows.known(session, sorted(open_)):
            member = open_[node]
            row = session.get(CommandRow, member.command) if member.state in UNDER_WAY else None
            found[node] = Seen(
                firmware=firmware,
                trial=bool(trial),
                heard_ms=max(filter(None, (born_ms, heard.get(node))), default=None),
                patience_ms=max(LEAST_PATIENCE_MS, round(1_000 * KINDS[kind].period_s * SILENT_AFTER_PERIODS)),
                command=queue.settled(row, self._now_ms()) if row is not None else None,
            )
        return found


def _found(session: Session, ident: int) -> Rollout:
    row = session.get(RolloutRow, ident)
    if row is None:
        raise NotFound(f"there is no roll-out {ident}", remedy="see GET /api/v1/rollouts")
    return rows.rollout(row)


def _require_alone(session: Session, board: str) -> None:
    query = select(RolloutRow.id).where(RolloutRow.board == board, RolloutRow.state == Course.RUNNING.value)
    other = session.scalar(query)
    if other is not None:
        raise Conflict(
            f"the roll-out {other} for {board} is under way", remedy=f"POST /api/v1/rollouts/{other}/stop first"
        )
