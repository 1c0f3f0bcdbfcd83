"""A recording as readings: rows become numbers exactly as they were written, and nothing vanishes silently."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from pathlib import Path

from edge.model.errors import ConfigError
from edge.model.node import Node, NodeId, node_id
from edge.protocol.wire import MAX_DECIMALS, MAX_VALUE, Column
from simulators.recording import ColumnRule, ReadingRule, RecordingMap, TimeRule

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a row that could not be read; `line` counts from 1, the header included."""

    line: int
    column: str
    text: str
    reason: str

    def to_dict(self) -> dict[str, object]:
        """Return it as a program reads it."""
        return {"line": self.line, "column": self.column, "text": self.text, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Reading:
    """One row as its node would have sensed it. `values` follow the columns of the node's rule."""

    node: NodeId
    line: int
    t_ms: int
    values: tuple[Decimal | None, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True)
class Tally:
    """What became of the rows: read = readings + skipped + len(untimed)."""

    read: int = 0
    readings: int = 0
    skipped: int = 0
    """Rows that no [[reading]] rule asks for."""
    untimed: list[Fault] = field(default_factory=list)
    """Rows without a readable time: they cannot be published."""


@dataclass(slots=True)
class Survey:
    """What a first look at the whole file tells: its nodes, and how many decimals each column needs."""

    nodes: dict[NodeId, Node] = field(default_factory=dict)
    rules: dict[NodeId, ReadingRule] = field(default_factory=dict)
    decimals: dict[NodeId, list[int]] = field(default_factory=dict)
    largest: dict[NodeId, list[Decimal]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def add(self, reading: Reading) -> None:
        """Widen the columns of the reading's node as far as its values need."""
        places, largest = self.decimals[reading.node], self.largest[reading.node]
        for index, value in enumerate(reading.values):
            if value is not None:
                places[index] = max(places[index], min(MAX_DECIMALS, _decimals(value)))
                largest[index] = max(largest[index], abs(value))

    def columns(self, node: NodeId) -> tuple[Column, ...]:
        """Return columns that carry the node's values exactly, as far as 53 bits and 9 decimals go."""
        columns = []
        for index, rule in enumerate(self.rules[node].columns):
            decimals = self.decimals[node][index]
            while self.largest[node][index].scaleb(decimals) >= MAX_VALUE:
                decimals -= 1
            columns.append(Column(rule.quantity, decimals))
        return tuple(columns)


class Recording:
    """A data file under a map. Reading it twice gives the same readings."""

    def __init__(self, path: Path, rules: RecordingMap, *, beside: Path | None = None) -> None:
        self.path = path
        self.rules = rules
        self._stations = _stations(rules, path, beside)
        self._ids: dict[tuple[str, ...], NodeId] = {}
        self._nodes: dict[NodeId, tuple[Node, ReadingRule]] = {}

    def survey(self) -> Survey:
        """Read the whole file once."""
        survey = Survey()
        for reading in self.readings(survey.tally):
            node = reading.node
            if node not in survey.nodes:
                survey.nodes[node], survey.rules[node] = self._nodes[node]
                survey.decimals[node] = [0] * len(reading.values)
                survey.largest[node] = [Decimal(0)] * len(reading.values)
            survey.add(reading)
        return survey

    def readings(self, tally: Tally | None = None) -> Iterator[Reading]:
        """Yield the readings in the order of the file, counting all rows in `tally`."""
        tally = Tally() if tally is None else tally
        for line, row in self._rows():
            tally.read += 1
            rule = next((rule for rule in self.rules.readings if rule.matches(row)), None)
            if rule is None:
                tally.skipped += 1
                continue
            t_ms = time_ms(self.rules.time, row)
            if t_ms is None:
                text = " ".join(row[name] for name in self.rules.time.columns)
                tally.untimed.append(Fault(line, self.rules.time.columns[0], text, "not a time"))
                continue
            tally.readings += 1
            yield self._reading(line, row, rule, t_ms)

    def _reading(self, line: int, row: Mapping[str, str], rule: ReadingRule, t_ms: int) -> Reading:
        values: list[Decimal | None] = []
        faults: list[Fault] = []
        for column in rule.columns:
            text = row[column.name]
            value, reason = (None, "") if text in self.rules.missing else self._value(text, column)
            if reason:
                faults.append(Fault(line, column.name, text, reason))
            values.append(value)
        return Reading(self._node(row, rule), line, t_ms, tuple(values), tuple(faults))

    def _value(self, text: str, column: ColumnRule) -> tuple[Decimal | None, str]:
        """Return the value of a text in our unit, or why it has none."""
        number = number_of(text)
        if number is None:
            return None, "not a number"
        if number not in self.rules.sentinels:
            with localcontext(_EXACT):
                number = number * column.factor + column.offset
        return (number, "") if abs(number) < MAX_VALUE else (None, "too large")

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        with self.path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            source = gzip.GzipFile(fileobj=raw) if packed else raw
            with io.TextIOWrapper(source, encoding=self.rules.encoding, newline="") as text:
                for _ in range(self.rules.skip_lines):
                    text.readline()
                reader = csv.reader(text, delimiter=self.rules.delimiter)
                header = [name.strip() for name in next(reader, [])]
                self._check(header)
                for cells in reader:
                    if cells:
                        padded = cells + [""] * (len(header) - len(cells))
                        line = self.rules.skip_lines + reader.line_num
                        yield line, {k: v.strip() for k, v in zip(header, padded, strict=False)}

    def _check(self, header: list[str]) -> None:
        absent = sorted(self.rules.columns - set(header))
        if absent:
            raise ConfigError(
                f"{self.path.name} has no column {absent[0]!r}",
                remedy=f"its columns are {', '.join(header)[:300]}; is it the right map and delimiter?",
            )

    def _node(self, row: Mapping[str, str], rule: ReadingRule) -> NodeId:
        name = self._filled(self.rules.node.id, row)
        key = (
            name,
            str(self.rules.readings.index(rule)),
            *(row[column] for column in self.rules.node.distinct),
        )
        known = self._ids.get(key)
        if known is None:
            known = self._ids[key] = self._free_id(name)
            self._nodes[known] = (self._described(known, row, rule), rule)
        return known

    def _free_id(self, name: str) -> NodeId:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        number = 1
        while True:
            tail = "" if number == 1 else f"-{number}"
            ident = node_id(f"{plain[: 32 - len(tail)]}{tail}")
            if ident not in self._nodes:
                return ident
            number += 1

    def _described(self, ident: NodeId, row: Mapping[str, str], rule: ReadingRule) -> Node:
        own, station = self.rules.node, self._station(row)
        place = own.stations
        lat, lon = own.lat, own.lon
        if own.lat_column and own.lon_column:
            lat, lon = _degrees(row[own.lat_column]), _degrees(row[own.lon_column])
        if place and place.lat and place.lon:
            lat, lon = _degrees(station.get(place.lat, "")), _degrees(station.get(place.lon, ""))
        name = station.get(place.name, "") if place and place.name else ""
        texts = {**row, "name": name or ident}
        return Node(
            id=ident,
            kind=rule.kind,
            label_en=self._filled(own.label_en, texts)[:128],
            label_zh=self._filled(own.label_zh, texts)[:128],
            site=self._filled(own.site, texts)[:128],
            district=own.district,
            lat=lat,
            lon=lon,
        )

    def _station(self, row: Mapping[str, str]) -> Mapping[str, str]:
        place = self.rules.node.stations
        return self._stations.get(row.get(place.column, ""), {}) if place else {}

    def _filled(self, template: str, row: Mapping[str, str]) -> str:
        stem = self.path.name.split(".")[0]
        try:
            return template.format_map({"file": stem, **row})
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"template {template!r}: {error!r}", remedy="use {column}, {file} or {name}"
            ) from None


def number_of(text: str) -> Decimal | None:
    """Return the number that a text is, or None: no NaN, no infinity, no two values with a bar between."""
    return Decimal(text) if _NUMBER.match(text) else None


def time_ms(rule: TimeRule, row: Mapping[str, str]) -> int | None:
    """Return a row's time as epoch milliseconds, or None if it cannot be read."""
    text = " ".join(row[name] for name in rule.columns)
    when = _parsed(text, rule.formats)
    if when is None:
        return None
    offset = when.utcoffset()
    shift = rule.utc_offset if offset is None else offset
    since = when.replace(tzinfo=UTC) - shift - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _parsed(text: str, formats: tuple[str, ...]) -> datetime | None:
    if not formats:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    for layout in formats:
        try:
            return datetime.strptime(text, layout)
        except ValueError:
            continue
    return None


def scaled(value: Decimal | None, column: Column) -> tuple[int | None, bool]:
    """Return a value as the wire has it, and whether that took rounding."""
    if value is None:
        return None, False
    with localcontext(_EXACT):
        number = value.scaleb(column.decimals)
        whole = int(number.to_integral_value())
    return whole, whole != number


def _decimals(value: Decimal) -> int:
    exponent = value.normalize(_EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _degrees(text: str) -> float | None:
    number = number_of(text.strip())
    return None if number is None else float(number)


def _stations(rules: RecordingMap, data: Path, beside: Path | None) -> dict[str, dict[str, str]]:
    place = rules.node.stations
    if place is None:
        return {}
    folders = [data.parent, *([beside] if beside else [])]
    path = next((folder / place.file for folder in folders if (folder / place.file).is_file()), None)
    if path is None:
        raise ConfigError(
            f"no station file {place.file} beside {data}", remedy="put it there, or into the map's folder"
        )
    with path.open(encoding=rules.encoding, newline="") as text:
        rows = csv.DictReader(text, delimiter=rules.delimiter)
        return {row[place.key].strip(): {k: (v or "").strip() for k, v in row.items() if k} for row in rows}
