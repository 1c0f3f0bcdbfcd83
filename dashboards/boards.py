"""Boards: whole Grafana dashboards, each in Chinese and in English."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.panels import SOURCE, Json
from dashboards.rows import Row, overview, system_row
from dashboards.texts import Language, text
from edge.model.kinds import SYSTEMS

SCHEMA_VERSION = 41  # Grafana 12; later ones migrate it by themselves


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """One dashboard in one language; `name` is the stem of its file and of its uid."""

    name: str
    title: str
    description: str
    language: Language
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """The board's identity in Grafana: pushing again replaces it."""
        return f"{self.name}-{self.language}"

    def to_dict(self) -> Json:
        """Return the dashboard as Grafana reads it from a file."""
        panels: list[Json] = []
        next_id, y = 1, 0
        for row in self.rows:
            placed, next_id, y = row.to_dicts(next_id, y)
            panels += placed
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["city-neuron", self.language.value],
            "timezone": "Asia/Shanghai",
            "editable": False,
            "graphTooltip": 1,
            "refresh": "1m",
            "time": {"from": "now-24h", "to": "now"},
            "schemaVersion": SCHEMA_VERSION,
            "templating": {"list": [self._district()]},
            "annotations": {"list": []},
            "links": [self._other_language()],
            "panels": panels,
        }

    def _district(self) -> Json:
        return {
            "type": "query",
            "name": "district",
            "label": text("district", self.language),
            "datasource": SOURCE,
            "query": 'SHOW TAG VALUES WITH KEY = "district"',
            "refresh": 1,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }

    def _other_language(self) -> Json:
        other = Language.EN if self.language is Language.ZH else Language.ZH
        return {
            "title": text("other", self.language),
            "type": "link",
            "url": f"/d/{self.name}-{other}",
            "icon": "external link",
            "tooltip": "",
            "tags": [],
            "asDropdown": False,
            "targetBlank": False,
            "includeVars": True,
            "keepTime": True,
        }


def city(language: Language) -> Board:
    """The board of the whole city: an overview, then a row a system; the first is open."""
    first = next(iter(SYSTEMS))
    return Board(
        name="city",
        title=text("city", language),
        description=text("city_about", language),
        language=language,
        rows=(
            overview(language),
            *(system_row(row, language, collapsed=row.name != first) for row in SYSTEMS.values()),
        ),
    )


def boards() -> tuple[Board, ...]:
    """Return every board in every language."""
    return tuple(city(language) for language in Language)
