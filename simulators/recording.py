"""The MAP.toml of a recording: which columns mean what, parsed once and checked before a row is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)\Z")
_EXAMPLES = "compare it with simulators/maps/*.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnRule:
    """A column of the file: value in our unit = text * factor + offset, in decimal arithmetic."""

    name: str
    quantity: str
    factor: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingRule:
    """Rows whose columns hold the `where` texts are readings of a node of this kind; the first rule wins."""

    kind: str
    columns: tuple[ColumnRule, ...]
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matches(self, row: Mapping[str, str]) -> bool:
        """Return whether a row is one of these."""
        return all(row.get(name) in texts for name, texts in self.where.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class StationFile:
    """A second file with the places: joined where its `key` column holds what the row's `column` holds."""

    file: str
    column: str
    key: str
    name: str | None = None
    lat: str | None = None
    lon: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRule:
    """How a row names its node. Templates take the columns of the row, `{file}` and `{name}` (of the place)."""

    id: str
    label_en: str
    label_zh: str
    site: str
    district: str
    distinct: tuple[str, ...] = ()
    """Columns that tell several sensors of one id apart; the second gets `-2`, and so on."""
    lat: float | None = None
    lon: float | None = None
    lat_column: str | None = None
    lon_column: str | None = None
    stations: StationFile | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeRule:
    """Where the time stands and in which zone: ISO 8601, or the `strptime` formats given."""

    columns: tuple[str, ...]
    utc_offset: timedelta
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingMap:
    """A whole MAP.toml."""

    time: TimeRule
    node: NodeRule
    readings: tuple[ReadingRule, ...]
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    skip_lines: int = 0
    missing: frozenset[str] = frozenset({""})
    sentinels: frozenset[Decimal] = frozenset()
    """Numbers that say "no value": published as they stand, never converted, for the gateway to find."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the file that must be there."""
        return frozenset(
            {
                *self.time.columns,
                *(rule.name for reading in self.readings for rule in reading.columns),
                *(name for reading in self.readings for name in reading.where),
                *self.node.distinct,
                *(name for name in (self.node.lat_column, self.node.lon_column) if name),
            }
        )


def load_map(path: Path) -> RecordingMap:
    """Read a MAP.toml. Raises ConfigError that names the place."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"map {path}: {error}", remedy=_EXAMPLES) from None
    return parse_map(table, path.name)


def parse_map(table: Mapping[str, Any], where: str) -> RecordingMap:
    """Check the tables of a map; `where` names the file in errors."""
    place = _Place(where)
    place.only(table, {"file", "time", "node", "reading"})
    file = place.table(table, "file", default={})
    place.only(file, {"delimiter", "encoding", "skip_lines", "missing", "sentinels"}, "file")
    readings = table.get("reading")
    if not isinstance(readings, list) or not readings:
        raise place.error("no [[reading]] table")
    return RecordingMap(
        time=_time(place, place.table(table, "time")),
        node=_node(place, place.table(table, "node")),
        readings=tuple(_reading(place, row) for row in readings),
        delimiter=file.get("delimiter", ","),
        encoding=file.get("encoding", "utf-8-sig"),
        skip_lines=int(file.get("skip_lines", 0)),
        missing=frozenset(file.get("missing", [""])),
        sentinels=frozenset(place.decimal(text, "file.sentinels") for text in file.get("sentinels", [])),
    )


class _Place:
    """Reads checked values out of TOML tables, with the file's name in every error."""

    def __init__(self, where: str) -> None:
        self._where = where

    def error(self, message: str) -> ConfigError:
        return ConfigError(f"map {self._where}: {message}", remedy=_EXAMPLES)

    def only(self, table: Mapping[str, Any], known: set[str], name: str = "") -> None:
        unknown = sorted(set(table) - known)
        if unknown:
            raise self.error(f"{'[' + name + ']: ' if name else ''}unknown key {unknown[0]!r}")

    def table(self, table: Mapping[str, Any], key: str, default: Any = None) -> Mapping[str, Any]:
        value = table.get(key, default)
        if not isinstance(value, dict):
            raise self.error(f"no [{key}] table")
        return value

    def text(self, table: Mapping[str, Any], key: str, name: str, default: str | None = None) -> str:
        value = table.get(key, default)
        if not isinstance(value, str):
            raise self.error(f"[{name}] {key} is missing or no text")
        return value

    def decimal(self, value: Any, name: str) -> Decimal:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise self.error(f"{name}: write the number {value!r} as a text, so that it stays exact")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self.error(f"{name}: {value!r} is no number") from None
        if not number.is_finite():
            raise self.error(f"{name}: {value!r} is not finite")
        return number


def _time(place: _Place, table: Mapping[str, Any]) -> TimeRule:
    place.only(table, {"column", "format", "utc_offset"}, "time")
    column, layout = table.get("column"), table.get("format", [])
    offset = place.text(table, "utc_offset", "time")
    match = _OFFSET.match(offset)
    if not match and offset not in ("Z", "UTC"):
        raise place.error(f"[time] utc_offset {offset!r} is not like +08:00 or UTC")
    sign, hours, minutes = match.groups() if match else ("+", "0", "0")
    shift = timedelta(hours=int(hours), minutes=int(minutes))
    columns = (column,) if isinstance(column, str) else tuple(column or ())
    if not columns:
        raise place.error("[time] column is missing")
    return TimeRule(
        columns=columns,
        utc_offset=-shift if sign == "-" else shift,
        formats=(layout,) if isinstance(layout, str) else tuple(layout),
    )


def _node(place: _Place, table: Mapping[str, Any]) -> NodeRule:
    known = {
        "id",
        "label",
        "site",
        "district",
        "distinct",
        "lat",
        "lon",
        "lat_column",
        "lon_column",
        "stations",
    }
    place.only(table, known, "node")
    label = place.table(table, "label", default={})
    stations = table.get("stations")
    if stations is not None:
        place.only(stations, {"file", "column", "key", "name", "lat", "lon"}, "node.stations")
        for key in ("file", "column", "key"):
            place.text(stations, key, "node.stations")
    ident = place.text(table, "id", "node")
    return NodeRule(
        id=ident,
        label_en=label.get("en", ident),
        label_zh=label.get("zh", label.get("en", ident)),
        site=place.text(table, "site", "node", default=ident),
        district=place.text(table, "district", "node", default="recorded"),
        distinct=tuple(table.get("distinct", ())),
        lat=table.get("lat"),
        lon=table.get("lon"),
        lat_column=table.get("lat_column"),
        lon_column=table.get("lon_column"),
        stations=StationFile(**stations) if stations is not None else None,
    )


def _reading(place: _Place, table: Mapping[str, Any]) -> ReadingRule:
    place.only(table, {"kind", "where", "column"}, "reading")
    kind = place.text(table, "kind", "reading")
    if kind not in KINDS:
        raise place.error(f"[[reading]] unknown kind {kind!r}: one of {', '.join(KINDS)}")
    columns = []
    for row in table.get("column", []):
        place.only(row, {"name", "quantity", "factor", "offset"}, "reading.column")
        quantity = place.text(row, "quantity", "reading.column")
        if quantity not in QUANTITIES:
            raise place.error(f"[[reading.column]] unknown quantity {quantity!r}")
        columns.append(
            ColumnRule(
                name=place.text(row, "name", "reading.column"),
                quantity=quantity,
                factor=place.decimal(row.get("factor", 1), f"factor of {quantity}"),
                offset=place.decimal(row.get("offset", 0), f"offset of {quantity}"),
            )
        )
    if not columns or len({rule.quantity for rule in columns}) != len(columns):
        raise place.error(f"[[reading]] of {kind}: no column, or a quantity twice")
    where = {
        name: frozenset([texts] if isinstance(texts, str) else texts)
        for name, texts in place.table(table, "where", default={}).items()
    }
    return ReadingRule(kind=kind, columns=tuple(columns), where=where)
