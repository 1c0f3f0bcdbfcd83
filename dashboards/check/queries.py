"""Queries: each is InfluxQL that 1.x, 2.x and 3.x share, and names only what is filled in where it stands."""

from __future__ import annotations

import re

from dashboards.check import influxql
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files
from dashboards.check.variables import USED
from dashboards.check.walk import queries

_ON_SERVER = frozenset({"timeFilter", "interval", "__interval", "__interval_ms", "__rate_interval"})
"""What Grafana's InfluxQL data source fills in on the server, where rules are evaluated; nothing else."""

_TAG = re.compile(r"\$tag_(\w+)|\[\[tag_(\w+)\]\]")


def check(files: Files) -> Faults:
    """Look at every query of panels, variables, annotations and rules."""
    for query in queries(files):
        for what in influxql.faults(query.text):
            yield Fault(
                file=query.file,
                where=query.where,
                what=f"query {what}",
                remedy="ask as dashboards/signals.py does; docs/grafana.md lists what is portable",
            )
        if query.in_rule:
            used = {next(filter(None, found)) for found in USED.findall(query.text)}
            for name in sorted(used - _ON_SERVER):
                yield Fault(
                    file=query.file,
                    where=query.where,
                    what=f"query uses ${name}: rules are evaluated where there is no board and no variable",
                    remedy="write the condition out, or group by the tag and alert on each",
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
