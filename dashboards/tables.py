"""Tables: what is listed, a row a node or a zone."""

from __future__ import annotations

from dashboards.iaqi import CLASSES
from dashboards.limits import CALM, default_rules, limits, steps
from dashboards.now import ACCOUNT, LATELY
from dashboards.panels import (
    CELLS,
    Json,
    Panel,
    Steps,
    Target,
    View,
    override,
    state_words,
    table_options,
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

_PAINTED: Json = {"type": "color-background", "mode": "basic"}


def latest(view: View, kind: Kind, quantity: str) -> Panel:
    """Each node's newest value, the highest first, in the colour of its level."""
    row = QUANTITIES[quantity]
    signal = Signal(
        form=Ask.LATEST, kind=kind.name, quantity=quantity, by=("node", "district"), place=view.place
    )
    found = limits(kind, quantity)
    coloured: Json = {"custom.cellOptions": {"type": "color-text"}} if found else {}
    return Panel(
        type="table",
        title=title_of("latest", kind, quantity, view.language),
        description=view.say("latest_about", about=about(quantity, view.language)),
        targets=(Target(signal=signal, table=True),),
        unit=grafana_unit(row.unit),
        decimals=row.decimals,
        options=table_options(view.say("value")),
        custom=CELLS,
        mappings=yes_no(view.language) if row.form is Form.STATE else (),
        overrides=(
            override("Time", displayName=view.say("time"), unit="dateTimeFromNow"),
            override("value", displayName=view.say("value"), **coloured),
            override("node", displayName=view.say("node"), links=[view.to_node(kind.name)]),
            override("district", displayName=view.say("district")),
        ),
        thresholds=steps(found) if found else [],
        no_value=view.say("no_data"),
    )


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
    painted = {
        name: override(
            name,
            displayName=view.say(name),
            thresholds={"mode": "absolute", "steps": _over(found[mark])},
            **{"custom.cellOptions": _PAINTED},
        )
        for name, mark in over.items()
    }
    return Panel(
        type="table",
        title=view.say("stages"),
        description=view.say("stages_about", rule=label(default_rules()["flood"], view.language)),
        targets=(Target(signal=level, table=True), Target(signal=registered, table=True)),
        unit=grafana_unit(quantity.unit),
        decimals=quantity.decimals,
        options=table_options(view.say("over_warning_m")),
        custom=CELLS,
        overrides=(
            override("Time 1", displayName=view.say("time"), unit="dateTimeFromNow"),
            override("value", displayName=label(quantity, view.language), **{"custom.minWidth": 90}),
            override("node", displayName=view.say("node"), links=[view.to_node(kind.name)]),
            *(override(name, displayName=view.say(name)) for name in ("district", "label", *found)),
            *painted.values(),
        ),
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
    )


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
    columns = {name: label(QUANTITIES[name], view.language) for name in TABLE}
    signal = Signal(
        form=Ask.IAQI, kind=kind.name, fields=tuple(columns.items()), by=("district",), place=view.place
    )
    words = [
        {
            "type": "range",
            "options": {
                "from": first,
                "to": following - 0.001,
                "result": {"text": english if view.language == "en" else chinese, "color": colour, "index": n},
            },
        }
        for n, ((first, colour, english, chinese), following) in enumerate(
            zip(CLASSES, [one[0] for one in CLASSES[1:]] + [1000], strict=True)
        )
    ]
    return Panel(
        type="table",
        title=view.say("air_index"),
        description=view.say("air_index_about"),
        targets=(Target(signal=signal, table=True),),
        unit="none",
        decimals=0,
        options=table_options(view.say("aqi")),
        custom=CELLS,
        overrides=(
            override("Time", **{"custom.hidden": True}),
            override("district", displayName=view.say("district")),
            override("aqi", displayName=view.say("aqi"), **{"custom.cellOptions": _PAINTED}),
            override(
                "class",
                displayName=view.say("air_class"),
                mappings=words,
                **{"custom.cellOptions": _PAINTED},
            ),
            *(override(name, **{"custom.cellOptions": {"type": "color-text"}}) for name in columns.values()),
        ),
        thresholds=air_classes(),
        transformations=tuple(_highest(name, tuple(columns.values())) for name in ("aqi", "class")),
        time_from="1h",
        no_value=view.say("no_data"),
    )


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
    return Panel(
        type="table",
        title=view.say(key),
        description=view.say(f"{key}_about"),
        targets=(Target(signal=signal, table=True),),
        unit="short",
        decimals=0,
        options=table_options(view.say("missing")),
        custom=CELLS,
        overrides=(
            override("Time", **{"custom.hidden": True}),
            override("state", displayName=view.say("state"), mappings=list(state_words(view.language))),
            override("age_s", displayName=view.say("age_s"), unit="s"),
            override("node", displayName=view.say("node"), links=[view.to_node()]),
            *(override(name, displayName=view.say(name)) for name in ("label", "kind", "district", *ACCOUNT)),
        ),
        time_from=LATELY,
        no_value=view.say("none"),
        width=24,
    )
