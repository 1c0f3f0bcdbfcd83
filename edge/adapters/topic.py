"""Whose message it is, where only the topic or path tells."""

from __future__ import annotations

from collections.abc import Container

from edge.adapters.frame import FrameError

MAX_LEVELS = 32


def known_in(topic: str, known: Container[str]) -> tuple[str, str] | None:
    """Return the known device that a topic names, and what follows it there.

    It is named by some levels in a row: the longest such, the last of these.
    """
    levels = topic.strip("/").split("/")[:MAX_LEVELS]
    for length in range(len(levels), 0, -1):
        for first in range(len(levels) - length, -1, -1):
            name = "/".join(levels[first : first + length])
            if name in known:
                return name, "/".join(levels[first + length :])
    return None


def device_in(topic: str, known: Container[str]) -> tuple[str, str]:
    """Return the device of a topic and what follows it: a known one, or the last level.

    Raises FrameError `topic`.
    """
    found = known_in(topic, known) or (topic.strip("/").rpartition("/")[2], "")
    if not found[0]:
        raise FrameError("topic", f"{topic[:60]!r} names no device")
    return found
