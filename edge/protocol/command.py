"""Commands to a node and its replies: CBOR arrays like all native payloads.

    cmd    [version, id, name, {argument: value}, expires_ms]
    reply  [version, id, status, detail]

A command is done once: its id is that of the register of commands, and a node that hears an id again repeats
its reply and does nothing. `expires_ms` is judged by the node's clock once that is synced; a command without
an end (0) does not exist. Arguments and details are integers, texts, null, and lists and maps of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import cbor2

from edge.model.errors import WireError
from edge.protocol.wire import MAX_VALUE, VERSION, array_of, integer_of, text_of

MOST_BYTES = 960
"""Of a command or a reply: a node's buffer holds 1,024 bytes with the topic."""


class Status(IntEnum):
    """What became of a command. Whatever is not ACCEPTED is final."""

    DONE = 0
    ACCEPTED = 1  # it takes time (an update, a reboot); a final reply follows
    REFUSED = 2  # unknown, or arguments that make no sense
    EXPIRED = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Command:
    """What a node is to do: one of the names in `NAMES`."""

    id: int
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expires_ms: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a command; `detail` is what was asked for, or {"error": words, "remedy": words}."""

    id: int
    status: Status
    detail: Any = None


NAMES: Mapping[str, tuple[str, ...]] = {
    "sample": (),  # a reading now, beside the period
    "set": ("period_ms",),  # settings that may be changed from afar; they outlive a restart
    "settings": (),  # detail: the settings, without secrets
    "status": (),  # detail: what `doctor` shows
    "identify": ("seconds",),  # blink
    "lamp": (
        "level_pct",
        "minutes",
    ),  # dim; then the schedule holds again; 0: until told
    "schedule": ("table",),  # of a lamp, kept on the node
    "reboot": (),
    "update": ("url", "size", "digest", "version", "force"),  # fetch, verify, try; force 1: also an older one
    "reset": (),  # to how it was flashed: settings and identity are forgotten, readings are not
}
"""Commands and the names of their arguments, all optional unless the command makes no sense without."""


def encode_command(command: Command) -> bytes:
    """Return the payload of `cmd`. Raises WireError when it is more than a node can take."""
    payload = cbor2.dumps(
        [VERSION, command.id, command.name, dict(command.arguments), command.expires_ms], canonical=True
    )
    if len(payload) > MOST_BYTES:
        raise WireError("too_long", f"the command has {len(payload)} bytes, a node takes {MOST_BYTES}")
    return payload


def decode_command(payload: bytes) -> Command:
    """Read the payload of `cmd`. Raises WireError."""
    _, ident, name, arguments, expires_ms = array_of(payload, "cmd", 5)
    if type(arguments) is not dict:
        raise WireError("bad_type", "the arguments are no map")
    return Command(
        integer_of(ident, "id", 1, MAX_VALUE),
        text_of(name, "name"),
        arguments,
        integer_of(expires_ms, "expires_ms", 1, MAX_VALUE),
    )


def encode_reply(reply: Reply) -> bytes:
    """Return the payload of `reply`."""
    return cbor2.dumps([VERSION, reply.id, int(reply.status), reply.detail], canonical=True)


def decode_reply(payload: bytes) -> Reply:
    """Read the payload of `reply`. Raises WireError."""
    _, ident, status, detail = array_of(payload, "reply", 4)
    return Reply(
        integer_of(ident, "id", 1, MAX_VALUE),
        Status(integer_of(status, "status", 0, max(Status))),
        detail,
    )
