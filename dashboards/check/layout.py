"""Layout: 24 columns, nothing over anything else, every panel with an id of its own."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import as_dict, as_dicts, place
from dashboards.rows import COLUMNS

_ANEW = "lay the panels out anew (dashboards/rows.py does it for generated boards)"


def check(files: Files) -> Faults:
    """Look at every board; a closed row is a board of its own, for it opens over what follows."""
    for name, board in files.boards.items():
        items = as_dicts(board.get("panels"))
        yield from _ids(name, [*items, *(panel for row in items for panel in as_dicts(row.get("panels")))])
        yield from _places(name, items)
        for row in items:
            inner = as_dicts(row.get("panels"))
            yield from _places(name, inner)
            if inner and not (row.get("type") == "row" and row.get("collapsed")):
                yield Fault(
                    file=name,
                    where=place(row),
                    what="holds panels but is no closed row, so Grafana drops them",
                    remedy="put the panels after the row, or set collapsed",
                )


def _ids(name: str, items: list[Json]) -> Faults:
    seen: dict[Any, Json] = {}
    for item in items:
        number = item.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            yield Fault(
                file=name,
                where=place(item),
                what="has no id, a whole number from 1",
                remedy="give each its own id",
            )
        elif number in seen:
            yield Fault(
                file=name,
                where=place(item),
                what=f"has the id {number}, as has {place(seen[number])}",
                remedy="give each panel an id of its own: links and alerts point to it",
            )
        else:
            seen[number] = item


def _places(name: str, items: list[Json]) -> Faults:
    standing: list[tuple[Json, tuple[int, int, int, int]]] = []
    for item in items:
        grid = as_dict(item.get("gridPos"))
        sides = tuple(grid.get(side) for side in "xywh")
        if not all(isinstance(side, int) and side >= 0 for side in sides) or not (grid["w"] and grid["h"]):
            yield Fault(
                file=name, where=place(item), what="has no place: gridPos needs x, y, w and h", remedy=_ANEW
            )
        elif grid["x"] + grid["w"] > COLUMNS:
            yield Fault(
                file=name,
                where=place(item),
                what=f"ends at column {grid['x'] + grid['w']} of {COLUMNS}",
                remedy=_ANEW,
            )
        else:
            standing.append((item, (grid["x"], grid["y"], grid["w"], grid["h"])))
    for (one, (x, y, w, h)), (other, (x2, y2, w2, h2)) in combinations(standing, 2):
        if x < x2 + w2 and x2 < x + w and y < y2 + h2 and y2 < y + h:
            yield Fault(file=name, where=place(other), what=f"lies over {place(one)}", remedy=_ANEW)
