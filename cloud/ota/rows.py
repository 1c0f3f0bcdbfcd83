"""Roll-outs in the registry: rows to values and back, within a transaction of the caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import Conflict, NotFound
from cloud.ota.plan import Course, Member, Plan, Rollout, Turn
from cloud.registry.device_tables import DeviceRow, RolloutNodeRow, RolloutRow
from cloud.registry.models import NodeRow


def rollout(row: RolloutRow) -> Rollout:
    """Return the roll-out of a row."""
    return Rollout(
        id=row.id,
        version=row.version,
        board=row.board,
        digest=row.digest,
        size=row.size,
        url=row.url,
        rings=tuple(row.rings),
        ring=row.ring,
        who=row.who,
        made_ms=row.made_ms,
        state=Course(row.state),
        why=row.why,
    )


def members(session: Session, ident: int) -> list[Member]:
    """Return the nodes of a roll-out in their order."""
    query = select(RolloutNodeRow).where(RolloutNodeRow.rollout == ident).order_by(RolloutNodeRow.place)
    return [
        Member(
            node=row.node,
            place=row.place,
            ring=row.ring,
            state=Turn(row.state),
            why=row.why,
            command=row.command,
            began_ms=row.began_ms,
        )
        for row in session.scalars(query)
    ]


def write_members(session: Session, ident: int, found: Iterable[Member]) -> None:
    """Write the nodes of a new roll-out."""
    for member in found:
        session.add(
            RolloutNodeRow(
                rollout=ident,
                node=member.node,
                place=member.place,
                ring=member.ring,
                state=member.state.value,
                why=member.why,
                command=member.command,
                began_ms=member.began_ms,
            )
        )


def write(session: Session, planned: Plan) -> None:
    """Write a roll-out and its nodes as a plan leaves them; what is equal costs nothing."""
    ident = planned.rollout.id
    row = session.get_one(RolloutRow, ident)
    row.ring, row.state, row.why = planned.rollout.ring, planned.rollout.state.value, planned.rollout.why
    query = select(RolloutNodeRow).where(RolloutNodeRow.rollout == ident)
    by_node = {row.node: row for row in session.scalars(query)}
    for member in planned.members:
        known = by_node[member.node]
        known.state, known.why = member.state.value, member.why
        known.command, known.began_ms = member.command, member.began_ms


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
        "rings": list(rollout.rings),
        "ring": rollout.ring,
        "who": rollout.who,
        "made_ms": rollout.made_ms,
        "state": rollout.state.value,
        "why": rollout.why,
        "total": len(found),
        "counts": {turn.value: count[turn] for turn in Turn},
    }
