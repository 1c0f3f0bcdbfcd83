"""Queries: each is InfluxQL that 1.x, 2.x and 3.x share, and names only what is filled in where it stands."""

from __future__ import annotations

import re
from functools import lru_cache

from dashboards.check import grammar, influxql
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files
from dashboards.check.variables import USED
from dashboards.check.walk import queries

_ON_SERVER = frozenset({"timeFilter", "interval", "__interval", "__interval_ms", "__rate_interval"})
"""What Grafana's InfluxQL data source fills in on the server, where rules are evaluated; nothing else."""

_ON_BOARDS = frozenset({"__timeFilter", "__from", "__to", "__user", "__org", "__dashboard"})
"""What a board fills in besides; another name that begins so stays as it stands."""

_TAG = re.compile(r"\$tag_(\w+)|\[\[tag_(\w+)\]\]")


@lru_cache(maxsize=4096)  # a query stands in the boards of both languages
def wrong_with(query: str) -> tuple[str, ...]:
    """Return what is wrong with a query: what is not portable, or else what cannot be parsed or planned."""
    return (*influxql.faults(query),) or (*grammar.faults(influxql.tokens(query)),)


def check(files: Files) -> Faults:
    """Look at every query of panels, variables, annotations and rules."""
    for query in queries(files):
        for what in wrong_with(query.text):
            yield Fault(
                file=query.file,
                where=query.where,
                what=f"query {what}",
                remedy="ask as dashboards/signals.py does; docs/grafana.md lists what is portable",
            )
        used = {next(filter(None, found)) for found in USED.findall(query.text)}
        unknown = used - _ON_SERVER
        if not query.in_rule:
            unknown = {name for name in unknown if name.startswith("__")} - _ON_BOARDS
        for name in sorted(unknown):
            why = "rules are evaluated where there is no board and no variable"
            yield Fault(
                file=query.file,
                where=query.where,
                what=f"query uses ${name}: {why if query.in_rule else 'Grafana fills in no such name'}",
                remedy="write the condition out, or group by the tag and alert on each"
                if query.in_rule
                else "$timeFilter, $__interval and $__interval_ms are filled in",
            )
        grouped = influxql.grouped_by(query.text)
        for found in _TAG.findall(str(query.target.get("alias") or "")):
            tag = next(filter(None, found))
            if tag not in grouped and "*" not in grouped:
                yield Fault(
                    file=query.file,
                    where=query.where,
                    what=f"alias names the tag {tag}, by which the query does not group",
                    remedy=f'add GROUP BY "{tag}", or leave it out of the alias',
                )
