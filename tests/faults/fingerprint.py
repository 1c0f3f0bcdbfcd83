"""The ledger of a run in a form that two runs of one plan share: what it says, and a short hash of it. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from itertools import groupby
from typing import Any

from faults.audit import Key, Verdict, spans

SAID = ("produced", "stored", "dropped", "quarantined", "missing")


def ledger_lines(verdict: Verdict, ledger: Mapping[str, Any], strays: Mapping[str, int]) -> list[str]:
    """Return the ledger as text: for each node what the gateway says, for each boot what the audit found.

    Left out is what depends on the clock: the gateway's readings of itself, and strays. A stray has no
    number, so one that is heard twice because a broker died in between is counted twice.
    """
    rows = {row["node"]: row for row in ledger["nodes"]}
    lines = []
    for node, keys in groupby(sorted(verdict.made), key=lambda key: key[0]):
        row = rows.get(node, {})
        said = {name: row.get(name, 0) - (strays.get(node, 0) if name in _STRAY else 0) for name in SAID}
        said |= dict(sorted(row.get("reasons", {}).items()))
        lines.append(f"{node}: " + ", ".join(f"{name} {count}" for name, count in said.items()))
        lines += _boots(list(keys), verdict)
    return lines


def _boots(keys: list[Key], verdict: Verdict) -> Iterable[str]:
    for (node, boot), group in groupby(keys, key=lambda key: key[:2]):
        made = list(group)
        found = {
            "made": made,
            "stored": [key for key in made if key in verdict.stored],
            "quarantined": [key for key in made if key in verdict.quarantined],
        }
        words = [f"{name} {_ranges(some)}" for name, some in found.items() if some]
        words += [
            f"{loss.cause} {loss.first}-{loss.last}"
            for loss in verdict.lost
            if (loss.node, loss.boot) == (node, boot)
        ]
        yield f"  {node} boot {boot}: " + "; ".join(words)


def _ranges(keys: list[Key]) -> str:
    return " ".join(f"{first}-{last}" for _, _, first, last in spans(keys))


_STRAY = ("produced", "quarantined")


def strays_in(quarantine: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return how many messages of each node are no readings at all."""
    return Counter(entry["node"] for entry in quarantine if entry["boot"] is None)


def fingerprint(lines: Iterable[str]) -> str:
    """Return a short hash: runs with the same one ended with the same ledger."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def differences(first: list[str], second: list[str], most: int = 20) -> list[str]:
    """Return where two ledgers say different things."""
    return list(unified_diff(first, second, "first", "second", n=0, lineterm=""))[:most]
