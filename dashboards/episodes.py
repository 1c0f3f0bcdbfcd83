"""Episodes: what rules found, as numbers, lists and days."""

from __future__ import annotations

from collections.abc import Mapping

from dashboards.limits import default_rules
from dashboards.now import stat
from dashboards.panels import (
    CELLS,
    LINES,
    STACKED,
    Json,
    Panel,
    Target,
    View,
    level_words,
    override,
    stat_options,
    table_options,
    values,
    yes_no,
)
from dashboards.signals import EPISODE, Ask, Signal
from dashboards.texts import label
from edge.model.alert import Level
from edge.model.kinds import KINDS, SYSTEMS, System
from edge.rules.rule import Rule

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
    columns = ["level", f"title_{view.language}", "node", "kind", "district", "value", "unit", "acknowledged"]
    columns += [] if only else ["end_ms"]
    signal = Signal(
        form=Ask.EPISODES, kind=EPISODE, quantity="level", fields=tuple((name, name) for name in columns),
        place=view.place, only=(*view.only, *only),
    )  # fmt: skip
    painted = {"custom.cellOptions": {"type": "color-background", "mode": "basic"}, "custom.width": 80}
    kinds: Json = {
        "type": "value",
        "options": {
            name: {"text": label(kind, view.language), "index": n}
            for n, (name, kind) in enumerate(KINDS.items())
        },
    }
    return Panel(
        type="table",
        title=view.say(key),
        description=view.say(f"{key}_about"),
        targets=(Target(signal=signal, table=True),),
        unit="none",
        options=table_options(),
        custom=CELLS,
        overrides=(
            override("Time", displayName=view.say("since"), unit="dateTimeAsLocal"),
            override(
                "level", displayName=view.say("level"), mappings=list(level_words(view.language)), **painted
            ),
            override(f"title_{view.language}", displayName=view.say("title")),
            override("kind", displayName=view.say("kind"), mappings=[kinds]),
            override(
                "acknowledged", displayName=view.say("acknowledged"), mappings=list(yes_no(view.language))
            ),
            override(
                "end_ms", displayName=view.say("until"), unit="dateTimeAsLocal", mappings=_still_open(view)
            ),
            override("unit", displayName=view.say("unit_of")),
            *(override(name, displayName=view.say(name)) for name in ("node", "district", "value")),
        ),
        links=(view.to_node(),),
        no_value=view.say("none"),
        time_from=time_from,
        width=24,
    )


def _still_open(view: View) -> list[Json]:
    return list(values(((0, view.say("still_open"), "orange"),)))


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
    rows: Mapping[str, System | Rule] = SYSTEMS if tag == "system" else default_rules()
    words: Json = {
        "type": "value",
        "options": {
            name: {"text": label(row, view.language), "index": n} for n, (name, row) in enumerate(rows.items())
        },
    }
    return Panel(
        type="table",
        title=view.say(f"by_{tag}"),
        description=view.say("by_about"),
        targets=(Target(signal=signal, table=True),),
        unit="short",
        decimals=0,
        options=table_options(view.say("count")),
        custom=CELLS,
        overrides=(
            override("Time", **{"custom.hidden": True}),
            override(tag, displayName=view.say(tag), mappings=[words]),
            override("episodes", displayName=view.say("count")),
        ),
        no_value=view.say("none"),
    )
