"""What a duty officer is sent: a title and plain lines, without markup, so that every channel can carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edge.model.alert import Level

LEFT_OUT = {
    "zh": "（另有 {count} 行未显示，详见链接）",
    "en": "({count} more lines left out; follow the link)",
    "both": "（另有 {count} 行未显示，详见链接；{count} more lines left out）",
}


class Language(StrEnum):
    """In what a message is written; BOTH has Chinese first, then English."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


class Occasion(StrEnum):
    """Why a message is sent."""

    OPENED = "opened"
    ROSE = "rose"
    GROUP = "group"
    DIGEST = "digest"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message, ready for any channel.

    key: the same for every attempt and for no other message, so that a receiver can drop copies. title: one
    line that says the essential by itself; lines: the rest. url: where to see and acknowledge. level: None for
    a test. facts: the same as numbers, for receivers that are programs.
    """

    key: str
    occasion: Occasion
    level: Level | None
    title: str
    lines: tuple[str, ...] = ()
    url: str = ""
    time_ms: int = 0
    language: Language = Language.ZH
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def quiet(self) -> bool:
        """Whether nobody needs to be woken for it."""
        return self.occasion is Occasion.RESOLVED

    @property
    def text(self) -> str:
        """Title, lines and link, a line each."""
        return "\n".join((self.title, *self.lines, *self._links()))

    def within(self, most_bytes: int) -> str:
        """Return the text in at most so many bytes of UTF-8.

        Whole lines are left out from the end, title and link stay, and a line says how many are missing. Only
        where title and link alone are too long is the title cut, between two characters.
        """
        text = self.text
        if len(text.encode()) <= most_bytes:
            return text
        for kept in range(len(self.lines) - 1, -1, -1):
            note = LEFT_OUT[self.language].format(count=len(self.lines) - kept)
            text = "\n".join((self.title, *self.lines[:kept], note, *self._links()))
            if len(text.encode()) <= most_bytes:
                return text
        tail = "".join(f"\n{link}" for link in self._links())
        room = most_bytes - len(tail.encode())
        return clipped(self.title, room) + tail if room > 0 else clipped(self.title, most_bytes)

    def _links(self) -> tuple[str, ...]:
        return (self.url,) if self.url else ()


def clipped(text: str, most_bytes: int) -> str:
    """Return `text`, cut between characters to at most so many bytes of UTF-8; `…` marks a cut."""
    if len(text.encode()) <= most_bytes:
        return text
    mark = "…" if most_bytes >= 3 else ""
    return text.encode()[: most_bytes - len(mark.encode())].decode(errors="ignore") + mark
