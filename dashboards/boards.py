"""Boards: whole Grafana dashboards, each in Chinese and in English."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboards import episodes, now, tables, trends, variables
from dashboards.panels import Json, Panel, View, source_of
from dashboards.rows import (
    COVERAGE,
    NOW,
    SPECIAL,
    Part,
    Row,
    courses,
    heard_row,
    kind_row,
    long_term,
    row,
    site_row,
)
from dashboards.signals import EPISODE, Ask, Signal
from dashboards.texts import Language, label, text
from edge.model.kinds import KINDS, SYSTEMS, Kind, System

SCHEMA_VERSION = 41  # Grafana 12; later ones migrate it by themselves
TAG = "city-neuron"
NODE: View = View(language=Language.EN, place=(("node", "node"),))
RADIO = ("battery_v", "rssi_dbm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """One dashboard in one language; `name` is the stem of its file and of its uid.

    group: what links find it by. episodes: the question whose answers are drawn over every chart.
    """

    name: str
    group: str
    title: str
    description: str
    language: Language
    rows: tuple[Row, ...]
    variables: tuple[Json, ...]
    episodes: Signal

    @property
    def uid(self) -> str:
        """The board's identity in Grafana: pushing again replaces it."""
        return f"{self.name}-{self.language}"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel, in rows that are open and in those that are not."""
        return tuple(panel for row in self.rows for panel in row.panels)

    def to_dict(self) -> Json:
        """Return the dashboard as Grafana reads it from a file."""
        panels: list[Json] = []
        next_id, y = 1, 0
        for each in self.rows:
            placed, next_id, y = each.to_dicts(next_id, y)
            panels += placed
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG, self.language.value, self.group],
            "timezone": "Asia/Shanghai",
            "editable": False,
            "graphTooltip": 1,
            "refresh": "1m",
            "time": {"from": "now-24h", "to": "now"},
            "schemaVersion": SCHEMA_VERSION,
            "templating": {"list": list(self.variables)},
            "annotations": {"list": [self._annotation()]},
            "links": self._links(),
            "panels": panels,
        }

    def _annotation(self) -> Json:
        name = text("episodes_of", self.language)
        return {
            "name": name,
            "datasource": source_of(self.episodes),
            "enable": True,
            "hide": False,
            "iconColor": "orange",
            "target": {
                "refId": "Anno",
                "name": name,
                "query": self.episodes.query,
                "queryType": "tags",
                "fromAnnotations": True,
                "textColumn": f"title_{self.language}",
                "tagsColumn": "node,rule",
                "timeEndColumn": "end_ms",
                "titleColumn": "",
            },
        }

    def _links(self) -> list[Json]:
        other = Language.EN if self.language is Language.ZH else Language.ZH
        found = [_link(text("other", self.language), url=f"/d/{self.name}-{other}")]
        if self.name != "city":
            found.append(_link(text("city", self.language), url=f"/d/city-{self.language}"))
        for group in ("systems", "nodes", "network"):
            tags = [TAG, self.language.value, group]
            found.append(_link(text(group, self.language), tags=tags))
        return found


def _link(title: str, *, url: str = "", tags: list[str] | None = None) -> Json:
    return {
        "title": title,
        "type": "link" if url else "dashboards",
        **({"url": url} if url else {}),
        "icon": "external link",
        "tooltip": "",
        "tags": tags or [],
        "asDropdown": not url,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }


def _board(
    view: View, name: str, group: str, title: str, about: str, rows: tuple[Row, ...], *more: Json
) -> Board:
    fields = (f"title_{view.language}", "node", "rule", "end_ms")
    drawn = Signal(
        form=Ask.EPISODES, kind=EPISODE, quantity="level", fields=tuple((one, one) for one in fields),
        place=view.place, only=view.only,
    )  # fmt: skip
    return Board(
        name=name,
        group=group,
        title=title,
        description=about,
        language=view.language,
        rows=rows,
        variables=(variables.district(view.language), *more),
        episodes=drawn,
    )


def city(language: Language) -> Board:
    """The board of the whole city: how it stands, how well it is covered, and the way to every system."""
    view = View(language=language)
    rows = (row(view, "now", *NOW), heard_row(view), row(view, "coverage", *COVERAGE, collapsed=True))
    return _board(view, "city", "city", view.say("city"), view.say("city_about"), rows)


def system(row_of: System, language: Language) -> Board:
    """The board of one system: how it stands, what it has of its own, its kinds, the long term."""
    view = View(language=language, system=row_of.name)
    kinds = now.kinds_of(row_of)
    special = [row(view, title, *parts) for title, parts in SPECIAL.get(row_of.name, ())]
    drawn = frozenset(target.signal for one in special for panel in one.panels for target in panel.targets)
    rows = (
        row(view, "now", *NOW),
        *special,
        *(kind_row(view, kind, drawn, collapsed=index > 0) for index, kind in enumerate(kinds)),
        row(view, "coverage", *COVERAGE, collapsed=True),
        long_term(view, kinds),
    )
    name = label(row_of, language)
    return _board(view, row_of.name, "systems", name, view.say("system_about", system=name), rows)


def site(language: Language) -> Board:
    """The board of one site: all its nodes, whatever system they belong to."""
    view = View(language=language, place=NODE.place)
    rows = (row(view, "now", *NOW), *(site_row(view, one) for one in SYSTEMS.values() if one.name != "network"))
    return _board(
        view, "site", "nodes", view.say("site"), view.say("site_about"), rows,
        variables.site(language), variables.nodes_of_site(language),
    )  # fmt: skip


def node(kind: Kind, language: Language) -> Board:
    """The board of one node of a kind: all it measures, how good it is, its link, its account."""
    view = View(language=language, place=NODE.place)
    radio = [name for name in kind.quantities if name in RADIO]
    measured = [name for name in kind.quantities if name not in RADIO and name != kind.headline]
    headline = trends.trend(view, kind, kind.headline, "node")
    if kind.name == "water_level":
        headline = trends.stage_trend(view, kind, kind.headline, tables.marks())
    first: list[Part] = [(episodes.open_levels, 8, 4), (now.node_state, 3, 4), (now.node_age, 3, 4)]
    if "battery_v" in kind.quantities:
        first.append((lambda one: now.battery(one, kind), 3, 4))
    first.append((now.node_account, 24 - sum(width for _, width, _ in first), 4))
    rows = [
        row(view, "now", *first, (episodes.firing, 24, 5)),
        Row(title=view.say("quantities"), panels=(headline.sized(24, 9), *courses(view, kind, measured))),
        Row(
            title=view.say("quality"),
            panels=(trends.flagged(view, kind).sized(12, 7), trends.clock_doubt(view, kind).sized(12, 7)),
        ),
    ]
    link = (trends.age_course(view).sized(24 if not radio else 12, 6), *courses(view, kind, radio))
    rows.append(Row(title=view.say("link"), panels=link))
    if kind.further:
        more = tuple(courses(view, kind, list(kind.further)))
        rows.append(Row(title=view.say("further"), panels=more, collapsed=True))
    rows.append(row(view, "account", (trends.gaps, 24, 7)))
    if kind.name == "gateway":
        rows.append(row(view, "nodes_row", (tables.members, 24, 10)))
    rows.append(long_term(view, (kind,)))
    title = view.say("one", kind=label(kind, language))
    group = "network" if kind.name == "gateway" else "nodes"
    return _board(
        view, f"node-{kind.name}", group, title, view.say("one_about"), tuple(rows),
        variables.node(language, kind.name),
    )  # fmt: skip


def pipeline(language: Language) -> Board:
    """The board of the way from node to store: the ledger, the queues, the losses, how long it takes."""
    view, kind = View(language=language), KINDS["gateway"]

    def of(name: str, width: int = 8) -> Panel:
        return trends.trend(view, kind, name).sized(width, 7)

    rows = (
        row(view, "ledger", (now.ledger, 24, 4), (tables.losers, 24, 8)),
        Row(
            title=view.say("flow"),
            panels=(
                *(of(name) for name in ("produced_readings", "stored_readings", "queue_readings")),
                *(of(name) for name in ("backlog_age_s", "commit_ms")),
                trends.fresh_course(view).sized(8, 7),
            ),
        ),
        Row(
            title=view.say("doubt"),
            panels=tuple(
                of(name, 6)
                for name in (
                    "quarantined_readings",
                    "missing_readings",
                    "dropped_readings",
                    "unaccounted_readings",
                )
            ),
        ),
        row(view, "coverage", (now.states, 12, 4), (now.coverage_now, 12, 4), *COVERAGE, collapsed=True),
        row(replace(view, system="network"), "episodes_of", (episodes.firing, 24, 8)),
        long_term(view, (kind,)),
    )
    return _board(view, "pipeline", "network", view.say("pipeline"), view.say("pipeline_about"), rows)


def alerts(language: Language) -> Board:
    """The board of alerts: what is on, and what has been."""
    view = View(language=language)
    rows = (
        row(
            view, "now", (episodes.open_levels, 14, 4), (episodes.acknowledged, 10, 4),
            (episodes.firing, 24, 10),
        ),
        row(
            view, "history", (episodes.per_day, 24, 7), (lambda one: episodes.by_tag(one, "system"), 10, 9),
            (lambda one: episodes.by_tag(one, "rule"), 14, 9), (episodes.begun, 24, 10),
        ),
    )  # fmt: skip
    return _board(view, "alerts", "network", view.say("alerts"), view.say("alerts_about"), rows)


def boards() -> tuple[Board, ...]:
    """Return every board in every language."""
    return tuple(
        board
        for language in Language
        for board in (
            city(language),
            *(system(one, language) for one in SYSTEMS.values() if one.name != "network"),
            site(language),
            *(node(kind, language) for kind in KINDS.values()),
            pipeline(language),
            alerts(language),
        )
    )
