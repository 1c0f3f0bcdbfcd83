"""Series as a table (CSV: time, node, quantity, value and perhaps qc) and nodes as JSON, for backtests."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from edge.model.errors import CityError, ConfigError
from edge.model.node import Node
from edge.quality.history import TableError, moment_ms
from edge.rules.backtest import Recorded, likely_node
from edge.rules.rule import Rule

COLUMNS = ("time", "node", "quantity", "value")


def read_series(path: Path, nodes: Mapping[str, Node], rules: Sequence[Rule]) -> dict[str, Recorded]:
    """Return the recorded nodes; what `nodes` lacks is guessed from what it measures. Raises TableError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return _read(csv.reader(lines), nodes, rules)
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}", remedy="check the path") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise TableError(f"{path}: {error}", remedy="give a table as CSV in UTF-8") from None


def _read(rows: Iterator[list[str]], nodes: Mapping[str, Node], rules: Sequence[Rule]) -> dict[str, Recorded]:
    header = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise TableError(f"line 1: no column {', '.join(missing)}", remedy=f"name {', '.join(COLUMNS)}")
    at = [header.index(name) for name in COLUMNS]
    qc = header.index("qc") if "qc" in header else None
    found: dict[str, Recorded] = {}
    unknown = Node.from_dict({"id": "recorded", "kind": "unknown"})
    for number, cells in enumerate(rows, 2):
        if not cells:
            continue
        try:
            time, node, quantity, text = (cells[place].strip() for place in at)
            flag = None if qc is None else _flag(cells[qc].strip(), number)
        except IndexError:
            raise TableError(f"line {number}: {len(cells)} columns, too few") from None
        value = _value(text, number)
        one = found.get(node)
        if one is None:
            one = found[node] = Recorded(nodes.get(node, unknown))
        one.add(moment_ms(time, number), quantity, value, 9 if value is None else flag)
    for name, one in found.items():
        if one.node is unknown:
            one.node = likely_node(name, one.quantities, rules)
    return found


def _value(text: str, number: int) -> float | None:
    if text.lower() in ("", "null", "na", "nan"):
        return None
    try:
        value = float(text)
    except ValueError:
        raise TableError(
            f"line {number}: {text[:40]!r} is no number", remedy="leave it empty if unknown"
        ) from None
    return value if isfinite(value) else None


def _flag(text: str, number: int) -> int:
    if text not in ("1", "2", "3", "4", "9", ""):
        raise TableError(f"line {number}: qc {text[:40]!r} is no flag", remedy="use 1, 2, 3, 4, 9")
    return int(text or 2)


def read_nodes(path: Path) -> dict[str, Node]:
    """Read a list of nodes as the API of the cloud writes it: [...], {"nodes": [...]} or {id: {...}}."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    rows = body.get("nodes", body) if isinstance(body, dict) else body
    if isinstance(rows, dict):
        rows = [{"id": name, **row} for name, row in rows.items() if isinstance(row, dict)]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(
            f"{path} is no list of nodes", remedy='write [{"id": ..., "kind": ..., "stages": {...}}]'
        )
    try:
        nodes = [Node.from_dict(row) for row in rows]
    except CityError as error:
        raise ConfigError(f"{path}: {error.message}", remedy=error.remedy) from None
    return {node.id: node for node in nodes}
