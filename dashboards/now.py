"""Now: how things stand, as numbers and on a map."""

from __future__ import annotations

from dashboards.limits import limits, steps
from dashboards.panels import (
    STATE_COLOURS,
    Json,
    Panel,
    Target,
    View,
    override,
    stat_options,
    state_words,
    system_names,
)
from dashboards.signals import STATUS, Ask, Signal
from dashboards.texts import label
from dashboards.trends import FRESHNESS, freshness, text_of_limits
from dashboards.units import grafana_unit
from edge.model.kinds import KINDS, Kind, System
from edge.model.quantities import QUANTITIES

LATELY = "5m"
"""The cloud writes every node's status each minute: what is older is not how things stand."""

ACCOUNT = ("produced", "stored", "queued", "dropped", "quarantined", "missing")
LEDGER = {
    "produced_readings": "produced",
    "stored_readings": "stored",
    "queue_readings": "queued",
    "dropped_readings": "dropped",
    "quarantined_readings": "quarantined",
    "missing_readings": "missing",
    "unaccounted_readings": "",
}
"""Quantities of the gateway and their short names; what has none is called as the catalogue calls it."""


def stat(view: View, title: str, about: str, targets: tuple[Target, ...], **more: object) -> Panel:
    given: Json = {"unit": "short", "decimals": 0, "options": stat_options(), "no_value": "0", **more}
    return Panel(type="stat", title=view.say(title), description=view.say(about), targets=targets, **given)


def status_map(view: View) -> Panel:
    """Every registered node where it stands, coloured by its state."""
    shown = {"lat": "lat", "lon": "lon", "state": "state", "age_s": "age_s", f"label_{view.language}": "label"}
    signal = Signal(
        form=Ask.STATUS, kind=STATUS, fields=tuple(shown.items()), by=("node", "kind", "district"),
        place=view.place, only=view.only,
    )  # fmt: skip
    colours = [{"color": colour, "value": n or None} for n, colour in enumerate(STATE_COLOURS)]
    return Panel(
        type="geomap",
        title=view.say("map"),
        description=view.say("map_about"),
        targets=(Target(signal=signal, table=True),),
        unit="short",
        options=_MAP,
        mappings=(),
        overrides=(
            override("state", displayName=view.say("state"), mappings=list(state_words(view.language))),
            override("age_s", displayName=view.say("age_s"), unit="s", decimals=0),
            *(override(name, displayName=view.say(name)) for name in ("label", "node", "district")),
            *(override(name, **{"custom.hideFrom": _HIDDEN}) for name in ("Time", "lat", "lon", "kind")),
        ),
        thresholds=colours,
        colour="thresholds",
        links=(view.to_node(),),
        time_from=LATELY,
    )


_HIDDEN: Json = {"tooltip": True, "viz": False, "legend": False}
_MAP: Json = {
    "view": {"id": "fit", "allLayers": True, "padding": 20},
    "controls": {"showZoom": True, "mouseWheelZoom": True, "showAttribution": True, "showScale": True},
    "basemap": {"type": "default", "name": "base"},
    "layers": [
        {
            "type": "markers",
            "name": "nodes",
            "location": {"mode": "coords", "latitude": "lat", "longitude": "lon"},
            "tooltip": True,
            "config": {
                "showLegend": True,
                "style": {
                    "color": {"field": "state", "fixed": "gray"},
                    "opacity": 0.8,
                    "size": {"fixed": 6, "min": 4, "max": 10},
                    "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
                },
            },
        }
    ],
    "tooltip": {"mode": "details"},
}


def states(view: View) -> Panel:
    """How many nodes are in which state."""
    targets = tuple(
        Target(
            signal=Signal(
                form=Ask.COUNTED, kind=STATUS, quantity="state", equals=n, place=view.place, only=view.only
            ),
            alias=view.say(f"state_{n}"),
        )
        for n in range(len(STATE_COLOURS))
    )
    coloured = tuple(
        override(view.say(f"state_{n}"), color={"mode": "fixed", "fixedColor": colour})
        for n, colour in enumerate(STATE_COLOURS)
    )
    return stat(
        view, "states", "states_about", targets, time_from=LATELY, overrides=coloured,
        options=stat_options(coloured="value"),
    )  # fmt: skip


def coverage_now(view: View) -> Panel:
    """The share of registered nodes that report: the city's, or one system's."""
    by = () if view.system or view.place[0][0] != "district" else ("system",)
    signal = Signal(form=Ask.COVERAGE, kind=STATUS, quantity="state", by=by, place=view.place, only=view.only)
    return stat(
        view, "coverage_now", "coverage_about",
        (Target(signal=signal, alias="$tag_system" if by else view.say("coverage_now")),),
        unit="percent", decimals=1, bounds=(0, 100), time_from=LATELY, no_value=view.say("no_data"),
        overrides=system_names(view.language) if by else (),
    )  # fmt: skip


def fresh_now(view: View) -> Panel:
    """How old the newest readings are: the middle and the slow end."""
    targets = tuple(
        Target(signal=freshness(view, rank), alias=view.say(name)) for name, rank in FRESHNESS.items()
    )
    return stat(
        view, "fresh_now", "fresh_about", targets, unit=grafana_unit("s"), time_from=LATELY,
        no_value=view.say("no_data"),
    )  # fmt: skip


def heard(view: View, system: System) -> Panel:
    """How many nodes of a system reported in the last hour, a number a kind."""
    targets = tuple(
        Target(
            signal=Signal(form=Ask.HEARD, kind=kind.name, quantity=kind.headline, place=view.place),
            alias=label(kind, view.language),
        )
        for kind in kinds_of(system)
    )
    name = "pipeline" if system.name == "network" else system.name
    link = {"title": view.say("open_system"), "url": view.to(name), "targetBlank": False}
    return Panel(
        type="stat",
        title=label(system, view.language),
        description=view.say("heard_about"),
        targets=targets,
        unit="short",
        decimals=0,
        options=stat_options(),
        links=(link,),
        no_value="0",
        time_from="1h",
    )


def kinds_of(system: System) -> tuple[Kind, ...]:
    """Return the kinds of a system in the catalogue's order."""
    return tuple(kind for kind in KINDS.values() if kind.system == system.name)


def node_state(view: View) -> Panel:
    """How the cloud sees one node."""
    signal = Signal(form=Ask.STATUS, kind=STATUS, fields=(("state", "state"),), place=view.place)
    return stat(
        view, "state_now", "state_about", (Target(signal=signal, alias=view.say("state")),),
        options=stat_options(coloured="background", names=False), mappings=state_words(view.language),
        time_from=LATELY, no_value=view.say("no_data"),
    )  # fmt: skip


def node_age(view: View) -> Panel:
    """How long ago one node was last heard of."""
    signal = Signal(form=Ask.STATUS, kind=STATUS, fields=(("age_s", "age_s"),), place=view.place)
    return stat(
        view, "age_now", "age_about", (Target(signal=signal, alias=view.say("age_s")),), unit="s",
        options=stat_options(names=False), time_from=LATELY, no_value=view.say("no_data"),
    )  # fmt: skip


def battery(view: View, kind: Kind) -> Panel:
    """The newest voltage of one node's battery."""
    row, found = QUANTITIES["battery_v"], limits(kind, "battery_v")
    signal = Signal(form=Ask.LATEST, kind=kind.name, quantity=row.name, place=view.place)
    return Panel(
        type="stat",
        title=view.say("battery_now"),
        description=view.say("battery_about", lines=text_of_limits(found, view.language)),
        targets=(Target(signal=signal, alias=view.say("battery_now")),),
        unit=grafana_unit(row.unit),
        decimals=row.decimals,
        options=stat_options(coloured="value", names=False),
        thresholds=steps(found),
        no_value=view.say("no_data"),
    )


def node_account(view: View) -> Panel:
    """What became of all that one node ever produced."""
    fields = tuple((name, view.say(name)) for name in ACCOUNT)
    signal = Signal(form=Ask.STATUS, kind=STATUS, fields=fields, place=view.place)
    return stat(view, "account_now", "account_about", (Target(signal=signal, alias="$col"),), time_from=LATELY)


def ledger(view: View) -> Panel:
    """What became of all that the gateways took, and whether the account balances."""
    targets = tuple(
        Target(
            signal=Signal(form=Ask.SUMMED, kind="gateway", quantity=name, place=view.place),
            alias=view.say(word) if word else label(QUANTITIES[name], view.language),
        )
        for name, word in LEDGER.items()
    )
    return stat(view, "ledger_now", "ledger_about", targets, time_from="10m")
