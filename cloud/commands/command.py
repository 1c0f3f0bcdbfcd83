"""A command's life, pure: what may be asked for, how replies merge, when it is over.

    queued ──► sent ──► accepted ──► done | refused | failed | expired

A node's final word wins over everything that the cloud assumed; the first final word stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cloud.errors import InvalidRequest
from edge.model.errors import WireError
from edge.protocol.command import NAMES, Status, encode_command
from edge.protocol.command import Command as Wire

HOUR_MS = 3_600_000
ACCEPTED_FOR_MS = HOUR_MS
"""How long after its end the final word of a command may come that the node has accepted."""


class State(StrEnum):
    """Where a command is in its life."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"


UNFINISHED = (State.QUEUED, State.SENT, State.ACCEPTED)
_BY_STATUS = {
    Status.DONE: State.DONE,
    Status.ACCEPTED: State.ACCEPTED,
    Status.REFUSED: State.REFUSED,
    Status.EXPIRED: State.EXPIRED,
    Status.FAILED: State.FAILED,
}
_ORDER = {State.QUEUED: 0, State.SENT: 1, State.ACCEPTED: 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command and what became of it. `replied_ms`: a final word came from the node."""

    id: int
    node: str
    name: str
    args: Mapping[str, Any]
    who: str
    made_ms: int
    expires_ms: int
    state: State = State.QUEUED
    detail: Any = None
    sent_ms: int | None = None
    replied_ms: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the command as the API tells it."""
        return {
            "id": self.id,
            "node": self.node,
            "name": self.name,
            "args": dict(self.args),
            "who": self.who,
            "made_ms": self.made_ms,
            "expires_ms": self.expires_ms,
            "state": self.state.value,
            "detail": self.detail,
            "replied_ms": self.replied_ms,
        }

    def for_gateway(self) -> dict[str, object]:
        """Return the command as a gateway takes it."""
        return {
            "id": self.id,
            "node": self.node,
            "name": self.name,
            "args": dict(self.args),
            "expires_ms": self.expires_ms,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """What a gateway tells of a command: that it was sent, or what the node replied."""

    node: str
    id: int
    status: Status | None
    detail: Any
    time_ms: int

    @classmethod
    def from_dict(cls, row: Mapping[str, Any], now_ms: int) -> Word:
        """Read a row of a report, which was checked."""
        status = row.get("status")
        time_ms = row.get("sent_ms") if status is None else row.get("time_ms")
        return cls(
            node=row["node"],
            id=int(row["id"]),
            status=None if status is None else Status(int(status)),
            detail=row.get("detail"),
            time_ms=now_ms if time_ms is None else int(time_ms),
        )


def heard(command: Command, word: Word) -> Command:
    """Return the command after this word, which may be late, repeated, or another node's."""
    if word.node != command.node:
        return command
    if word.status is None:
        sent = command.sent_ms if command.sent_ms is not None else word.time_ms
        return replace(command, sent_ms=sent, state=_later(command.state, State.SENT))
    state = _BY_STATUS[word.status]
    if state is State.ACCEPTED:
        after = _later(command.state, state)
        return command if after is command.state else replace(command, state=after, detail=word.detail)
    if command.replied_ms is not None:
        return command
    return replace(command, state=state, detail=word.detail, replied_ms=word.time_ms)


def _later(now: State, wanted: State) -> State:
    return wanted if now in _ORDER and _ORDER[now] < _ORDER[wanted] else now


def aged(command: Command, now_ms: int) -> Command:
    """Return the command as the time leaves it: what was not done in time is expired."""
    if command.state not in UNFINISHED:
        return command
    accepted = command.state is State.ACCEPTED
    if now_ms < command.expires_ms + (ACCEPTED_FOR_MS if accepted else 0):
        return command
    words = {
        State.QUEUED: "the node was not heard in time",
        State.SENT: "it was sent, and no reply came in time",
        State.ACCEPTED: "the node accepted it, and no final word came",
    }[command.state]
    return replace(command, state=State.EXPIRED, detail={"error": words})


def withdrawn(command: Command, why: str) -> Command:
    """Return the command taken back, if the node has not begun with it."""
    if command.state not in (State.QUEUED, State.SENT):
        return command
    return replace(command, state=State.EXPIRED, detail={"error": why})


MOST_DEPTH = 3
_MOST = 2**53
_RANGES = {
    "period_ms": (1_000, 86_400_000),
    "seconds": (1, 3_600),
    "level_pct": (0, 100),
    "minutes": (0, 7 * 1_440),
    "size": (1, 2**24),
    "force": (0, 1),
}
_TEXTS = {"url": r"http://[!-~]{3,249}", "digest": r"[0-9a-f]{64}", "version": r"[!-~]{1,32}"}
_REQUIRED = {
    "set": ("period_ms",),
    "update": ("url", "size", "digest", "version"),
}


def checked(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a command. Raises InvalidRequest naming the one that is wrong."""
    if name not in NAMES:
        raise InvalidRequest(f"there is no command {name[:40]!r}", remedy=f"known are: {', '.join(NAMES)}")
    for key in args:
        if key not in NAMES[name]:
            known = ", ".join(NAMES[name]) or "none"
            raise InvalidRequest(f"{name} has no argument {key[:40]!r}", remedy=f"known are: {known}")
    for key in _REQUIRED.get(name, ()):
        if args.get(key) is None:
            raise InvalidRequest(f"{name}: args.{key} is missing", remedy=f"give args.{key}")
    return {key: _fitting(key, _plain(value, f"args.{key}")) for key, value in args.items()}


def _fitting(key: str, value: Any) -> Any:
    if key in _RANGES:
        low, high = _RANGES[key]
        if not isinstance(value, int) or not low <= value <= high:
            raise InvalidRequest(f"args.{key} is {str(value)[:40]!r}", remedy=f"use {low} to {high}")
    if key in _TEXTS and not (isinstance(value, str) and re.fullmatch(_TEXTS[key], value)):
        raise InvalidRequest(f"args.{key} is {str(value)[:40]!r}", remedy=f"it must match {_TEXTS[key]}")
    return value


def _plain(value: Any, place: str, depth: int = 0) -> Any:
    """Return the value with whole numbers as integers: nodes know no other numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) > _MOST):
        raise InvalidRequest(f"{place} is {str(value)[:40]}", remedy="nodes take integers of 53 bits and texts")
    if isinstance(value, list | dict) and depth == MOST_DEPTH:
        raise InvalidRequest(f"{place} is nested too deeply", remedy=f"at most {MOST_DEPTH} levels")
    if isinstance(value, list):
        return [_plain(item, place, depth + 1) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item, place, depth + 1) for name, item in value.items()}
    return value


def sayable(command: Command) -> Command:
    """Return the command if a node's buffer holds it. Raises InvalidRequest."""
    try:
        encode_command(Wire(command.id, command.name, command.args, command.expires_ms))
    except (WireError, ValueError, OverflowError) as error:
        raise InvalidRequest(str(error), remedy="shorten the arguments") from None
    return command
