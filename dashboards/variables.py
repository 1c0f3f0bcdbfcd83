"""Variables: district, site and node, as a board lets people choose them and as links hand them on."""

from __future__ import annotations

from dashboards.panels import SOURCE, Json
from dashboards.texts import Language, text

_DISTRICT = '"district" =~ /^${district:regex}$/'
_SITE = '"site" =~ /^${site:regex}$/'


def district(language: Language) -> Json:
    """Any number of districts, at first all."""
    return {
        **_variable("district", text("district", language), []),
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def site(language: Language) -> Json:
    """One site of the districts chosen."""
    return _variable("site", text("site_one", language), [_DISTRICT])


def nodes_of_site(language: Language) -> Json:
    """Any number of the site's nodes, at first all: status and episodes know nodes, not sites."""
    return {
        **_variable("node", text("node", language), [_DISTRICT, _SITE]),
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def node(language: Language, kind: str) -> Json:
    """One node of a kind, in the districts chosen."""
    return _variable("node", text("node", language), [_DISTRICT], f' FROM "{kind}"')


def _variable(name: str, label: str, conditions: list[str], source: str = "") -> Json:
    # with a time filter: without one, 3.x looks a day back only
    where = " AND ".join(["$timeFilter", *conditions])
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": f'SHOW TAG VALUES{source} WITH KEY = "{name}" WHERE {where}',
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
    }
