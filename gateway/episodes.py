"""Episodes as the gateway keeps them: in the one commit, until they ended and the cloud has them.

Rules may find an episode in a batch whose commit then fails. The batch comes again, but a rule that has seen a
reading finds nothing in it a second time, so what is changed stays changed until some commit has written it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge.model.alert import Episode, EpisodeKey, Told
from edge.model.errors import CityError

log = logging.getLogger(__name__)

KEEP_ENDED_MS = 7 * 86_400_000
"""So long an ended episode that the cloud has is kept for `cityneuron alerts` at the gateway itself."""


@dataclass(slots=True)
class Kept:
    """An episode, and what the cloud has of it: which revision, and the highest level it was told.

    untaken_since_ms: since when the cloud lacks something of it, gateway's time; 0 when it lacks nothing.
    """

    episode: Episode
    taken: int = 0
    taken_level: int = 0
    untaken_since_ms: int = 0


class Episodes:
    """The gateway's episodes by key; `changed` is set while the cloud lacks something."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._kept: dict[EpisodeKey, Kept] = {}
        self._unwritten: dict[EpisodeKey, Kept] = {}
        self._untaken: dict[EpisodeKey, Kept] = {}
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._kept)

    def open(self) -> list[Episode]:
        """Return those that last."""
        return [kept.episode for kept in self._kept.values() if kept.episode.is_open]

    def load(self, rows: Iterable[tuple[str, int, int]], now_ms: int) -> None:
        """Take what the journal has: (body, revision and level that the cloud has), but damaged rows."""
        for body, taken, taken_level in rows:
            try:
                episode = Episode.from_dict(json.loads(body))
            except (CityError, ValueError) as error:
                log.warning("an episode of the journal cannot be read: %s", error)
                continue
            self._kept[episode.key] = kept = Kept(episode, taken, taken_level)
            if taken < episode.revision:
                self._await(kept, now_ms)

    def take(self, found: Iterable[Episode], now_ms: int) -> None:
        """Note what rules found; it is written with the next commit."""
        for episode in found:
            kept = self._kept.get(episode.key)
            if kept is None:
                kept = self._kept[episode.key] = Kept(replace(episode, gateway=self._gateway))
            else:  # a mark may have made a revision of its own since the rule's last one
                known = kept.episode
                revision = max(episode.revision, known.revision + 1)
                kept.episode = replace(episode, gateway=self._gateway, told=known.told, revision=revision)
            self._unwritten[episode.key] = kept
            self._await(kept, now_ms)

    def tell(self, episode: Episode, told: Told, now_ms: int) -> None:
        """Note that a message about an episode went out by the gateway's own channel."""
        kept = self._kept[episode.key]
        newest = kept.episode
        kept.episode = replace(newest, told=(*newest.told, told), revision=newest.revision + 1)
        self._unwritten[episode.key] = kept
        self._await(kept, now_ms)

    def unwritten(self) -> list[Episode]:
        """Return what the next commit has to write."""
        return [kept.episode for kept in self._unwritten.values()]

    def written(self, episodes: Iterable[Episode]) -> None:
        """They are on the disk; only now the cloud may hear of them."""
        for episode in episodes:
            kept = self._unwritten.get(episode.key)
            if kept is not None and kept.episode.revision == episode.revision:
                del self._unwritten[episode.key]
        if self._untaken:
            self.changed.set()

    def ended(self) -> list[Kept]:
        """Return those that are over."""
        return [kept for kept in self._kept.values() if not kept.episode.is_open]

    def untaken(self, most: int | None = None) -> list[Kept]:
        """Return what is on the disk and the cloud does not have, the longest waiting first."""
        waiting = [kept for key, kept in self._untaken.items() if key not in self._unwritten]
        if not waiting:
            self.changed.clear()
        return waiting[:most]

    def taken(self, episodes: Iterable[Episode]) -> None:
        """The cloud has these."""
        for episode in episodes:
            kept = self._kept[episode.key]
            kept.taken = max(kept.taken, episode.revision)
            kept.taken_level = max(kept.taken_level, episode.highest)
            if kept.taken >= kept.episode.revision:
                kept.untaken_since_ms = 0
                self._untaken.pop(episode.key, None)

    def prune(self, now_ms: int) -> list[EpisodeKey]:
        """Forget episodes that ended long ago and that the cloud has; return their keys."""
        past = [
            key
            for key, kept in self._kept.items()
            if key not in self._untaken and (kept.episode.end_ms or now_ms) < now_ms - KEEP_ENDED_MS
        ]
        for key in past:
            del self._kept[key]
        return past

    def _await(self, kept: Kept, now_ms: int) -> None:
        if not kept.untaken_since_ms:
            kept.untaken_since_ms = now_ms
        self._untaken[kept.episode.key] = kept
        self.changed.set()


def write(db: sqlite3.Connection, episodes: Iterable[Episode]) -> None:
    """Write episodes, within the caller's transaction."""
    db.executemany(
        "INSERT INTO episode (rule, node, start_ms, revision, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
        [
            (*episode.key, episode.revision, json.dumps(episode.to_dict(), separators=(",", ":")))
            for episode in episodes
        ],
    )


def mark_taken(db: sqlite3.Connection, episodes: Iterable[Episode]) -> None:
    """Note what the cloud has, within the caller's transaction."""
    db.executemany(
        "UPDATE episode SET taken = max(taken, ?), taken_level = max(taken_level, ?)"
        " WHERE rule = ? AND node = ? AND start_ms = ?",
        [(episode.revision, int(episode.highest), *episode.key) for episode in episodes],
    )


def remove(db: sqlite3.Connection, keys: Iterable[EpisodeKey]) -> None:
    """Remove episodes, within the caller's transaction."""
    db.executemany("DELETE FROM episode WHERE rule = ? AND node = ? AND start_ms = ?", list(keys))
