"""Rows: the panels of one system, laid out on 24 columns without a gap or an overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboards.panels import Json, Panel, heard, latest, quality, trend
from dashboards.signals import Signal, signals
from dashboards.texts import Language, label, text
from edge.model.kinds import KINDS, SYSTEMS, Kind, System

COLUMNS = 24
_PER_LINE = 4  # small trends beside one another, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A titled row; a collapsed one asks nothing of the store until somebody opens it."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool

    def to_dicts(self, first_id: int, y: int) -> tuple[list[Json], int, int]:
        """Return what stands on the board, the next free id and the next free line."""
        placed, next_y = _place(self.panels, first_id + 1, y + 1)
        head: Json = {
            "id": first_id,
            "type": "row",
            "title": self.title,
            "collapsed": self.collapsed,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            "panels": placed if self.collapsed else [],
        }
        return [head, *([] if self.collapsed else placed)], first_id + 1 + len(placed), next_y


def overview(language: Language) -> Row:
    """One number a kind: how many nodes were heard of, the systems side by side."""
    width = COLUMNS // len(SYSTEMS)
    return Row(
        title=text("overview", language),
        collapsed=False,
        panels=tuple(
            heard(
                label(system, language),
                tuple(signals(kind)[0] for kind in kinds_of(system)),
                language,
            ).wide(width, 7)
            for system in SYSTEMS.values()
        ),
    )


def system_row(system: System, language: Language, *, collapsed: bool) -> Row:
    """All kinds of a system, one below the other."""
    panels = tuple(panel for kind in kinds_of(system) for panel in kind_panels(kind, language))
    return Row(title=label(system, language), panels=panels, collapsed=collapsed)


def kind_panels(kind: Kind, language: Language) -> Iterator[Panel]:
    """A kind: its headline with the newest values and the doubtful ones beside it, the others below."""
    headline, *others = signals(kind)
    yield trend(headline, language).wide(12, 8)
    yield latest(headline, language).wide(6, 8)
    yield quality(kind, language).wide(6, 8)
    for line in _lines(others):
        for signal in line:
            yield trend(signal, language).wide(COLUMNS // len(line), 6)


def kinds_of(system: System) -> tuple[Kind, ...]:
    """Return the kinds of a system in the catalogue's order."""
    return tuple(kind for kind in KINDS.values() if kind.system == system.name)


def _lines(items: list[Signal]) -> Iterator[list[Signal]]:
    """Share the items out evenly: five become three and two, not four and one."""
    count = -(-len(items) // _PER_LINE)
    for index in range(count):
        yield items[len(items) * index // count : len(items) * (index + 1) // count]


def _place(panels: tuple[Panel, ...], first_id: int, y: int) -> tuple[list[Json], int]:
    """Set panels left to right; a new line begins where the next one does not fit."""
    placed: list[Json] = []
    x = line_height = 0
    for index, panel in enumerate(panels):
        if x + panel.width > COLUMNS:
            x, y, line_height = 0, y + line_height, 0
        placed.append(panel.to_dict(first_id + index, x, y))
        x, line_height = x + panel.width, max(line_height, panel.height)
    return placed, y + line_height
