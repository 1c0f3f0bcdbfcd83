"""Tables: what is listed, a row a node or a zone."""

from __future__ import annotations

from dashboards.iaqi import CLASSES
from dashboards.limits import CALM, default_rules, limits, steps
from dashboards.now import ACCOUNT, LATELY
from dashboards.panels import (
    PAINTED,
    WRITTEN,
    Json,
    Panel,
    Steps,
    View,
    column,
    hidden,
    override,
    state_words,
    table,
    yes_no,
)
from dashboards.signals import STATUS, Ask, Signal
from dashboards.texts import label
from dashboards.trends import about, air_classes, title_of
from dashboards.units import grafana_unit
from edge.model.alert import Level
from edge.model.kinds import KINDS, Kind
from edge.model.quantities import QUANTITIES, Form
from edge.rules.aqi import TABLE


def latest(view: View, kind: Kind, quantity: str) -> Panel:
    """Each node's newest value, the highest first, in the colour of its level."""
    row, found = QUANTITIES[quantity], limits(kind, quantity)
    signal = Signal(
        form=Ask.LATEST, kind=kind.name, quantity=quantity, by=("node", "district"), place=view.place
    )
    columns = (
        column(view, "Time", "time", unit="dateTimeFromNow"),
        column(view, "value", **(WRITTEN if found else {})),
        column(view, "node", links=[view.to_node(kind.name)]),
        column(view, "district"),
    )
    return table(
        view, title_of("latest", kind, quantity, view.language),
        view.say("latest_about", about=about(quantity, view.language)), [signal], columns,
        order=view.say("value"),
        unit=grafana_unit(row.unit),
        decimals=row.decimals,
        mappings=yes_no(view.language) if row.form is Form.STATE else (),
        thresholds=steps(found) if found else [],
        no_value=view.say("no_data"),
    )  # fmt: skip


def marks(rule: str = "flood") -> dict[str, Level]:
    """Return the marks that a rule's levels refer to: {"warning_m": YELLOW, ...}."""
    return {step.enter.name: step.level for step in default_rules()[rule].steps if step.enter.name}


def stages(view: View, kind: Kind) -> Panel:
    """Every station's stage beside its own marks, and how far it is over them."""
    found, quantity = marks(), QUANTITIES["level_m"]
    level = Signal(
        form=Ask.LATEST, kind=kind.name, quantity="level_m", by=("node", "district"), place=view.place
    )
    registered = Signal(
        form=Ask.STATUS, kind=STATUS, by=("node",), place=view.place, only=(("kind", kind.name),),
        fields=((f"label_{view.language}", "label"), *((mark, mark) for mark in found)),
    )  # fmt: skip
    over = {"over_warning_m": "warning_m", "over_guaranteed_m": "guaranteed_m"}
    columns = (
        column(view, "Time 1", "time", unit="dateTimeFromNow"),
        override("value", displayName=label(quantity, view.language), **{"custom.minWidth": 90}),
        column(view, "node", links=[view.to_node(kind.name)]),
        *(column(view, name) for name in ("district", "label", *found)),
        *(
            column(view, name, thresholds={"mode": "absolute", "steps": _over(found[mark])}, **PAINTED)
            for name, mark in over.items()
        ),
    )
    return table(
        view, view.say("stages"),
        view.say("stages_about", rule=label(default_rules()["flood"], view.language)),
        [level, registered], columns,
        order=view.say("over_warning_m"),
        unit=grafana_unit(quantity.unit),
        decimals=quantity.decimals,
        transformations=(
            {"id": "joinByField", "options": {"byField": "node", "mode": "outer"}},
            *(_difference(name, "value", mark) for name, mark in over.items()),
            {
                "id": "organize",
                "options": {"excludeByName": {"Time 2": True}, "indexByName": {}, "renameByName": {}},
            },
        ),
        no_value=view.say("no_data"),
        width=24,
    )  # fmt: skip


def _over(level: Level) -> Steps:
    return [{"color": CALM, "value": None}, {"color": level.word, "value": 0}]


def _difference(name: str, left: str, right: str) -> Json:
    sides = {
        side: {"matcher": {"id": "byName", "options": one}} for side, one in (("left", left), ("right", right))
    }
    return {
        "id": "calculateField",
        "options": {
            "alias": name,
            "mode": "binary",
            "replaceFields": False,
            "binary": {**sides, "operator": "-"},
        },
    }


def air_index(view: View) -> Panel:
    """Of every zone the pollutants' sub-indices and the highest of them, the index."""
    kind = KINDS["air_quality"]
    pollutants = {name: label(QUANTITIES[name], view.language) for name in TABLE}
    signal = Signal(
        form=Ask.IAQI, kind=kind.name, fields=tuple(pollutants.items()), by=("district",), place=view.place
    )
    columns = (
        hidden("Time"),
        column(view, "district"),
        column(view, "aqi", **PAINTED),
        column(view, "class", "air_class", mappings=_classes(view), **PAINTED),
        *(override(name, **WRITTEN) for name in pollutants.values()),
    )
    return table(
        view, view.say("air_index"), view.say("air_index_about"), [signal], columns,
        order=view.say("aqi"),
        decimals=0,
        thresholds=air_classes(),
        transformations=tuple(_highest(name, tuple(pollutants.values())) for name in ("aqi", "class")),
        time_from="1h",
        no_value=view.say("no_data"),
    )  # fmt: skip


def _classes(view: View) -> list[Json]:
    """The index in words: a class lasts to where the next one begins."""
    ends = [one[0] for one in CLASSES[1:]] + [1000]
    return [
        {
            "type": "range",
            "options": {
                "from": first,
                "to": following - 0.001,
                "result": {"text": english if view.language == "en" else chinese, "color": colour, "index": n},
            },
        }
        for n, ((first, colour, english, chinese), following) in enumerate(zip(CLASSES, ends, strict=True))
    ]


def _highest(name: str, columns: tuple[str, ...]) -> Json:
    return {
        "id": "calculateField",
        "options": {
            "alias": name,
            "mode": "reduceRow",
            "replaceFields": False,
            "reduce": {"include": list(columns), "reducer": "max"},
        },
    }


def losers(view: View) -> Panel:
    """The nodes whose account has a gap."""
    return _accounts(view, "losers", positive="missing", place=view.place)


def members(view: View) -> Panel:
    """The nodes that report through one gateway."""
    return _accounts(view, "members", place=(("gateway", "node"),))


def _accounts(view: View, key: str, *, place: tuple[tuple[str, str], ...], positive: str = "") -> Panel:
    names = (f"label_{view.language}", "state", "age_s", *ACCOUNT)
    titles = {name: "label" if name.startswith("label_") else name for name in names}
    signal = Signal(
        form=Ask.STATUS, kind=STATUS, fields=tuple(titles.items()), by=("node", "kind", "district"),
        place=place, positive=positive,
    )  # fmt: skip
    columns = (
        hidden("Time"),
        hidden("kind"),
        column(view, "state", mappings=list(state_words(view.language))),
        column(view, "age_s", unit="s"),
        column(view, "node", links=[view.to_node()]),
        *(column(view, name) for name in ("label", "district", *ACCOUNT)),
    )
    return table(
        view, view.say(key), view.say(f"{key}_about"), [signal], columns,
        order=view.say("missing"),
        unit="short",
        decimals=0,
        time_from=LATELY,
        width=24,
    )  # fmt: skip
