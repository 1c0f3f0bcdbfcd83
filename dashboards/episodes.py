"""Episodes: what rules found, as numbers, lists and days."""

from __future__ import annotations

from dashboards.limits import default_rules
from dashboards.now import stat
from dashboards.panels import (
    LINES,
    PAINTED,
    STACKED,
    Panel,
    Target,
    View,
    column,
    hidden,
    level_words,
    override,
    stat_options,
    table,
    values,
    words,
    yes_no,
)
from dashboards.signals import EPISODE, Ask, Signal
from edge.model.alert import Level
from edge.model.kinds import KINDS, SYSTEMS

OPEN_SINCE = "30d"
"""Open episodes are looked for this far back."""


def _open(view: View, *more: tuple[str, str | int]) -> Signal:
    return Signal(
        form=Ask.EPISODE_COUNT, kind=EPISODE, quantity="level", place=view.place,
        only=(*view.only, ("firing", 1), *more),
    )  # fmt: skip


def open_levels(view: View) -> Panel:
    """How many episodes are open, by level."""
    targets = tuple(
        Target(signal=_open(view, ("level", int(level))), alias=view.say(f"level_{level:d}"))
        for level in reversed(Level)
    )
    coloured = tuple(
        override(view.say(f"level_{level:d}"), color={"mode": "fixed", "fixedColor": level.word})
        for level in Level
    )
    return stat(
        view, "firing_levels", "firing_levels_about", targets, time_from=OPEN_SINCE, overrides=coloured,
        options=stat_options(coloured="background"),
    )  # fmt: skip


def acknowledged(view: View) -> Panel:
    """How many open episodes somebody has seen."""
    targets = tuple(
        Target(signal=_open(view, ("acknowledged", seen)), alias=view.say(name))
        for name, seen in (("acknowledged", 1), ("unacknowledged", 0))
    )
    return stat(view, "acknowledged_now", "acknowledged_about", targets, time_from=OPEN_SINCE)


def firing(view: View) -> Panel:
    """The episodes that are open."""
    return _list(view, "firing", time_from=OPEN_SINCE, only=(("firing", 1),))


def begun(view: View) -> Panel:
    """The episodes that began in the time shown."""
    return _list(view, "episodes")


def _list(view: View, key: str, *, time_from: str = "", only: tuple[tuple[str, int], ...] = ()) -> Panel:
    """A row an episode. The kind comes twice: as the link to the node needs it, and in words."""
    title, until = f"title_{view.language}", () if only else ("end_ms",)
    names = ("level", title, "node", "kind", "district", "value", "unit", "acknowledged", *until)
    signal = Signal(
        form=Ask.EPISODES, kind=EPISODE, quantity="level", place=view.place, only=(*view.only, *only),
        fields=(*((name, "kind_of" if name == "kind" else name) for name in names), ("kind", "kind")),
    )  # fmt: skip
    levels, seen = list(level_words(view.language)), list(yes_no(view.language))
    still = list(values([(0, view.say("still_open"), "orange")]))
    columns = (
        column(view, "Time", "since", unit="dateTimeAsLocal"),
        column(view, "level", mappings=levels, **PAINTED | {"custom.width": 80}),
        column(view, title, "title"),
        hidden("kind"),
        column(view, "kind_of", "kind", mappings=words(KINDS, view.language)),
        column(view, "acknowledged", mappings=seen),
        *(column(view, name, "until", unit="dateTimeAsLocal", mappings=still) for name in until),
        column(view, "unit", "unit_of"),
        *(column(view, name) for name in ("node", "district", "value")),
    )
    return table(
        view, view.say(key), view.say(f"{key}_about"), [signal], columns,
        links=(view.to_node(),), time_from=time_from, width=24,
    )  # fmt: skip


def per_day(view: View) -> Panel:
    """How many episodes began on each day, by level."""
    targets = tuple(
        Target(
            signal=Signal(
                form=Ask.EPISODE_COUNT, kind=EPISODE, quantity="level", place=view.place, over="1d",
                only=(*view.only, ("level", int(level))),
            ),
            alias=view.say(f"level_{level:d}"),
        )
        for level in Level
    )  # fmt: skip
    return Panel(
        type="timeseries",
        title=view.say("per_day"),
        description=view.say("per_day_about"),
        targets=targets,
        unit="short",
        decimals=0,
        options=LINES,
        custom=STACKED,
        overrides=tuple(
            override(view.say(f"level_{level:d}"), color={"mode": "fixed", "fixedColor": level.word})
            for level in Level
        ),
        no_value="0",
        time_from=OPEN_SINCE,
    )


def by_tag(view: View, tag: str) -> Panel:
    """How many episodes began in the time shown, by system or by rule."""
    signal = Signal(form=Ask.EPISODE_COUNT, kind=EPISODE, quantity="level", place=view.place, by=(tag,))
    named = words(SYSTEMS if tag == "system" else default_rules(), view.language)
    columns = (hidden("Time"), column(view, tag, mappings=named), column(view, "episodes", "count"))
    return table(
        view, view.say(f"by_{tag}"), view.say("by_about"), [signal], columns,
        order=view.say("count"), unit="short", decimals=0,
    )  # fmt: skip
