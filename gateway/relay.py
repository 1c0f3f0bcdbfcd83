"""Commands on their way to nodes, and their replies on the way back.

The cloud is the memory of commands: it tells all that are unfinished with each report, and a gateway that
starts anew just hears them again. A node is told when it is heard, since it may have slept, and again until
it answers; doing a command once is the node's business. Replies stand in the journal until the cloud has them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from edge.model.errors import CityError, WireError
from edge.protocol.command import Command, Reply, Status, encode_command
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Birth
from gateway.arrival import Source

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 10.0
ACCEPTED_AGAIN_AFTER_S = 60.0  # its last word may have been lost


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as it waits for the cloud."""

    node: str
    reply: Reply
    time_ms: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as the cloud's API takes it."""
        return {
            "node": self.node,
            "id": self.reply.id,
            "status": int(self.reply.status),
            "detail": self.reply.detail,
            "time_ms": self.time_ms,
        }


class Born(NamedTuple):
    """What the cloud keeps of a birth."""

    node: str
    firmware: str
    hardware: str
    serial: str
    boot: int
    trial: bool
    time_ms: int


@dataclass(slots=True)
class _Pending:
    node: str
    payload: bytes
    expires_ms: int
    sent_ms: int | None = None
    accepted: bool = False


class Relay:
    """What nodes are to be told, and what the cloud is to be told of nodes.

    has_cloud: whether anybody will ever fetch what is to be told.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.has_cloud = False
        self._pending: dict[int, _Pending] = {}
        self._by_node: dict[str, list[int]] = {}
        self._answered: set[int] = set()  # the cloud may not have heard of it when it tells its list again
        self._sent: dict[int, tuple[str, int]] = {}  # which the cloud does not know yet
        self._births: dict[str, Born] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def renew(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the cloud's list of unfinished commands: what is not on it any more is finished."""
        found: dict[int, _Pending] = {}
        listed = set()
        for row in rows:
            ident = int(row["id"])
            listed.add(ident)
            if ident in self._answered:
                continue
            if ident in self._pending:
                found[ident] = self._pending[ident]
                continue
            command = Command(ident, row["name"], row["args"], int(row["expires_ms"]))
            try:
                found[ident] = _Pending(row["node"], encode_command(command), command.expires_ms)
            except (WireError, CityError, ValueError, TypeError) as error:
                log.error("command %d to %s cannot be said: %s", ident, row["node"], error)
        self._answered &= listed
        self._pending = found
        self._by_node = {}
        for ident, pending in found.items():
            self._by_node.setdefault(pending.node, []).append(ident)

    def say(self, nodes: set[str], source: Source) -> None:
        """Say to these nodes, which were heard just now, what they have not been told lately."""
        now_ms = round(self._now() * 1000)
        for node in self._by_node.keys() & nodes:
            for ident in self._by_node[node]:
                pending = self._pending[ident]
                wait_s = ACCEPTED_AGAIN_AFTER_S if pending.accepted else AGAIN_AFTER_S
                if pending.sent_ms is not None and now_ms - pending.sent_ms < 1000 * wait_s:
                    continue
                if pending.expires_ms <= now_ms:
                    continue
                if pending.sent_ms is None:
                    self._sent[ident] = (node, now_ms)
                pending.sent_ms = now_ms
                source.send(topic(node, Leaf.CMD), pending.payload)

    def answered(self, answers: Iterable[Answer]) -> None:
        """These replies are on the disk."""
        for answer in answers:
            ident = answer.reply.id
            pending = self._pending.get(ident)
            if pending is None or pending.node != answer.node:
                continue
            if answer.reply.status is Status.ACCEPTED:
                pending.accepted = True
                continue
            self._answered.add(ident)
            del self._pending[ident]
            self._by_node[answer.node].remove(ident)

    def born(self, birth: Birth, time_ms: int) -> None:
        """A node said what it is."""
        if self.has_cloud:
            self._births[birth.node] = Born(
                birth.node, birth.firmware, birth.hardware, birth.serial, birth.boot, birth.trial, time_ms
            )

    def news(self, most: int) -> tuple[list[Born], list[dict[str, Any]]]:
        """Return births and commands sent, which the cloud does not know yet."""
        births = [self._births[node] for node in list(self._births)[:most]]
        sent = [{"node": node, "id": ident, "sent_ms": ms} for ident, (node, ms) in self._sent.items()]
        return births, sent[:most]

    def told(self, births: Iterable[Born], sent: Iterable[Mapping[str, Any]]) -> None:
        """The cloud knows these."""
        for born in births:
            if self._births.get(born.node) == born:
                del self._births[born.node]
        for row in sent:
            self._sent.pop(row["id"], None)


def write(db: sqlite3.Connection, answers: Iterable[Answer]) -> None:
    """Write replies, within the caller's transaction; what is final is not overwritten by ACCEPTED."""
    db.executemany(
        "INSERT INTO reply (node, id, status, detail, time_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET status = excluded.status, detail = excluded.detail,"
        f" time_ms = excluded.time_ms WHERE excluded.status != {int(Status.ACCEPTED)}",
        [
            (
                answer.node,
                answer.reply.id,
                int(answer.reply.status),
                json.dumps(answer.reply.detail),
                answer.time_ms,
            )
            for answer in answers
        ],
    )


def waiting(db: sqlite3.Connection, most: int) -> list[Answer]:
    """Return replies that the cloud does not have, the oldest first."""
    rows = db.execute(
        "SELECT node, id, status, detail, time_ms FROM reply ORDER BY time_ms LIMIT ?", (most,)
    ).fetchall()
    found = []
    for node, ident, status, text, time_ms in rows:
        try:
            detail = json.loads(text)
        except ValueError:
            detail = {"error": "the reply was damaged on the gateway's disk"}
        found.append(Answer(node, Reply(ident, Status(status), detail), time_ms))
    return found


def remove(db: sqlite3.Connection, answers: Iterable[Answer]) -> None:
    """Remove replies that the cloud has; one that changed meanwhile stays."""
    db.executemany(
        "DELETE FROM reply WHERE node = ? AND id = ? AND status = ?",
        [(answer.node, answer.reply.id, int(answer.reply.status)) for answer in answers],
    )
