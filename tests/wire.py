"""What a line under test does with bytes that come back: they wait until they are read, or dropped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class Wire:
    """The near end of a line. Who plays the far end calls `say`, and has `write`."""

    _came: bytearray = field(default_factory=bytearray, kw_only=True)
    _news: asyncio.Event = field(default_factory=asyncio.Event, kw_only=True)

    async def read(self) -> bytes:
        await self._news.wait()
        return self.drop()

    def drop(self) -> bytes:
        found = bytes(self._came)
        self._came.clear()
        self._news.clear()
        return found

    def close(self) -> None:
        pass

    def say(self, data: bytes) -> None:
        self._came += data
        self._news.set()
