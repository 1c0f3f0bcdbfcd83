"""The herald: tells the cloud of episodes as soon as they are on the disk, and people itself while it cannot.

The cloud takes an episode by its key and revision, so saying it again is harmless. What it has not taken for
`local_after_s` goes out by the gateway's own channels, once for each level that it reaches and once when it is
over (by the channel that told of its beginning, even when the cloud is back), and is marked in the episode: the
cloud, when it hears of it, does not repeat it. A crash between message and mark sends the message again: better
twice than never.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import aiohttp

from edge.config import read_secret
from edge.model.alert import Episode, Level, Told
from edge.model.errors import CityError
from gateway.database import JournalDamaged
from gateway.episodes import Episodes, Kept
from gateway.uplink import TROUBLES, CloudConfig

log = logging.getLogger(__name__)

EPISODES_A_REQUEST = 200
OVER = "over"
"""What stands in the place of a level when people were told that an episode is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsConfig:
    """The [alerts] table of gateway.toml: whom the gateway tells itself, and when."""

    channels_file: Path | None = None
    local_after_s: float = 120.0
    local_from: Literal["blue", "yellow", "orange", "red"] = "yellow"
    timezone: str = "Asia/Shanghai"
    url: str = ""
    retry_s: float = 2.0


SEPARATELY = 3
"""More than so many episodes that are told at one time are one message with a line each."""


class LocalChannel(Protocol):
    """The gateway's own way to people."""

    @property
    def name(self) -> str:
        """Its name, as it stands in the marks of episodes."""

    async def tell(self, episodes: Sequence[Episode]) -> None:
        """Send one message about these episodes, or raise CityError."""


class Herald:
    """Sends episodes to the cloud, and to people while it is away. `trouble` says what is wrong."""

    def __init__(
        self,
        config: AlertsConfig,
        cloud: CloudConfig,
        gateway: str,
        episodes: Episodes,
        *,
        local: Sequence[LocalChannel] = (),
        told: Callable[[list[Episode], list[tuple[Episode, Told]]], Awaitable[None]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._url = f"{cloud.url.rstrip('/')}/api/v1/gateways/{gateway}/episodes" if cloud.url else ""
        token = read_secret(cloud.token_file)
        self._headers = {"Authorization": f"Token {token}"} if token else {}
        self._episodes = episodes
        self._local = local
        self._local_from = Level.of(config.local_from)
        self._note = told
        self._now = now
        self.trouble = ""

    async def run(self) -> None:
        """Tell until cancelled."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
            while True:
                await self._episodes.changed.wait()
                try:
                    is_taken = await self._tell_cloud(session)
                    if await self._tell_people(self._owed() if is_taken else self._due()) and is_taken:
                        continue
                except JournalDamaged:
                    raise
                except CityError as error:
                    log.error("%s", error)
                await asyncio.sleep(self._config.retry_s)

    async def _tell_cloud(self, session: aiohttp.ClientSession) -> bool:
        """Send what the cloud lacks; tell whether it took it."""
        waiting = [kept.episode for kept in self._episodes.untaken(EPISODES_A_REQUEST)]
        if not waiting:
            return True
        if not self._url:
            return False
        body = {"episodes": [episode.to_dict() for episode in waiting]}
        try:
            async with session.put(self._url, json=body) as answer:
                if answer.status >= 400:
                    raise CityError(f"the cloud answers {answer.status}: {(await answer.text())[:200]}")
        except TROUBLES as error:
            self._ill(f"{type(error).__name__}: {error}")
            return False
        self._well()
        await self._note(waiting, [])
        return True

    def _due(self) -> list[Kept]:
        """Return what the cloud has lacked for too long, or all that it lacks where there is no cloud."""
        now_ms = round(self._now() * 1000)
        before_ms = now_ms - (self._config.local_after_s * 1000 if self._url else 0)
        waiting = self._episodes.untaken()
        return [*(kept for kept in waiting if kept.untaken_since_ms <= before_ms), *self._owed()]

    def _owed(self) -> list[Kept]:
        """Return episodes that are over and of whose beginning the gateway told people itself."""
        return [kept for kept in self._episodes.ended() if kept.episode.told]

    async def _tell_people(self, episodes: list[Kept]) -> bool:
        """Send what is news by the gateway's own channels; tell whether all of them took it."""
        is_told = True
        for channel in self._local:
            news = [(kept.episode, word) for kept in episodes if (word := self._news(kept, channel.name))]
            for part in _parts(list(dict.fromkeys(news))):
                try:
                    await channel.tell([episode for episode, _ in part])
                except CityError as error:
                    log.error("%s tells nobody of %d episodes: %s", channel.name, len(part), error)
                    is_told = False
                    break
                now_ms = round(self._now() * 1000)
                await self._note([], [(episode, Told(channel.name, now_ms, word)) for episode, word in part])
        if not self._url:  # there is nobody else to tell
            await self._note([kept.episode for kept in self._episodes.untaken()], [])
        elif not is_told:
            self._episodes.changed.set()
        return is_told

    def _news(self, kept: Kept, channel: str) -> str:
        """Return the word under which an episode is to be told, empty when it was, or need not be."""
        episode = kept.episode
        words = [told.level for told in episode.told if told.channel == channel]
        told = max((Level.of(word) for word in words if word != OVER), default=0)
        if not episode.live or episode.highest < self._local_from:
            return ""
        if not episode.is_open:
            return OVER if told and OVER not in words else ""
        return episode.highest.word if episode.highest > max(told, kept.taken_level) else ""

    def _well(self) -> None:
        if self.trouble:
            log.info("the cloud takes episodes again")
        self.trouble = ""

    def _ill(self, words: str) -> None:
        if not self.trouble:
            log.warning("the cloud does not take episodes: %s", words)
        self.trouble = words


def _parts(news: list[tuple[Episode, str]]) -> list[list[tuple[Episode, str]]]:
    """Return what goes into one message each."""
    opened = [row for row in news if row[1] != OVER]
    over = [[row] for row in news if row[1] == OVER]
    return [opened, *over] if len(opened) > SEPARATELY else [*([row] for row in opened), *over]
