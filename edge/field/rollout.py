"""How a roll-out is told: a line a ring, and why it stopped. Pure: takes the cloud's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GOOD = ("done",)
_WRONG = ("returned", "silent")
_WORDS = {"trial": "on trial"}
ENDED = frozenset({"done", "stopped"})


def headline(row: Mapping[str, Any]) -> str:
    """Return a roll-out in one line."""
    counts = row.get("counts") or {}
    done, total = int(counts.get("done") or 0), int(row.get("total") or 0)
    wrong, trial = sum(int(counts.get(name) or 0) for name in _WRONG), int(counts.get("trial") or 0)
    words = (
        f"roll-out {row['id']}: {row['version']} for {row['board']}, {row['state']}, {done} of {total} nodes"
    )
    words += f", {trial} on trial" if trial else ""
    return f"{words}, {wrong} went wrong" if wrong else words


def ring_lines(row: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Return (name, share done, words) for each ring; rings that were not begun have share 0."""
    nodes = row.get("nodes") or []
    lines = []
    for index, percent in enumerate(row.get("rings") or ()):
        states = [str(each["state"]) for each in nodes if each.get("ring") == index]
        done = sum(state in _GOOD for state in states)
        words = f"{done} of {len(states)}"
        for name in ("trial", "sent", "returned", "silent", "away"):
            if name in states:
                words += f", {states.count(name)} {_WORDS.get(name, name)}"
        begun = index <= int(row.get("ring") or 0)
        lines.append((f"{percent} %", done / len(states) if states else 0.0, words if begun else "not begun"))
    return lines


def troubles(row: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (node, state, why) of the nodes that went wrong."""
    return [
        (str(each["node"]), str(each["state"]), str(each.get("why") or ""))
        for each in row.get("nodes") or []
        if each.get("state") in _WRONG
    ]
