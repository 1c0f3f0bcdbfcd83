"""Links: they lead to boards that are there, and carry the time and the variables along."""

from __future__ import annotations

import re
from typing import Any

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json, generated
from dashboards.check.walk import as_dicts, data_links, panels, variables

_BOARD = re.compile(r"/d/((?:\$\{[^}]*\}|[^/?#])+)")
_FILLED_IN = re.compile(r"\$\{[^}]*\}|\$\w+")
_PASSED = re.compile(r"[?&]var-(\w+)=")
_TIME = re.compile(r"__url_time_range|[?&]from=")
_CARRIED = re.compile(r"__all_variables|[?&]var-|\$\{\w+:queryparam\}")


def check(files: Files) -> Faults:
    """Look at the links of boards, panels and fields."""
    there = generated() | {str(board.get("uid")): board for board in files.boards.values()}
    for name, board in files.boards.items():
        for link in as_dicts(board.get("links")):
            where = f"link “{link.get('title', '')}”"
            url = str(link.get("url") or "")
            if link.get("type") == "dashboards" or _BOARD.search(url):
                for key, what in (("includeVars", "the variables"), ("keepTime", "the time")):
                    if link.get(key) is not True:
                        yield _fault(name, where, f"does not carry {what}", f"set {key}")
            yield from _target(name, where, url, there)
            tags = {*(link.get("tags") or ())}
            if link.get("type") == "dashboards" and not any(
                tags <= {*(other.get("tags") or ())} for other in there.values()
            ):
                what = f"leads to boards with the tags {', '.join(sorted(tags))}, and none has them"
                yield _fault(name, where, what, "name tags that boards have")
        for where, panel in panels(board):
            for link in data_links(panel):
                url = str(link.get("url") or "")
                if not _BOARD.search(url):
                    continue
                if not _TIME.search(url):
                    yield _fault(name, where, f"links to {url} without the time", "add ${__url_time_range}")
                if variables(board) and not _CARRIED.search(url):
                    yield _fault(name, where, f"links to {url} without a variable", "add ${__all_variables}")
                yield from _target(name, where, url, there)


def _target(name: str, where: str, url: str, there: dict[str, Json]) -> Faults:
    found = _BOARD.search(url)
    if not found:
        return
    uid = found[1]
    if "$" in uid:  # filled in later: any board of this family will do
        family = re.compile(".+".join(map(re.escape, _FILLED_IN.split(uid))))
        uid = next(filter(family.fullmatch, there), uid)
    if uid not in there:
        yield _fault(name, where, f"leads to the board {uid}, which is not there", f"use one of {_some(there)}")
        return
    wanted = set(_PASSED.findall(url)) - {str(variable.get("name")) for variable in variables(there[uid])}
    for variable in sorted(wanted):
        yield _fault(
            name, where, f"gives {uid} the variable {variable}, which it does not have", "name one it has"
        )


def _some(there: dict[str, Any]) -> str:
    return ", ".join(sorted(there))


def _fault(name: str, where: str, what: str, remedy: str) -> Fault:
    return Fault(file=name, where=where, what=what, remedy=remedy)
