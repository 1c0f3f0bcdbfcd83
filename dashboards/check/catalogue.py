"""Catalogue: measurements, fields and tags that something writes. Of others a store says nothing at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import pairwise

from dashboards.check import influxql
from dashboards.check.boards import is_unit
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files
from dashboards.check.walk import Query, as_dict, as_dicts, panels, queries
from dashboards.signals import DAYS, EPISODE, HOURS, RAW, STATUS
from dashboards.units import grafana_unit
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES

TAGS = frozenset({"node", "site", "district"})

_OF_READINGS = frozenset(
    {"clock_qc"} | {f"{name}{end}" for name in QUANTITIES for end in ("", "_qc", "_rejected", "_prior_qc")}
)
_OF_WINDOWS = frozenset(
    f"{name}_{how}"
    for name in QUANTITIES
    for how in ("min", "mean", "max", "count", "leq", "sum", "grown", "share", "last", "p50", "p90", "p98")
)
_OF_THE_CLOUD = {
    STATUS: frozenset(
        {"kind", "system", "gateway", "state", "age_s", "lat", "lon", "label_en", "label_zh", "trial"}
        | {"produced", "stored", "queued", "dropped", "quarantined", "missing"}
        | {"near_m", "warning_m", "guaranteed_m", "record_m"}
    ),
    EPISODE: frozenset(
        {"rule", "kind", "system", "level", "firing", "end_ms", "acknowledged", "title_en", "title_zh"}
        | {"value", "unit"}
    ),
}
"""Tags and fields of what the cloud writes itself (docs/rollups.md)."""

WRITTEN: dict[str, dict[str, frozenset[str]]] = {
    RAW: {**dict.fromkeys(KINDS, _OF_READINGS), **_OF_THE_CLOUD},
    **{one: {f"{of}{kind}": _OF_WINDOWS for kind in KINDS for of in ("", "city_")} for one in (HOURS, DAYS)},
}
"""By data source: each measurement, and what it has besides node, site and district."""

_DRAWN = re.compile(r'SELECT (?:mean|last|first|min|max|sum|median)\("(\w+)"\) AS "\w+" FROM "')
_ENDS = re.compile(r"_(?:min|mean|max|sum|grown|leq|last|p\d\d)$")
_SAME = frozenset({"none", "short", "string"})


def check(files: Files) -> Faults:
    """Look at every query to our own data sources, then at the units in which quantities are drawn."""
    for query in queries(files):
        if query.source in WRITTEN:
            for what, remedy in _names(query):
                yield Fault(file=query.file, where=query.where, what=f"query {what}", remedy=remedy)
    for name, board in files.boards.items():
        for where, panel in panels(board):
            unit = as_dict(as_dict(panel.get("fieldConfig")).get("defaults")).get("unit")
            for quantity in {
                q for target in as_dicts(panel.get("targets")) for q in _drawn(target.get("query"))
            }:
                wanted = grafana_unit(QUANTITIES[quantity].unit)
                if is_unit(unit) and unit not in _SAME and unit != wanted:
                    yield Fault(
                        file=name,
                        where=where,
                        what=f"draws {quantity} in the unit {unit!r}",
                        remedy=f"set fieldConfig.defaults.unit to {wanted}",
                    )


def _drawn(query: object) -> Iterator[str]:
    """The quantity that a query returns as it is in the store; of anything derived, none."""
    found = _DRAWN.match(query) if isinstance(query, str) else None
    if found:
        name = _ENDS.sub("", found[1]) if found[1] not in QUANTITIES else found[1]
        if name in QUANTITIES:
            yield name


def _names(query: Query) -> Iterator[tuple[str, str]]:
    try:
        cut = influxql.tokens(query.text)
    except influxql.Unreadable:
        return
    written = WRITTEN[query.source]
    asked = [*_measurements(cut)]
    for name in asked:
        if name not in written:
            yield (
                f"asks for {name!r}, which nothing writes to {query.source}",
                f"ask for {_near(name, written)}",
            )
    known = [written[name] for name in asked if name in written] or [
        frozenset().union(*written.values())  # all that is there, or named by a regular expression
    ]
    there = TAGS.union(*known)
    own = {other.text.strip('"') for one, other in pairwise(cut) if one.upper == "AS"}
    for name in sorted({*_identifiers(cut)} - there - own - {*asked, "time"}):
        yield (
            f"names {name!r}, which {' and '.join(asked) or query.source} does not have",
            (f"name {_near(name, there)}"),
        )


def measurements(query: str) -> list[str]:
    """Return what a query reads from; of an unreadable one nothing."""
    try:
        return [*_measurements(influxql.tokens(query))]
    except influxql.Unreadable:
        return []


def _measurements(cut: list[influxql.Token]) -> Iterator[str]:
    """What stands behind each FROM: one name, or several with commas between them."""
    for at in (index for index, token in enumerate(cut) if token.upper == "FROM"):
        for source, following in pairwise([*cut[at + 1 :], influxql.Token(kind="end", text="")]):
            if source.kind in ("ident", "word"):
                yield source.text.strip('"')
            if source.text == "(" or (source.text != "," and following.text != ","):
                break


def _identifiers(cut: list[influxql.Token]) -> Iterator[str]:
    return (token.text.strip('"') for token in cut if token.kind == "ident")


def _near(name: str, there: Iterable[str]) -> str:
    found = get_close_matches(name, there, n=3)
    return " or ".join(found) or "what edge/model and docs/rollups.md list"
