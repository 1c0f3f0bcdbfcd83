"""Roll-outs in the registry: rows to values and back, within a transaction of the caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from cloud.errors import Conflict, NotFound
from cloud.ota.plan import Course, Member, Plan, Rollout, Turn
from cloud.registry.device_tables import DeviceRow, RolloutNodeRow, RolloutRow
from cloud.registry.models import NodeRow

NAMES_AT_ONCE = 500


class Known(NamedTuple):
    """A node, and what its newest birth said, if it was heard."""

    node: str
    kind: str
    firmware: str | None
    trial: bool | None
    born_ms: int | None


def rollout(row: RolloutRow) -> Rollout:
    """Return the roll-out of a row."""
    return Rollout(
        id=row.id,
        version=row.version,
        board=row.board,
        digest=row.digest,
        size=row.size,
        url=row.url,
        force=row.force,
        rings=tuple(row.rings),
        ring=row.ring,
        who=row.who,
        made_ms=row.made_ms,
        state=Course(row.state),
        why=row.why,
    )


def members(session: Session, ident: int) -> list[Member]:
    """Return the nodes of a roll-out in their order."""
    row = RolloutNodeRow
    query = select(row.node, row.place, row.ring, row.state, row.why, row.command, row.began_ms)
    return [
        Member(
            node=node, place=place, ring=ring, state=Turn(state), why=why, command=command, began_ms=began_ms
        )
        for node, place, ring, state, why, command, began_ms in session.execute(
            query.where(row.rollout == ident).order_by(row.place)
        )
    ]  # fmt: skip


def write_members(session: Session, ident: int, found: Iterable[Member]) -> None:
    """Write the nodes of a new roll-out."""
    session.execute(
        insert(RolloutNodeRow),
        [{"rollout": ident, "node": member.node, "place": member.place, **_turn(member)} for member in found],
    )


def write(session: Session, planned: Plan, before: Sequence[Member]) -> None:
    """Write a roll-out as a plan leaves it, and those of its nodes that changed."""
    row = session.get_one(RolloutRow, planned.rollout.id)
    row.ring, row.state, row.why = planned.rollout.ring, planned.rollout.state.value, planned.rollout.why
    known = {member.node: member for member in before}
    changed = [member for member in planned.members if member != known[member.node]]
    if changed:
        session.execute(
            update(RolloutNodeRow),
            [{"rollout": row.id, "node": member.node, **_turn(member)} for member in changed],
        )


def _turn(member: Member) -> dict[str, object]:
    return {
        "ring": member.ring,
        "state": member.state.value,
        "why": member.why,
        "command": member.command,
        "began_ms": member.began_ms,
    }


def known(session: Session, nodes: Sequence[str]) -> Iterator[Known]:
    """Yield what is known of nodes."""
    for first in range(0, len(nodes), NAMES_AT_ONCE):
        yield from (
            Known(*row)
            for row in session.execute(
                select(NodeRow.id, NodeRow.kind, DeviceRow.firmware, DeviceRow.trial, DeviceRow.born_ms)
                .outerjoin(DeviceRow, DeviceRow.node == NodeRow.id)
                .where(NodeRow.id.in_(nodes[first : first + NAMES_AT_ONCE]))
            )
        )


def choose(
    session: Session, board: str, named: Collection[str], kind: str | None, district: str | None
) -> list[str]:
    """Return the nodes that are meant; raise for a named one that does not exist or has another board.

    Without names those whose birth names the board; a node that was never heard may be named.
    """
    query = select(NodeRow.id, DeviceRow.hardware).outerjoin(DeviceRow, DeviceRow.node == NodeRow.id)
    if kind is not None:
        query = query.where(NodeRow.kind == kind)
    if district is not None:
        query = query.where(NodeRow.district == district)
    boards = dict(session.execute(query).all())
    for node in named:
        if node not in boards:
            raise NotFound(f"node {node!r} is not among those meant", remedy="see GET /api/v1/nodes")
        if boards[node] not in (None, board):
            raise Conflict(f"{node} is a {boards[node]}, the bundle is for {board}", remedy="leave it out")
    return [node for node, hardware in boards.items() if (node in named if named else hardware == board)]


def told(rollout: Rollout, found: Sequence[Member]) -> dict[str, object]:
    """Return a roll-out as the API tells it, without its nodes."""
    count = Counter(member.state for member in found)
    return {
        "id": rollout.id,
        "version": rollout.version,
        "board": rollout.board,
        "digest": rollout.digest,
        "size": rollout.size,
        "force": rollout.force,
        "rings": list(rollout.rings),
        "ring": rollout.ring,
        "who": rollout.who,
        "made_ms": rollout.made_ms,
        "state": rollout.state.value,
        "why": rollout.why,
        "total": len(found),
        "counts": {turn.value: count[turn] for turn in Turn},
    }
