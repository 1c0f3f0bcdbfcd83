"""Variables: whatever is used is defined, whatever is defined is used, and several values chosen match."""

from __future__ import annotations

import re

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import as_dicts, panels, texts, variables

USED = re.compile(r"\$\{(\w+)(?:[.:][^}]*)?\}|\$([A-Za-z_]\w*)|\[\[(\w+)(?::\w+)?\]\]")
"""The three ways in which Grafana lets a text name a variable."""

_REGEX_PART = re.compile(r"[=!]~\s*/((?:\\.|\$\{[^}]*\}|[^/\\])*)/")
_COMPARED = re.compile(r'"(\w+)"\s*(?:=~|!~|=|!=|<>)\s*(?:/\^?|\')\$\{?(\w+)')
_LISTED = re.compile(r'WITH KEY = "(\w+)"')
_TYPES = frozenset(
    {"query", "custom", "constant", "interval", "datasource", "textbox", "adhoc", "system", "groupby"}
)

_OURS_NOT = re.compile(r"__\w+|timeFilter|interval|tag_\w+|col|m|measurement|[0-9]+")
"""What Grafana itself fills in: macros, and the places of an alias."""


def names(text: str) -> set[str]:
    """Return the variables that a text uses, Grafana's own left out."""
    found = {next(filter(None, match)) for match in USED.findall(text)}
    return {name for name in found if not _OURS_NOT.fullmatch(name)}


def check(files: Files) -> Faults:
    """Look at every board."""
    for name, board in files.boards.items():
        defined = {str(variable.get("name")): variable for variable in variables(board)}
        if len(defined) != len(variables(board)):
            yield _fault(name, "variables", "two have one name", "rename one")
        used: set[str] = set()
        for path, text in texts({key: value for key, value in board.items() if key != "templating"}):
            used |= names(text)
            for missing in sorted(names(text) - defined.keys()):
                where = panel_at(board, path)
                yield _fault(
                    name, where, f"uses ${missing}, which the board does not define", "define or remove it"
                )
        for own, variable in defined.items():
            others = [entry for entry in variables(board) if entry is not variable]
            if own not in used and not any(own in names(text) for _, text in texts(others)):
                yield _fault(name, f"variable {own}", "is used by nothing", "use it in a query, or remove it")
            for missing in sorted(
                {found for _, text in texts(variable) for found in names(text)} - defined.keys()
            ):
                yield _fault(
                    name, f"variable {own}", f"uses ${missing}, which is not defined", "define or remove it"
                )
            yield from _one(name, own, variable)
        yield from _compared(name, board, defined)
        yield from _several(
            name,
            board,
            {own for own, variable in defined.items() if variable.get("multi") or variable.get("includeAll")},
        )


def _one(name: str, own: str, variable: Json) -> Faults:
    where = f"variable {own}"
    if not re.fullmatch(r"[A-Za-z]\w*", own):
        yield _fault(name, where, "has a name that texts cannot use", "use letters, digits and _")
    if not variable.get("label") and variable.get("hide") != 2:
        yield _fault(name, where, "has no label", "set label: people choose by it")
    if variable.get("type") not in _TYPES:
        yield _fault(
            name, where, f"is of the type {variable.get('type')!r}", f"use one of {', '.join(sorted(_TYPES))}"
        )
    if variable.get("type") == "query":
        if not variable.get("query"):
            yield _fault(name, where, "asks nothing", "give it a query")
        if variable.get("refresh") not in (1, 2):
            yield _fault(name, where, "is never asked again", "set refresh: 1 on load, 2 when the time changes")


def _compared(name: str, board: Json, defined: dict[str, Json]) -> Faults:
    """A variable lists the values of the tag with which it is compared; those of another match nothing."""
    compared = {found for _, text in texts(board) for found in _COMPARED.findall(text)}
    for own, variable in defined.items():
        listed = _LISTED.search(str(variable.get("query") or ""))
        tags = sorted(tag for tag, whose in compared if whose == own)
        if listed and tags and listed[1] not in tags:
            what = f"lists the tag {listed[1]}, and is compared with {' and '.join(tags)}"
            yield _fault(name, f"variable {own}", what, f'write WITH KEY = "{tags[0]}"')


def _several(name: str, board: Json, multi: set[str]) -> Faults:
    """A variable of several values stands in a regular expression, as :regex; else two chosen match nothing."""
    for where, panel in panels(board):
        for target in as_dicts(panel.get("targets")):
            query = str(target.get("query") or "")
            good = re.findall(r"\$\{(\w+):regex\}", " ".join(_REGEX_PART.findall(query)))
            for own in sorted(multi & names(query)):
                everywhere = [found for found in USED.findall(query) if own in found]
                if len(everywhere) != good.count(own):
                    yield _fault(
                        name,
                        where,
                        f"puts ${own}, which may be several values, where one belongs",
                        f'write "tag" =~ /^${{{own}:regex}}$/',
                    )


def panel_at(board: Json, path: str) -> str:
    """Name the panel that a path leads into."""
    found = re.match(r"panels\[(\d+)\](?:\.panels\[(\d+)\])?", path)
    if not found:
        return path.split(".")[0]
    panel = as_dicts(board.get("panels"))[int(found[1])]
    if found[2]:
        panel = as_dicts(panel.get("panels"))[int(found[2])]
    return f"panel {panel.get('id', '?')} “{panel.get('title', '')}”"


def _fault(name: str, where: str, what: str, remedy: str) -> Fault:
    return Fault(file=name, where=where, what=what, remedy=remedy)
