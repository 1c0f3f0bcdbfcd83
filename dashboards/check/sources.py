"""Data sources: everything that asks names one by a uid that is provisioned, and speaks InfluxQL to it."""

from __future__ import annotations

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files
from dashboards.check.walk import STORE, as_dict, as_dicts, panels, queries
from dashboards.panels import SOURCES

STANDARD = frozenset(SOURCES)
"""Raw values, hours and days, as deploy/grafana provisions them; they count where no such file was read."""

MIXED = "-- Mixed --"


def known(files: Files) -> frozenset[str]:
    """Return the uids that something may ask."""
    read = {
        str(source.get("uid"))
        for content in files.sources.values()
        for source in as_dicts(content.get("datasources"))
    }
    return frozenset(read) or STANDARD


def check(files: Files) -> Faults:
    """Look at the data source files, then at whoever asks."""
    for name, content in files.sources.items():
        seen: set[str] = set()
        for source in as_dicts(content.get("datasources")):
            uid = str(source.get("uid") or "")
            where = f"data source {uid or source.get('name', '?')}"
            if not uid or uid in seen:
                yield Fault(
                    file=name,
                    where=where,
                    what="has no uid of its own",
                    remedy="give it a uid: boards ask by it",
                )
            seen.add(uid)
            data = as_dict(source.get("jsonData"))
            if source.get("type") == STORE and data.get("version") != "InfluxQL":
                yield Fault(
                    file=name,
                    where=where,
                    what=f"speaks {data.get('version')!r}",
                    remedy="set jsonData.version to InfluxQL, which 1.x, 2.x and 3.x share",
                )
            if source.get("type") == STORE and not data.get("dbName"):
                yield Fault(file=name, where=where, what="names no database", remedy="set jsonData.dbName")
    for name, board in files.boards.items():
        for where, panel in panels(board):
            own = as_dict(panel.get("datasource")).get("uid")
            for target in as_dicts(panel.get("targets")):
                other = as_dict(target.get("datasource")).get("uid") or own
                if own not in (None, MIXED, other):
                    yield Fault(
                        file=name,
                        where=where,
                        what=f"asks {own}, and its target {target.get('refId', '')} asks {other}",
                        remedy=f"name one for both, or {MIXED} for the panel",
                    )
    uids = known(files)
    for query in queries(files):
        if query.source not in uids:
            yield Fault(
                file=query.file,
                where=query.where,
                what=f"asks the data source {query.source or 'without a uid'}, which nothing provisions",
                remedy=f"ask one of {', '.join(sorted(uids))}",
            )
