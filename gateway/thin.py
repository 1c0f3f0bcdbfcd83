"""Fewer readings for less room: which lines of a backlog go first, and what is left of a block then. Pure.

Thinning keeps, of each node and window of time, the last reading and those with the lowest and the highest
value of what its kind is read for: a chart of days looks the same. All that is kept are true readings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from edge.model.kinds import KINDS, Priority
from gateway.block import Block, Entry
from gateway.ledger import Drop, StreamKey


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of letting go: of which priority, and whether all of it goes or only what is between."""

    priority: Priority
    reason: Drop


STAGES = tuple(Stage(priority, reason) for reason in (Drop.THINNED, Drop.NO_ROOM) for priority in Priority)
"""What is done when there is no room, in this order: all is thinned out before anything is dropped."""


def cut(block: Block, gone: Set[int]) -> tuple[Block, Counter[StreamKey]]:
    """Return a block without these lines, by index, and how many readings each stream loses."""
    lost: Counter[StreamKey] = Counter()
    manifest: list[Entry] = []
    at = 0
    for entry in block.manifest:
        start = entry.first
        for seq in range(entry.first, entry.first + entry.readings):
            if at + seq - entry.first in gone:
                lost[entry.node, entry.boot] += 1
                if seq > start:
                    manifest.append(Entry(entry.node, entry.boot, start, seq - start))
                start = seq + 1
        end = entry.first + entry.readings
        if end > start:
            manifest.append(Entry(entry.node, entry.boot, start, end - start))
        at += entry.readings
    body = b"\n".join(line for index, line in enumerate(block.lines) if index not in gone)
    return replace(block, body=body, manifest=manifest, times_ms=[]), lost


def of_priority(lines: Sequence[bytes], priority: Priority) -> set[int]:
    """Return the indexes of the lines of kinds with this priority."""
    return {index for index, line in enumerate(lines) if _kind_priority(line) is priority}


def between(lines: Sequence[bytes], priority: Priority, window_s: float) -> set[int]:
    """Return the indexes of the lines that thinning lets go."""
    window_ns = max(1, round(window_s * 1e9))
    last: dict[tuple[bytes, int], tuple[int, int]] = {}
    low: dict[tuple[bytes, int], tuple[float, int]] = {}
    high: dict[tuple[bytes, int], tuple[float, int]] = {}
    chosen = of_priority(lines, priority)
    for index in chosen:
        head, fields, time = lines[index].rsplit(b" ", 2)
        time_ns = int(time)
        key = (head, time_ns // window_ns)
        last[key] = max(last.get(key, (time_ns, index)), (time_ns, index))
        value = _headline(head, fields)
        if value is not None:
            low[key] = min(low.get(key, (value, index)), (value, index))
            high[key] = max(high.get(key, (value, index)), (value, index))
    return chosen - {index for kept in (last, low, high) for _, index in kept.values()}


def _kind_priority(line: bytes) -> Priority:
    kind = KINDS.get(line.partition(b",")[0].decode())
    return kind.priority if kind else Priority.NORMAL


def _headline(head: bytes, fields: bytes) -> float | None:
    kind = KINDS.get(head.partition(b",")[0].decode())
    if kind is None:
        return None
    name = f"{kind.headline}=".encode()
    for field in fields.split(b","):
        if field.startswith(name):
            return float(field[len(name) :])
    return None
