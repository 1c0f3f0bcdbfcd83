"""Trends: what is drawn over time."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from dashboards.iaqi import CLASSES
from dashboards.limits import Limit, limits, steps
from dashboards.panels import (
    BARS,
    LINES,
    STACKED,
    Json,
    Panel,
    Steps,
    Target,
    View,
    override,
    system_names,
    yes_no,
)
from dashboards.signals import DAYS, HOURS, STATUS, Ask, Signal, course
from dashboards.texts import Language, inside, label, text
from dashboards.units import grafana_unit
from edge.model.alert import Level
from edge.model.kinds import KINDS, Kind
from edge.model.quantities import QUANTITIES, Form, Mean
from edge.model.units import UNITS

_OPEN_ENDED = 1e9  # a range that ends here ends nowhere, and is not worth a word
SILENT_MS = 3_000  # of a period in seconds, in ms: a gap of three periods breaks the line


def trend(view: View, kind: Kind, quantity: str, by: str = "", ask: Ask | None = None) -> Panel:
    """The course of a quantity: a line a node (or district); a state as coloured bars; limits as lines."""
    row = QUANTITIES[quantity]
    signal = replace(course(kind, quantity, by), place=view.place)
    if ask is not None:
        signal = replace(signal, form=ask)
    form, tag = signal.form, signal.by[0]
    as_bars = row.form is Form.STATE and form is Ask.TREND
    drawn = form is Ask.TREND and not as_bars
    found = limits(kind, quantity) if drawn else ()
    per_hour = form is Ask.RATE
    title = "by_district" if by == "district" and form is Ask.TREND else form.value
    lines = text_of_limits(found, view.language)
    style: Json = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "auto"}
    style["insertNulls"] = int(kind.period_s * SILENT_MS)
    if found:
        style["thresholdsStyle"] = {"mode": "line"}
    where = "node" if tag == "node" else "district"
    link = view.to_node(kind.name, "${__field.labels.node}") if where == "node" else None
    return Panel(
        type="state-timeline" if as_bars else "timeseries",
        title=title_of(title, kind, quantity, view.language),
        description=describe(signal, view.language) + lines,
        targets=(Target(signal=signal, alias=f"$tag_{tag}"),),
        unit="percent" if form is Ask.SHARE else grafana_unit(row.unit, per_hour=per_hour),
        decimals=None if per_hour or form is Ask.SHARE else row.decimals,
        options=BARS if as_bars else LINES,
        custom={"fillOpacity": 70, "lineWidth": 0} if as_bars else style,
        mappings=yes_no(view.language) if as_bars else (),
        thresholds=steps(found) if found else [],
        colour="palette-classic" if found else "",
        links=(link,) if link else (),
        no_value=view.say("no_data"),
    )


def stage_trend(view: View, kind: Kind, quantity: str, marks: dict[str, Level]) -> Panel:
    """The course of one station's stage with the marks that its rule refers to, dashed and in their colours."""
    panel = trend(view, kind, quantity)
    targets, overrides = list(panel.targets), []
    for mark, level in marks.items():
        name = view.say(mark)
        signal = Signal(form=Ask.STATUS, kind=STATUS, fields=((mark, mark),), place=view.place, over="interval")
        targets.append(Target(signal=signal, alias=name))
        colour = {"mode": "fixed", "fixedColor": level.word}
        dashed = {"dash": [8, 8], "fill": "dash"}
        overrides.append(
            override(name, color=colour, **{"custom.lineStyle": dashed, "custom.showPoints": "never"})
        )
    return replace(
        panel,
        description=panel.description + view.say("stage_lines"),
        targets=tuple(targets),
        overrides=tuple(overrides),
    )


def flagged(view: View, kind: Kind) -> Panel:
    """How many values of a kind did not pass a check, by quantity."""
    fields = tuple((f"{name}_qc", label(QUANTITIES[name], view.language)) for name in kind.known)
    signal = Signal(form=Ask.FLAGGED, kind=kind.name, fields=fields, place=view.place, over="interval")
    return _counted(
        view, signal, title=view.say("flagged", kind=label(kind, view.language)), about="flagged_about"
    )


def clock_doubt(view: View, kind: Kind) -> Panel:
    """How many readings carry a time that is not to be trusted."""
    fields = (("clock_qc", view.say("count_readings")),)
    signal = Signal(form=Ask.FLAGGED, kind=kind.name, fields=fields, place=view.place, over="interval")
    return _counted(view, signal, title=view.say("clock_doubt"), about="clock_doubt_about")


def _counted(view: View, signal: Signal, *, title: str, about: str) -> Panel:
    return Panel(
        type="timeseries",
        title=title,
        description=view.say(about),
        targets=(Target(signal=signal, alias="$col"),),
        unit="short",
        decimals=0,
        options=LINES,
        custom=STACKED,
        no_value="0",
    )


def coverage_course(view: View) -> Panel:
    """The share of nodes that report, over time, by system."""
    signal = Signal(
        form=Ask.COVERAGE, kind=STATUS, quantity="state", by=("system",), place=view.place, only=view.only,
        over="interval",
    )  # fmt: skip
    return Panel(
        type="timeseries",
        title=view.say("coverage_course"),
        description=view.say("coverage_about"),
        targets=(Target(signal=signal, alias="$tag_system"),),
        unit="percent",
        decimals=1,
        options=LINES,
        custom={"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never"},
        overrides=system_names(view.language),
        bounds=(0, 100),
        no_value=view.say("no_data"),
    )


def fresh_course(view: View) -> Panel:
    """How old the newest readings are, over time: the middle and the slow end."""
    return Panel(
        type="timeseries",
        title=view.say("fresh_course"),
        description=view.say("fresh_about"),
        targets=tuple(
            Target(signal=freshness(view, rank, over="interval"), alias=view.say(name))
            for name, rank in FRESHNESS.items()
        ),
        unit=grafana_unit("s"),
        options=LINES,
        custom={"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never"},
        no_value=view.say("no_data"),
    )


FRESHNESS = {"median": 50, "p95": 95}


def freshness(view: View, rank: int, over: str = "") -> Signal:
    """Return the question how old the newest readings are."""
    return Signal(
        form=Ask.PERCENTILE,
        kind=STATUS,
        quantity="age_s",
        rank=rank,
        place=view.place,
        only=view.only,
        over=over,
    )


def age_course(view: View) -> Panel:
    """How old one node's newest reading was, over time."""
    signal = Signal(
        form=Ask.STATUS, kind=STATUS, fields=(("age_s", "age_s"),), place=view.place, over="interval"
    )
    return Panel(
        type="timeseries",
        title=view.say("age_course"),
        description=view.say("age_course_about"),
        targets=(Target(signal=signal, alias=view.say("age_s")),),
        unit=grafana_unit("s"),
        options=LINES,
        custom={"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never"},
        no_value=view.say("no_data"),
    )


def gaps(view: View) -> Panel:
    """What a node's account says is missing and what is still on its way, over time."""
    return Panel(
        type="timeseries",
        title=view.say("gaps"),
        description=view.say("gaps_about"),
        targets=tuple(
            Target(
                signal=Signal(
                    form=Ask.STATUS, kind=STATUS, fields=((name, name),), place=view.place, over="interval"
                ),
                alias=view.say(name),
            )
            for name in ("missing", "queued", "dropped", "quarantined")
        ),
        unit="short",
        decimals=0,
        options=LINES,
        custom={"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"},
        no_value="0",
    )


def air_course(view: View, pollutant: str) -> Panel:
    """The sub-index of one pollutant by zone, hour by hour."""
    kind, name = KINDS["air_quality"], label(QUANTITIES[pollutant], view.language)
    signal = Signal(
        form=Ask.IAQI, kind=kind.name, fields=((pollutant, name),), by=("district",), place=view.place,
        over="interval",
    )  # fmt: skip
    return Panel(
        type="timeseries",
        title=view.say("air_course", pollutant=name),
        description=view.say("air_course_about", pollutant=name),
        targets=(Target(signal=signal, alias="$tag_district"),),
        unit="none",
        decimals=0,
        options=LINES,
        custom={"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "thresholdsStyle": {"mode": "area"}},
        thresholds=air_classes(),
        colour="palette-classic",
        interval="1h",
        no_value=view.say("no_data"),
    )


def air_classes() -> Steps:
    """Return the six classes of the index as thresholds."""
    return [{"color": colour, "value": first or None} for first, colour, _, _ in CLASSES]


def rolled(view: View, kind: Kind, quantity: str, days: bool, by: tuple[str, ...] = ()) -> Panel:
    """The long term of a quantity from its roll-up: 30 days by the hour, or a year by the day."""
    row, language = QUANTITIES[quantity], view.language
    signal = Signal(
        form=Ask.ROLLED, kind=kind.name, quantity=quantity, place=view.place, by=by, over="interval",
        source=DAYS if days else HOURS,
    )  # fmt: skip
    how = "three"
    if row.mean is Mean.ENERGY:
        how = "energy"
    elif row.form is not Form.GAUGE:
        how = {Form.COUNTER: "grown", Form.STATE: "share"}[row.form]
    elif row.mean is Mean.SUM:
        how = "sum"
    single = view.place != View(language=language).place
    summed = how in ("grown", "sum")
    alias = f"$tag_{by[0]}" if by else "$col" if how == "three" else text("value", language)
    words = {name: text(name, language) for name in ("min", "mean", "max")} if how == "three" else {}
    return Panel(
        type="timeseries",
        title=title_of("days" if days else "hours", kind, quantity, language),
        description=text(
            "rolled_node_about" if single else "rolled_about",
            language,
            how=text(f"rolled_{how}", language),
            about=about(quantity, language),
        ).strip(),
        targets=(Target(signal=signal, alias=alias),),
        unit="percent" if how == "share" else grafana_unit(row.unit),
        decimals=None if how in ("share", "grown") else row.decimals,
        options=LINES,
        custom={"drawStyle": "bars" if summed else "line", "lineWidth": 1, "fillOpacity": 60 if summed else 0},
        overrides=tuple(override(name, displayName=word) for name, word in words.items()),
        time_from="365d" if days else "30d",
        interval="1d" if days else "1h",
        no_value=text("no_data", language),
    )


def describe(signal: Signal, language: Language) -> str:
    """Return what a reader must know of a signal: unit, range, resolution and how it was averaged."""
    quantity = QUANTITIES[signal.quantity]
    how = {Ask.SHARE: "share", Ask.RATE: "rate", Ask.TOTAL: "total"}.get(signal.form, quantity.mean.value)
    if how == "last" and signal.by[:1] == ("district",):
        how = "arithmetic"
    return about(signal.quantity, language, how=text(f"how_{how}", language))


def about(name: str, language: Language, how: str = "") -> str:
    """Return what the catalogue says of a quantity."""
    quantity = QUANTITIES[name]
    shown = UNITS[quantity.unit].display
    key = "about" if quantity.high < _OPEN_ENDED else "about_plain"
    return text(
        "about_state" if quantity.form is Form.STATE else key,
        language,
        quantity=label(quantity, language),
        unit=text("unit", language, unit=shown) if shown not in ("", quantity.label_en) else "",
        low=_number(quantity.low),
        high=_number(quantity.high),
        resolution=_number(quantity.resolution),
        how=how,
    ).strip()


def text_of_limits(found: tuple[Limit, ...], language: Language) -> str:
    """Return which rules the lines of a panel belong to, and at which values."""
    parts = []
    for rule, of_rule in groupby(found, key=lambda limit: limit.rule):
        named = text("and", language).join(
            f"{text(f'level_{one.level:d}', language)} {_number(one.value)}" for one in of_rule
        )
        key = "line_below" if rule.below else "line_above"
        parts.append(text(key, language, rule=label(rule, language), values=named))
    return text("lines", language, lines=text("then", language).join(parts)) if parts else ""


def title_of(key: str, kind: Kind, quantity: str, language: Language) -> str:
    """Return a title that names kind and quantity."""
    name = inside(label(QUANTITIES[quantity], language), language)
    return text(key, language, kind=label(kind, language), quantity=name)


def _number(value: float) -> str:
    return f"{value:,.12g}"
