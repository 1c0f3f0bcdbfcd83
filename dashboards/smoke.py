"""Smoke test: every query of every board, asked of Grafana as its panels ask, and the health of its rules."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards.build import DashboardError
from dashboards.check.variables import USED, names
from dashboards.check.walk import as_dict, as_dicts, panels, variables
from dashboards.grafana import Grafana, Json

_INTERVAL_MS = 60_000
_MOST_POINTS = 500


class Health(StrEnum):
    """How a question went."""

    OK = "ok"
    EMPTY = "empty"
    """Answered, with nothing: right where there is nothing to show, worth a look where there should be."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a panel's query or a rule."""

    board: str
    where: str
    health: Health
    rows: int = 0
    took_ms: int = 0
    said: str = ""


def ask(grafana: Grafana, boards: Sequence[Json], since: str = "now-24h") -> Iterator[Answer]:
    """Ask what each panel asks, with every variable set as the board would on its first opening."""
    for board in boards:
        chosen = choices(grafana, board, since)
        for where, panel in panels(board):
            for target in as_dicts(panel.get("targets")):
                if not target.get("query") or target.get("hide"):
                    continue
                source = target.get("datasource") or panel.get("datasource")
                title, letter = str(board.get("title")), str(target.get("refId", "A"))
                asked = {**target, "datasource": source, "query": fill(str(target["query"]), chosen)}
                yield _query(grafana, title, f"{where} {letter}", asked, since)


def choices(grafana: Grafana, board: Json, since: str) -> dict[str, str]:
    """Return a value a variable: the one for “all” where there is one, else the first that the store names."""
    chosen: dict[str, str] = {}
    for variable in variables(board):
        name, kind = str(variable.get("name")), variable.get("type")
        if variable.get("includeAll") and variable.get("allValue"):
            chosen[name] = str(variable["allValue"])
        elif kind == "query":
            query = fill(str(variable.get("query")), chosen)
            target = {"refId": "A", "query": query, "rawQuery": True, "resultFormat": "table"}
            try:
                frames = _frames(grafana, {**target, "datasource": variable.get("datasource")}, since)
            except DashboardError:  # the panels that need it say so, each by its name
                frames = []
            values = [str(value) for frame in frames for value in (_columns(frame) or [[]])[-1]]
            chosen[name] = values[0] if values else ""
        else:
            current = as_dict(variable.get("current")).get("value", variable.get("query", ""))
            chosen[name] = str(current[0] if isinstance(current, list) and current else current)
    return chosen


def fill(query: str, chosen: dict[str, str]) -> str:
    """Put the chosen values in; what Grafana's server fills in stays."""

    def value(match: re.Match[str]) -> str:
        name = next(filter(None, match.groups()))
        if name not in chosen or name not in names(match[0]):
            return match[0]
        as_regex = match[0].endswith(":regex}") and chosen[name] != ".*"
        return re.escape(chosen[name]).replace("\\ ", " ") if as_regex else chosen[name]

    return USED.sub(value, query)


def rules(grafana: Grafana) -> Iterator[Answer]:
    """Read how Grafana's own rules fare."""
    found = as_dict(as_dict(grafana.get("prometheus", "grafana", "api", "v1", "rules")).get("data"))
    for group in as_dicts(found.get("groups")):
        for rule in as_dicts(group.get("rules")):
            health = str(rule.get("health"))
            yield Answer(
                board=f"rules: {group.get('name', '')}",
                where=str(rule.get("name", "")),
                health={"ok": Health.OK, "nodata": Health.EMPTY, "unknown": Health.EMPTY}.get(
                    health, Health.FAILED
                ),
                said=str(rule.get("lastError") or ("" if health == "ok" else f"Grafana says: {health}")),
            )


def _query(grafana: Grafana, board: str, where: str, target: Json, since: str) -> Answer:
    start = time.monotonic()
    try:
        frames = _frames(grafana, target, since)
    except DashboardError as error:
        return Answer(board=board, where=where, health=Health.FAILED, said=error.message)
    took_ms = round((time.monotonic() - start) * 1000)
    rows = sum(max((len(column) for column in _columns(frame)), default=0) for frame in frames)
    return Answer(
        board=board,
        where=where,
        health=Health.OK if rows else Health.EMPTY,
        rows=rows,
        took_ms=took_ms,
        said="" if rows else "no data",
    )


def _frames(grafana: Grafana, target: Json, since: str) -> list[Json]:
    """Ask one question. Raises DashboardError with the store's words."""
    letter = str(target.get("refId", "A"))
    query = {"intervalMs": _INTERVAL_MS, "maxDataPoints": _MOST_POINTS, **target}
    reply = as_dict(grafana.post("ds", "query", body={"queries": [query], "from": since, "to": "now"}))
    result = as_dict(as_dict(reply.get("results")).get(letter))
    if error := result.get("error"):
        raise DashboardError(str(error), remedy="run the query in Grafana's Explore")
    return as_dicts(result.get("frames"))


def _columns(frame: Json) -> list[list[Any]]:
    return [column for column in as_dict(frame.get("data")).get("values") or [] if isinstance(column, list)]
