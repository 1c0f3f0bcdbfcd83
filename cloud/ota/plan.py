"""A roll-out, step by step, pure: what is known of its nodes in, what to do next out.

Rings are shares of the nodes in a stable order (1, 10, 100 %). A ring begins when all of the ring before run
the new version off trial. A node that is silent before its turn is not waited for: it has its turn when it is
heard again. A ring that goes wrong stops the roll-out, which then says why and waits for people.

    waiting ──► sent ──► trial ──► done          returned: the node is back on the version before, or said no
       ▲│         └────────┴─────► returned      silent: no word of it any more since its turn
     away                   └────► silent
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cloud.commands.command import Command, State

AT_ONCE = 200
"""How many nodes fetch a bundle at the same time: the street's links are narrow."""
TRIAL_WITHIN_MS = 2 * 3_600_000
"""How long after it was told a node may take until it runs the new version off trial."""
TELL_WITHIN_S = 86_400
"""How long a node is waited for to be told: it may sleep."""
TOLERATED_PCT = 5


class Turn(StrEnum):
    """Where a node is in a roll-out."""

    WAITING = "waiting"
    AWAY = "away"
    SENT = "sent"
    TRIAL = "trial"
    DONE = "done"
    RETURNED = "returned"
    SILENT = "silent"


UNDER_WAY = (Turn.SENT, Turn.TRIAL)
WRONG = (Turn.RETURNED, Turn.SILENT)


class Course(StrEnum):
    """Where a roll-out is."""

    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """A roll-out of one bundle. `rings` are per cent, growing, 100 last; `ring` is the one under way.

    `force`: nodes take it also if it is older than what they run.
    """

    id: int
    version: str
    board: str
    digest: str
    size: int
    url: str
    force: bool = False
    rings: tuple[int, ...]
    ring: int = 0
    who: str
    made_ms: int
    state: Course = Course.RUNNING
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A node in a roll-out. `place` is its place in the stable order; `command` the one that tells it."""

    node: str
    place: int
    ring: int
    state: Turn = Turn.WAITING
    why: str = ""
    command: int | None = None
    began_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is known of a node now; `heard_ms` is its newest sign of life, which counts for `patience_ms`."""

    firmware: str | None = None
    trial: bool = False
    heard_ms: int | None = None
    patience_ms: int = 1_200_000
    command: Command | None = None

    def silent_at(self, now_ms: int) -> bool:
        """Tell whether the node has been quiet for longer than is usual for it."""
        return self.heard_ms is None or now_ms - self.heard_ms > self.patience_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to do next: the roll-out and its members as they are now, and whom to tell."""

    rollout: Rollout
    members: tuple[Member, ...]
    tell: tuple[str, ...] = field(default=())


UNSEEN = Seen()


def order(nodes: Iterable[str]) -> list[str]:
    """Return nodes in an order that has nothing to do with where they stand, and is always the same."""
    return sorted(nodes, key=lambda node: (hashlib.sha256(node.encode()).digest(), node))


def draw(nodes: Iterable[str], rings: Sequence[int], silent: Collection[str] = ()) -> list[Member]:
    """Return the members of a roll-out with their rings; even the smallest ring has a node.

    Nodes that are silent now come last: the first ring has to prove something.
    """
    ordered = sorted(order(nodes), key=lambda node: node in silent)
    ends = [-(-len(ordered) * share // 100) for share in rings]
    return [
        Member(node=node, place=place, ring=next(ring for ring, end in enumerate(ends) if place < end))
        for place, node in enumerate(ordered)
    ]


def plan(rollout: Rollout, members: Sequence[Member], seen: Mapping[str, Seen], now_ms: int) -> Plan:
    """Return what is to be done now. What happened on its own is taken in also while it is stopped."""
    found = [_looked_at(member, rollout, seen.get(member.node, UNSEEN), now_ms) for member in members]
    if rollout.state is not Course.RUNNING:
        return Plan(rollout=rollout, members=tuple(found))
    why = _wrong(rollout, found)
    if why:
        return Plan(rollout=replace(rollout, state=Course.STOPPED, why=why), members=tuple(found))
    ring = rollout.ring
    last = len(rollout.rings) - 1
    while ring < last and _complete(found, ring):
        ring += 1
    rollout = replace(rollout, ring=ring)
    if all(member.state is Turn.DONE or member.state in WRONG for member in found):
        return Plan(rollout=replace(rollout, state=Course.DONE), members=tuple(found))
    room = AT_ONCE - sum(member.state in UNDER_WAY for member in found)
    tell: list[str] = []
    for index, member in enumerate(found):
        if member.ring > ring or member.state not in (Turn.WAITING, Turn.AWAY):
            continue
        if seen.get(member.node, UNSEEN).silent_at(now_ms):
            found[index] = replace(member, state=Turn.AWAY, why="not heard")
        elif len(tell) < room:
            found[index] = replace(member, state=Turn.SENT, why="", began_ms=now_ms)
            tell.append(member.node)
        else:
            found[index] = replace(member, state=Turn.WAITING, why="")
    return Plan(rollout=rollout, members=tuple(found), tell=tuple(tell))


def resumed(rollout: Rollout, members: Iterable[Member]) -> Plan:
    """Return the roll-out on its way again; what went wrong has another try."""
    again = tuple(
        replace(member, state=Turn.WAITING, why="", command=None, began_ms=None)
        if member.state in WRONG
        else member
        for member in members
    )
    return Plan(rollout=replace(rollout, state=Course.RUNNING, why=""), members=again)


def halted(rollout: Rollout, members: Iterable[Member], withdrawn: Iterable[str], why: str) -> Plan:
    """Return the roll-out stopped by somebody; the nodes whose command was withdrawn wait again."""
    back = set(withdrawn)
    found = tuple(
        replace(member, state=Turn.WAITING, command=None, began_ms=None) if member.node in back else member
        for member in members
    )
    return Plan(rollout=replace(rollout, state=Course.STOPPED, why=why), members=found)


def _looked_at(member: Member, rollout: Rollout, seen: Seen, now_ms: int) -> Member:
    """Return a member as what is known of its node leaves it."""
    runs = seen.firmware == rollout.version
    if member.state in (Turn.WAITING, Turn.AWAY, *WRONG):
        arrived = runs and not seen.trial
        return replace(member, state=Turn.DONE, why="") if arrived else member
    began_ms = member.began_ms
    if member.state is Turn.DONE or began_ms is None:
        return member
    command = seen.command
    said_done = command is not None and command.state is State.DONE
    if runs and (not seen.trial or said_done):
        return replace(member, state=Turn.DONE, why="")
    if command is not None and command.replied_ms is not None and not said_done:
        return replace(member, state=Turn.RETURNED, why=_words(command))
    if runs:
        member = replace(member, state=Turn.TRIAL)
    elif member.state is Turn.TRIAL:
        return replace(member, state=Turn.RETURNED, why=f"it returned to {seen.firmware}")
    if seen.silent_at(now_ms) and now_ms - began_ms > seen.patience_ms:
        return replace(member, state=Turn.SILENT, why="nothing was heard of it since")
    told_ms = command.sent_ms if command is not None else None
    if told_ms is not None and now_ms - told_ms > TRIAL_WITHIN_MS:
        return replace(member, state=Turn.RETURNED, why="it was told, and does not run the new version")
    if command is not None and command.state is State.EXPIRED:
        return replace(member, state=Turn.SILENT, why=_words(command))
    return member


def _words(command: Command) -> str:
    detail = command.detail
    said = detail.get("error") if isinstance(detail, dict) else detail
    return str(said or command.state.value)[:200]


def tolerated(size: int) -> int:
    """Return how many of a ring may go wrong: one, or 5 %; but never all of it."""
    return min(max(1, size * TOLERATED_PCT // 100), size - 1)


def _wrong(rollout: Rollout, members: Sequence[Member]) -> str:
    """Return why the roll-out has to stop, "" if it has not."""
    for ring in range(rollout.ring + 1):
        inside = [member for member in members if member.ring == ring and member.state is not Turn.AWAY]
        count = Counter(member.state for member in inside)
        bad = count[Turn.RETURNED] + count[Turn.SILENT]
        if inside and bad > tolerated(len(inside)):
            first = next(member for member in inside if member.state in WRONG)
            return (
                f"ring {rollout.rings[ring]} %: of {len(inside)} nodes {count[Turn.RETURNED]} returned,"
                f" {count[Turn.SILENT]} fell silent; {first.node}: {first.why}"
            )
    return ""


def _complete(members: Sequence[Member], ring: int) -> bool:
    """Tell whether the next ring may begin: all run the new version, but for the away and the tolerated."""
    settled = (Turn.DONE, Turn.AWAY, *WRONG)
    states = [member.state for member in members if member.ring == ring]
    return not states or (Turn.DONE in states and all(state in settled for state in states))
