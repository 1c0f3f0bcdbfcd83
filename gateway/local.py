"""The gateway's own way to people: its channels, in its own words, while the cloud is out of reach."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import tzinfo
from zoneinfo import ZoneInfo

from edge.channels import Channel, ChannelError, Message, load_channels
from edge.channels.compose import Style, compose_alert, compose_digest, compose_resolved
from edge.channels.sentence import Subject
from edge.model.alert import Episode, Level
from edge.model.node import Node
from edge.rules import Rule
from gateway.herald import AlertsConfig


def local_channels(
    config: AlertsConfig,
    rules: Sequence[Rule],
    find: Callable[[str], Node | None],
    now: Callable[[], float] = time.time,
) -> list[Local]:
    """Return the gateway's own channels as it is configured, none where it has none."""
    if config.channels_file is None:
        return []
    zone = ZoneInfo(config.timezone)
    return [
        Local(channel, rules, find, zone, now, config.url) for channel in load_channels(config.channels_file)
    ]


class Local:
    """One channel of the gateway."""

    def __init__(
        self,
        channel: Channel,
        rules: Sequence[Rule],
        find: Callable[[str], Node | None],
        zone: tzinfo,
        now: Callable[[], float],
        url: str = "",
    ) -> None:
        self._channel = channel
        self._url = url.rstrip("/")
        self._limiter = channel.limiter()
        self._rules = {rule.name: rule for rule in rules}
        self._find = find
        self._now = now
        self._style = Style(zone=zone, language=channel.language)

    @property
    def name(self) -> str:
        """The channel's name in its configuration."""
        return self._channel.name

    async def tell(self, episodes: Sequence[Episode]) -> None:
        """Send one message about one episode, or about several that began; raise ChannelError."""
        loop = asyncio.get_running_loop()
        if wait_s := self._limiter.wait_s(loop.time()):
            raise ChannelError(f"{self.name} takes no more for {wait_s:.0f} s", retry=True, after_s=wait_s)
        self._limiter.sent(loop.time())
        try:
            await self._channel.send(self._message(episodes))
        except ChannelError as error:
            if error.after_s is not None:
                self._limiter.shut(loop.time(), error.after_s)
            raise

    async def close(self) -> None:
        """End what is open."""
        await self._channel.close()

    def _message(self, episodes: Sequence[Episode]) -> Message:
        rows = [
            (episode, Subject.of(episode, self._find(episode.node), self._rules.get(episode.rule)))
            for episode in episodes
        ]
        now_ms = round(self._now() * 1000)
        if len(rows) > 1:
            return compose_digest(
                rows, self._style, now_ms=now_ms, url=self._url and f"{self._url}/#panel=alerts"
            )
        ((episode, subject),) = rows
        key = "/".join(map(str, episode.key))
        url = self._url and f"{self._url}/#alert={key}"
        if not episode.is_open:
            return compose_resolved(episode, subject, self._style, now_ms=now_ms, url=url)
        before = [Level.of(told.level) for told in episode.told if told.channel == self.name]
        return compose_alert(
            episode, subject, self._style, now_ms=now_ms, url=url, risen_from=max(before, default=None)
        )
