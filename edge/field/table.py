"""Hundreds of nodes from a table: rows are orders, and a list beside it says what became of each."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.field.lines import add_line, read_lines
from edge.field.order import Order, check_order, parse_sensor, with_datum
from edge.model.errors import CityError, ConfigError

COLUMNS = (
    "id", "kind", "label_en", "label_zh", "site", "district", "lat", "lon", "gateway", "sensors", "datum_mm",
    "period_s", "port",
)  # fmt: skip
"""The columns that a table may have; `kind` it must. `sensors` are separated by spaces."""
_TEXTS = ("id", "kind", "label_en", "label_zh", "site", "district", "gateway")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row: its number (the header is 1), what is ordered, and the port if the table names one."""

    number: int
    order: Order
    port: str = ""

    @property
    def key(self) -> str:
        """What the row is known by: its id, else its number and place."""
        order = self.order
        return (
            order.id
            or f"row {self.number}: {order.kind} {order.label_en or order.label_zh or order.site}".strip()
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a row. `error` holds stage, cause and remedies when it failed."""

    key: str
    ok: bool
    node: str = ""
    serial: str = ""
    seconds: float = 0.0
    time_ms: int = 0
    error: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the outcome as the list keeps it."""
        return {
            "key": self.key, "ok": self.ok, "node": self.node, "serial": self.serial,
            "seconds": round(self.seconds, 1), "time_ms": self.time_ms,
            "error": dict(self.error) if self.error else None,
        }  # fmt: skip


def read_table(path: Path, usual: Order, datum_mm: int | None = None) -> list[Row]:
    """Read a table; what a row leaves out is as in `usual` and `datum_mm`. Raises ConfigError naming a line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read {path}: {error}", remedy="save it as CSV, UTF-8") from None
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise ConfigError(f"{path.name}: unknown column {unknown[0]!r}", remedy=f"known: {', '.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_row(number, {k: (v or "").strip() for k, v in row.items() if k}, usual, datum_mm))
        except (CityError, ValueError, OverflowError) as error:
            remedy = error.remedy if isinstance(error, CityError) else "give a number"
            said = error.message if isinstance(error, CityError) else str(error)
            raise ConfigError(f"{path.name}, line {number}: {said}", remedy=remedy) from None
    keys = [row.key for row in found]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{path.name}: {key} stands there twice", remedy="one row a node")
    if not found:
        raise ConfigError(f"{path.name} has no row", remedy=f"columns: {', '.join(COLUMNS)}")
    return found


def _row(number: int, cells: Mapping[str, str], usual: Order, datum_mm: int | None) -> Row:
    texts: dict[str, Any] = {name: cells[name] for name in _TEXTS if cells.get(name)}
    order = replace(usual, **texts)
    if cells.get("lat") or cells.get("lon"):
        order = replace(order, lat=_number(cells, "lat"), lon=_number(cells, "lon"))
    if cells.get("period_s"):
        order = replace(order, period_s=_number(cells, "period_s"))
    if cells.get("sensors"):
        order = replace(order, sensors=tuple(parse_sensor(text) for text in cells["sensors"].split()))
    order = check_order(order)
    datum_mm = round(_number(cells, "datum_mm")) if cells.get("datum_mm") else datum_mm
    order = replace(order, sensors=with_datum(order.sensors, datum_mm))
    return Row(number=number, order=order, port=cells.get("port", ""))


def _number(cells: Mapping[str, str], name: str) -> float:
    try:
        return float(cells.get(name, ""))
    except ValueError:
        raise ConfigError(f"{name} {cells.get(name)!r} is no number") from None


class Outcomes:
    """The list beside a table, appended and on disk after each row: a run goes on where the last one ended."""

    def __init__(self, table: Path) -> None:
        self.path = table.with_name(f"{table.name}.done")
        self._rows: dict[str, Outcome] = {}
        for line in read_lines(self.path):
            outcome = Outcome(**line)
            self._rows[outcome.key] = outcome

    def of(self, row: Row) -> Outcome | None:
        """Return what became of a row, None when nothing did yet."""
        return self._rows.get(row.key)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome; it is on disk when this returns."""
        self._rows[outcome.key] = outcome
        add_line(self.path, outcome.to_dict())

    def serials(self) -> set[str]:
        """Return the boards that are done: they are not to be taken for the next row."""
        return {outcome.serial for outcome in self._rows.values() if outcome.ok and outcome.serial}
