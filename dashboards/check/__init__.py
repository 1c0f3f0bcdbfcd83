"""Check: boards and alert files, judged as Grafana and InfluxDB of every age would, without either of them.

Grafana itself says little: it ignores a key that it does not know, draws nothing where a variable or a column
is not there, and tells of a wrong alert file in its log. So each checker looks at one thing, and everything
it finds has a place and a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from dashboards.check import (
    amtool,
    boards,
    catalogue,
    columns,
    keys,
    languages,
    layout,
    links,
    mutes,
    names,
    queries,
    roundtrip,
    routes,
    rules,
    schemas,
    sources,
    templates,
    variables,
)
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, read, standard

_OF_TYPES = (TypeError, ValueError, AttributeError, KeyError, IndexError)
"""What a value of another type than Grafana's leads to."""

Checker = Callable[[Files], Faults]

OF_BOARDS: dict[str, Checker] = {
    "boards": boards.check,
    "layout": layout.check,
    "variables": variables.check,
    "links": links.check,
    "columns": columns.check,
    "names": names.check,
    "languages": languages.check,
    "schemas": schemas.check,
    "roundtrip": roundtrip.check,
}
OF_ALERTING: dict[str, Checker] = {
    "keys": keys.check,
    "rules": rules.check,
    "routes": routes.check,
    "mutes": mutes.check,
    "templates": templates.check,
    "amtool": amtool.check,
}
OF_BOTH: dict[str, Checker] = {
    "sources": sources.check,
    "queries": queries.check,
    "catalogue": catalogue.check,
}
"""What is looked at; a new checker costs a file, a line and its mutations in tests/dashboards/test_check.py."""


def judge(files: Files) -> list[Fault]:
    """Return every fault, by file and in the order of the checkers.

    Grafana reads one folder of alert files; two folders are two choices, each judged by itself.
    """
    found = [*files.unreadable, *_by(OF_BOARDS, files)]
    for choice in files.choices():
        found += [*_by(OF_BOTH, choice), *_by(OF_ALERTING, choice)]
    return sorted(dict.fromkeys(found), key=lambda fault: fault.file)


def _by(checkers: dict[str, Checker], files: Files) -> list[Fault]:
    return [fault for name, checker in checkers.items() for fault in _judged(name, checker, files)]


def _judged(name: str, checker: Checker, files: Files) -> list[Fault]:
    """What a checker finds; where values are of types that it cannot look at, it looks file by file."""
    try:
        return [*checker(files)]
    except _OF_TYPES as error:
        alone = [replace(files, boards={own: board}, alerting={}) for own, board in files.boards.items()]
        alone += [replace(files, boards={}, alerting={own: one}) for own, one in files.alerting.items()]
        if len(alone) > 1:
            return [fault for one in alone for fault in _judged(name, checker, one)]
        return [
            Fault(
                file=next(iter([*files.boards, *files.alerting]), "files"),
                where=name,
                what=f"has a value of a type that cannot be judged: {error}",
                remedy="compare the types of its values with a generated file",
            )
        ]


def check(paths: Iterable[Path] = ()) -> list[Fault]:
    """Read and judge files and folders; without any, what is generated. Raises DashboardError."""
    return judge(read(paths or standard()))
