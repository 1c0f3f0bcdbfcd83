"""Rows: the plans of the boards' parts, and how they are laid out on 24 columns without a gap or an overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dashboards import episodes, now, tables, trends
from dashboards.panels import Json, Panel, View
from dashboards.signals import BY_DISTRICT, Ask, Signal, course
from dashboards.texts import label
from edge.model.kinds import KINDS, SYSTEMS, Kind, System
from edge.model.quantities import QUANTITIES, Form

COLUMNS = 24
_PER_LINE = 4  # small trends beside one another, at most

Part = tuple[Callable[[View], Panel], int, int]
"""What draws a panel, and its width and height."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A titled row; a collapsed one asks nothing of the store until somebody opens it."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False

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
        below = y + 1 if self.collapsed else next_y
        return [head, *([] if self.collapsed else placed)], first_id + 1 + len(placed), below


def row(view: View, title: str, *parts: Part, collapsed: bool = False) -> Row:
    """Draw a row from its plan."""
    panels = tuple(draw(view).sized(width, height) for draw, width, height in parts)
    return Row(title=view.say(title), panels=panels, collapsed=collapsed)


NOW: tuple[Part, ...] = (
    (episodes.open_levels, 8, 4),
    (now.states, 8, 4),
    (now.coverage_now, 4, 4),
    (now.fresh_now, 4, 4),
    (now.status_map, 12, 12),
    (episodes.firing, 12, 12),
)
"""What every board of a place or a system begins with."""

COVERAGE: tuple[Part, ...] = ((trends.coverage_course, 12, 7), (trends.fresh_course, 12, 7))


def quantity(kind: str, name: str, by: str = "", ask: Ask | None = None) -> Callable[[View], Panel]:
    """Return what draws the course of one quantity."""
    return lambda view: trends.trend(view, KINDS[kind], name, by, ask)


SPECIAL: dict[str, tuple[tuple[str, tuple[Part, ...]], ...]] = {
    "water": (("stages_row", ((lambda view: tables.stages(view, KINDS["water_level"]), 24, 12),)),),
    "lighting": (
        (
            "lamps_row",
            (
                (quantity("streetlight", "lamp_on"), 8, 8),
                (quantity("streetlight", "energy_wh"), 8, 8),
                (quantity("streetlight", "power_w", "district", Ask.TOTAL), 8, 8),
            ),
        ),
    ),
    "environment": (
        (
            "zones",
            (
                (tables.air_index, 24, 7),
                (lambda view: trends.air_course(view, "pm2_5_ug_m3"), 8, 8),
                (lambda view: trends.air_course(view, "pm10_ug_m3"), 8, 8),
                (quantity("noise", "noise_laeq_db", "district"), 8, 8),
            ),
        ),
    ),
}
"""The rows that one system has beside what all have."""


def heard_row(view: View) -> Row:
    """One number a kind: how many nodes were heard of, the systems side by side."""
    width = COLUMNS // len(SYSTEMS)
    panels = tuple(now.heard(view, system).sized(width, 7) for system in SYSTEMS.values())
    return Row(title=view.say("heard_row"), panels=panels)


def kind_row(view: View, kind: Kind, drawn: frozenset[Signal] = frozenset(), *, collapsed: bool) -> Row:
    """A kind: its headline with the newest values and the doubtful ones beside it, the others below."""
    others = [name for name in kind.quantities if name != kind.headline]
    others = [name for name in others if replace(course(kind, name), place=view.place) not in drawn]
    panels = [
        trends.trend(view, kind, kind.headline).sized(12, 8),
        tables.latest(view, kind, kind.headline).sized(6, 8),
        trends.flagged(view, kind).sized(6, 8),
        *courses(view, kind, others),
    ]
    return Row(title=label(kind, view.language), panels=tuple(panels), collapsed=collapsed)


def site_row(view: View, system: System) -> Row:
    """Of each kind of a system what stands for it, node by node, and the newest values."""
    panels = []
    for kind in now.kinds_of(system):
        panels.append(trends.trend(view, kind, kind.headline, "node").sized(16, 7))
        panels.append(tables.latest(view, kind, kind.headline).sized(8, 7))
    return Row(title=label(system, view.language), panels=tuple(panels), collapsed=True)


def long_term(view: View, kinds: tuple[Kind, ...]) -> Row:
    """What stands for each kind, and its counters: 30 days by the hour, a year by the day."""
    panels = []
    for kind in kinds:
        counters = [name for name in kind.quantities if QUANTITIES[name].form is Form.COUNTER]
        for name in dict.fromkeys([kind.headline, *counters]):
            panels += [trends.rolled(view, kind, name, days).sized(12, 7) for days in (False, True)]
    return Row(title=view.say("long_term"), panels=tuple(panels), collapsed=True)


def courses(view: View, kind: Kind, names: list[str]) -> Iterator[Panel]:
    """Small trends beside one another; counters of kinds that stand by the hundred are summed a district."""
    by = "" if view.place[0][0] == "district" or kind.name not in BY_DISTRICT else "node"
    for line in _lines(names):
        for name in line:
            yield trends.trend(view, kind, name, by).sized(COLUMNS // len(line), 6)


def _lines(items: list[str]) -> Iterator[list[str]]:
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
