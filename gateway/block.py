"""Blocks: the lines of one commit, ready to send, with a manifest that says which readings they are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple


class Entry(NamedTuple):
    """Consecutive readings of one stream, a line each, in the order of the block's lines."""

    node: str
    boot: int
    first: int
    readings: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Lines to forward, ready to send. `oldest_ms` is when the first of them arrived.

    `times_ms` are event times, 0 where it is not live: in memory only, to tell how long a reading took.
    """

    id: int
    body: bytes
    manifest: list[Entry]
    oldest_ms: int
    times_ms: list[int] = field(default_factory=list)

    @property
    def lines(self) -> list[bytes]:
        """The lines one by one."""
        return self.body.split(b"\n")

    @property
    def readings(self) -> int:
        """How many lines there are."""
        return sum(entry.readings for entry in self.manifest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """Something that cannot be stored, kept with its reason: `readings` is how many it stands for.

    Without a boot it is a stray: a message that could not be read far enough to number it.
    """

    time_ms: int
    node: str
    reason: str
    detail: str
    topic: str
    payload: bytes
    boot: int | None = None
    seq: int | None = None
    readings: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept(Quarantined):
    """A quarantined entry as the journal keeps it, under its number."""

    id: int


def manifest_bytes(manifest: list[Entry]) -> bytes:
    """Return the manifest as it is stored."""
    return json.dumps(manifest, separators=(",", ":")).encode()


def manifest_from(data: bytes) -> list[Entry]:
    """Read a stored manifest."""
    return [Entry(*row) for row in json.loads(data)]
