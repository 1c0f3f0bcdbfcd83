"""Recorded series as the backtest takes them, read from the shared data, and promtool's short notation."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import servers

from edge.model.node import Node, NodeId
from edge.rules.backtest import Recorded

DATA = servers.PROJECT.parent / "shared" / "data"


def rows(name: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    path = DATA / name
    opened: Callable[..., object] = gzip.open if path.suffix == ".gz" else Path.open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:  # type: ignore[attr-defined]
        yield from csv.DictReader(lines, delimiter=delimiter)


def ms(text: str, hours: float = 0, form: str | None = None) -> int:
    moment = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
    return round(moment.replace(tzinfo=timezone(timedelta(hours=hours))).astimezone(UTC).timestamp() * 1000)


def node(name: str, kind: str, **stages: float) -> Node:
    return Node(id=NodeId(name), kind=kind, label_en=name, label_zh=name, site="s", district="d", stages=stages)


def logan(station: str, **stages: float) -> dict[str, Recorded]:
    """Stage in metres and water temperature, sentinels and all; times UTC-7."""
    found = Recorded(node("logan", "water_level", **stages))
    for row in rows(f"water-level-logan/{station}.csv.gz"):
        t_ms = ms(row["datetime"], -7)
        for column, quantity, scale in (("stage", "level_m", 100), ("temp", "water_temperature_c", 1)):
            text = row[column]
            value = None if text == "NULL" else float(text)
            if value not in (None, -9999.0, 7999.0):
                value /= scale
            found.add(t_ms, quantity, value, None)
    return {"logan": found}


_SAMPLE = re.compile(r"(-?\d+(?:\.\d+)?)(?:([+-]\d+(?:\.\d+)?))?(?:x(\d+))?\Z")


def promtool(values: str, interval_ms: int = 60_000) -> Mapping[int, float | None]:
    """Read `a+bxn` (start, step, count), `axn`, `_` (missing, `_xn` several) and `stale`: time -> value.

    A missing sample has no time at all; `stale` is a value that is said to be absent.
    """
    found: dict[int, float | None] = {}
    at = 0
    for word in values.split():
        if word == "stale":
            found[at] = None
            at += interval_ms
        elif word[0] == "_":
            at += interval_ms * int(word[2:] or 1) if len(word) > 1 else interval_ms
        else:
            match = _SAMPLE.match(word)
            assert match is not None, word
            first, step, count = float(match[1]), float(match[2] or 0), int(match[3] or 0)
            for k in range(count + 1):
                found[at] = first + k * step
                at += interval_ms
    return found
