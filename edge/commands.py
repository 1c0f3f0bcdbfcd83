"""What a Linux node does when it is told: each command once, and its reply again, also after a restart.

A computer is updated by its own means and restarted only where its owner allows it; the rest is as in
firmware/lib/cityneuron/commands.py. That a command is begun is on the disk before it is done.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.model.errors import CityError, WireError
from edge.model.quality import Clock
from edge.protocol.command import (
    MOST_BYTES,
    NAMES,
    Command,
    Reply,
    Status,
    decode_command,
    encode_reply,
)

log = logging.getLogger(__name__)

KEPT = 16
LEAST_PERIOD_MS, MOST_PERIOD_MS = 20, 86_400_000

Action = Callable[[Mapping[str, Any]], Any]
"""Takes the arguments, returns the detail of the reply; raises RefusedError or another CityError."""


class RefusedError(CityError):
    """A command that makes no sense to this node."""


class Commands:
    """Takes commands and calls `actions[name](arguments)`; `later` names those whose last word is a restart."""

    def __init__(
        self,
        actions: Mapping[str, Action],
        path: Path,
        *,
        now_ms: Callable[[], int],
        clock: Callable[[], Clock],
        later: frozenset[str] = frozenset({"reboot"}),
    ) -> None:
        self._actions = actions
        self._path = path
        self._now_ms, self._clock = now_ms, clock
        self._later = later
        self._kept = _read(path)
        for ident, reply in self._kept.items():
            if reply.status is Status.ACCEPTED:
                self._kept[ident] = self._after_restart(reply)

    def take(self, payload: bytes) -> bytes | None:
        """Return the reply to a command; None to what is no command."""
        try:
            command = decode_command(payload)
        except WireError as error:
            log.warning("bad command: %s", error)
            return None
        kept = self._kept.get(command.id)
        if kept is not None:
            return encode_reply(kept)
        if self._clock() is Clock.SYNCED and self._now_ms() > command.expires_ms:
            return encode_reply(Reply(command.id, Status.EXPIRED))
        fault = self._fault(command)
        if fault is not None:
            return encode_reply(Reply(command.id, Status.REFUSED, _explained(fault)))
        return self._do(command)

    def _fault(self, command: Command) -> CityError | None:
        if command.name not in NAMES or command.name not in self._actions:
            return RefusedError(f"this node cannot do {command.name}", remedy="it is a computer, not a board")
        unknown = sorted(set(command.arguments) - set(NAMES[command.name]))
        return RefusedError(f"{command.name} takes no {unknown[0]}") if unknown else None

    def _do(self, command: Command) -> bytes:
        begun = Reply(command.id, Status.ACCEPTED, {"name": command.name})
        try:
            self._keep(begun)
        except OSError as error:
            full = CityError(f"the disk takes no command: {error.strerror}", remedy="look at its room")
            return encode_reply(Reply(command.id, Status.FAILED, _explained(full)))
        try:
            reply = Reply(command.id, Status.DONE, self._actions[command.name](command.arguments))
        except RefusedError as error:
            reply = Reply(command.id, Status.REFUSED, _explained(error))
        except (CityError, OSError) as error:
            reply = Reply(command.id, Status.FAILED, _explained(error))
        else:
            if command.name in self._later:
                return encode_reply(begun)
        if len(encode_reply(reply)) > MOST_BYTES:
            reply = Reply(command.id, Status.FAILED, {"error": "the answer does not fit a reply"})
        self._keep(reply)
        return encode_reply(reply)

    def _after_restart(self, reply: Reply) -> Reply:
        if reply.detail.get("name") in self._later:
            return Reply(reply.id, Status.DONE)
        return Reply(reply.id, Status.FAILED, {"error": "the node restarted while it did this"})

    def _keep(self, reply: Reply) -> None:
        self._kept[reply.id] = reply
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        write_whole(self._path, [[row.id, int(row.status), row.detail] for row in self._kept.values()])


def period_of(arguments: Mapping[str, Any]) -> int:
    """Return `period_ms` of the command `set`. Raises RefusedError."""
    period_ms = arguments.get("period_ms")
    if type(period_ms) is not int or not LEAST_PERIOD_MS <= period_ms <= MOST_PERIOD_MS:
        raise RefusedError(f"period_ms is not within {LEAST_PERIOD_MS} to {MOST_PERIOD_MS}")
    return period_ms


def write_whole(path: Path, content: Any) -> None:
    """Write a JSON file that a power cut leaves as it was or as it is to be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def read_whole(path: Path) -> Any:
    """Return what a JSON file holds; None when there is none, or none that makes sense."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", path, error)
        return None


def _read(path: Path) -> dict[int, Reply]:
    found: dict[int, Reply] = {}
    for row in read_whole(path) or ():
        try:
            ident, status, detail = row
            found[int(ident)] = Reply(int(ident), Status(status), detail)
        except (ValueError, TypeError) as error:
            log.warning("%s: a row is no reply: %s", path, error)
    return found


def _explained(error: Exception) -> dict[str, str]:
    detail = {"error": getattr(error, "message", "") or str(error)}
    remedy = getattr(error, "remedy", "")
    return {**detail, "remedy": remedy} if remedy else detail
