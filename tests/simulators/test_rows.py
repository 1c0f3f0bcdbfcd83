"""Recordings: what is published equals an independent reading of the file, exactly, row by row."""

from __future__ import annotations

import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest

from edge.model.errors import ConfigError
from edge.model.node import NodeId
from edge.protocol.wire import Column
from simulators.recording import RecordingMap, load_map, parse_map
from simulators.rows import Recording, Survey, Tally, number_of, scaled, time_ms

MAPS = Path(__file__).resolve().parents[2] / "simulators" / "maps"
SENTINELS = {Decimal(-9999), Decimal(7999)}
Sums = dict[tuple[str, str], tuple[int, Decimal]]


def recording(data: Path, folder: str, file: str) -> Recording:
    return Recording(data / folder / file, load_map(MAPS / f"{folder}.toml"))


def published(source: Recording) -> tuple[Sums, Survey, int]:
    """Count and sum of every quantity of every node, as the integers on the wire give them."""
    survey = source.survey()
    columns = {node: survey.columns(node) for node in survey.nodes}
    sums: dict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    rounded = 0
    for reading in source.readings():
        for value, column in zip(reading.values, columns[reading.node], strict=True):
            integer, was_rounded = scaled(value, column)
            rounded += was_rounded
            if integer is not None:
                count, total = sums[reading.node, column.quantity]
                number = Decimal(integer).scaleb(-column.decimals)
                sums[reading.node, column.quantity] = (count + 1, total + number)
    return dict(sums), survey, rounded


def independent(
    path: Path, delimiter: str, node: Callable[[dict[str, str]], str], columns: dict[str, tuple[str, str]]
) -> tuple[Sums, int]:
    """The same by csv and Decimal alone; `columns`: column -> (quantity, factor)."""
    sums: dict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    rows = 0
    packed = path.suffix == ".gz"
    with gzip.open(path, "rt") if packed else path.open(encoding="utf-8") as text:
        for raw in csv.DictReader(text, delimiter=delimiter):
            rows += 1
            row = {key.strip(): cell.strip() for key, cell in raw.items()}
            for column, (quantity, factor) in columns.items():
                cell = row[column]
                if not re.fullmatch(r"-?\d+(\.\d+)?", cell):
                    continue
                number = Decimal(cell)
                if number not in SENTINELS:
                    number *= Decimal(factor)
                count, total = sums[node(row), quantity]
                sums[node(row), quantity] = (count + 1, total + number)
    return dict(sums), rows


LOGAN = {
    "stage": ("level_m", "0.01"),
    "temp": ("water_temperature_c", "1"),
    "cond": ("conductivity_us_cm", "1"),
    "ph": ("ph", "1"),
    "do": ("dissolved_oxygen_mg_l", "1"),
    "turb": ("turbidity_ntu", "1"),
}
PZEM = {
    name: (name, "1")
    for name in ("voltage_v", "current_a", "power_w", "energy_wh", "frequency_hz", "power_factor")
}


@pytest.mark.parametrize(
    ("station", "rows"), [("WaterLab2019", 28_415), ("TonyGrove2014", 20_674), ("FranklinBasin2020", 11_712)]
)
def test_the_logan_river_arrives_to_the_last_digit(shared_data: Path, station: str, rows: int) -> None:
    source = recording(shared_data, "water-level-logan", f"{station}.csv.gz")
    sums, survey, rounded = published(source)
    expected, read = independent(source.path, ",", lambda _: f"logan-{station.lower()}", LOGAN)
    assert sums == expected
    assert survey.tally.readings == survey.tally.read == read == rows
    assert rounded == 0
    assert {node.kind for node in survey.nodes.values()} == {"water_level"}


def test_the_times_of_the_logan_river_are_mountain_standard_time_all_year(shared_data: Path) -> None:
    source = recording(shared_data, "water-level-logan", "WaterLab2019.csv.gz")
    readings = list(source.readings())
    assert readings[0].t_ms == 1_546_326_000_000  # 2019-01-01T07:00:00Z
    assert len({reading.t_ms for reading in readings}) == 28_415


def test_sentinels_are_published_as_they_stand(shared_data: Path) -> None:
    source = recording(shared_data, "water-level-logan", "TonyGrove2014.csv.gz")
    first = next(source.readings())
    assert first.values[0] == Decimal(-9999)
    assert first.values[1] == Decimal("0.577")


@pytest.mark.parametrize(
    ("file", "rows"),
    [
        ("sds011_5331_2018-01-20_2018-02-20.csv.gz", 18_499),
        ("sds011_15462_2019-03-01_2019-03-20.csv.gz", 11_173),
        ("sds011_16422_2019-04-08_2019-05-24.csv.gz", 17_132),
    ],
)
def test_dust_sensors_arrive_to_the_last_digit(shared_data: Path, file: str, rows: int) -> None:
    source = recording(shared_data, "air-sds011-aberdeen", file)
    sums, survey, rounded = published(source)
    quantities = {"P1": ("pm10_ug_m3", "1"), "P2": ("pm2_5_ug_m3", "1")}
    expected, read = independent(source.path, ";", lambda row: f"sds011-{row['sensor_id']}", quantities)
    assert (sums, read, rounded) == (expected, rows, 0)
    (node,) = survey.nodes.values()
    assert node.lat is not None and 57 < node.lat < 58


@pytest.mark.parametrize(("port", "rows"), [(0, 50), (1, 46), (2, 52)])
def test_power_meters_arrive_to_the_last_digit_padded_or_not(shared_data: Path, port: int, rows: int) -> None:
    source = recording(shared_data, "power-pzem004t", f"pzem_usb{port}.csv")
    sums, survey, rounded = published(source)
    expected, read = independent(source.path, ",", lambda _: f"pzem-dev-ttyusb{port}", PZEM)
    assert (sums, read, rounded) == (expected, rows, 0)
    assert survey.columns(NodeId(f"pzem-dev-ttyusb{port}"))[1] == Column("current_a", 3)


def test_a_day_of_a_country_arrives_to_the_last_digit_and_says_what_it_could_not_read(
    shared_data: Path,
) -> None:
    source = recording(shared_data, "water-level-ea-day", "readings.csv.gz")
    sums, survey, rounded = published(source)
    tally = Tally()
    faults = [fault for reading in source.readings(tally) for fault in reading.faults]
    assert tally.read == tally.readings == 10_759
    assert [(fault.line, fault.text) for fault in faults] == [(442, "0.260|0.267"), (446, "0.201|0.109")]
    assert rounded == 0
    metres, _ = independent(source.path, ",", lambda row: row["unitName"], {"value": ("value", "1")})
    in_m = sum((total for (unit, _), (_, total) in metres.items() if unit in ("m", "mAOD", "mASD")), Decimal(0))
    # the file's only columns in mm are rainfall, and two kinds of gauge
    level_mm, rain_mm = Decimal(0), Decimal(0)
    with gzip.open(source.path, "rt") as text:
        for row in csv.DictReader(text):
            if row["unitName"] == "mm":
                if row["parameter"] == "level":
                    level_mm += Decimal(row["value"])
                else:
                    rain_mm += Decimal(row["value"])
    levels = sum((total for (_, name), (_, total) in sums.items() if name == "level_m"), Decimal(0))
    rains = sum((total for (_, name), (_, total) in sums.items() if name == "rain_mm"), Decimal(0))
    assert levels == in_m + level_mm / 1000
    assert rains == rain_mm
    assert sum(count for count, _ in sums.values()) == 10_759 - 2
    assert len(survey.nodes) == 1_113


def test_a_gauge_in_millimetres_and_its_twin_in_metres_agree(shared_data: Path) -> None:
    source = recording(shared_data, "water-level-ea-day", "readings.csv.gz")
    levels: dict[str, dict[int, Decimal]] = defaultdict(dict)
    for reading in source.readings():
        if reading.values[0] is not None:
            levels[reading.node][reading.t_ms] = reading.values[0]
    in_mm, in_m = levels["ea-e72623"], levels["ea-e72624"]
    both = in_mm.keys() & in_m.keys()
    assert len(both) > 10
    assert median(abs(in_mm[t_ms] - in_m[t_ms]) for t_ms in both) < Decimal("0.05")


def test_several_sensors_of_one_station_become_nodes_of_their_own(shared_data: Path) -> None:
    survey = recording(shared_data, "water-level-ea-day", "readings.csv.gz").survey()
    assert {"ea-720763", "ea-720763-2", "ea-e2900", "ea-e2900-2", "ea-055002-tg-301"} <= set(survey.nodes)
    assert survey.nodes[NodeId("ea-000008")].lat == 53.480556
    assert survey.nodes[NodeId("ea-000008")].label_en == "Rainfall station 000008"


# --- small recordings ---------------------------------------------------------------------------------------


def mapped(**changes: object) -> RecordingMap:
    table: dict[str, object] = {
        "time": {"column": "t", "utc_offset": "+08:00"},
        "node": {"id": "node-{id}"},
        "reading": [{"kind": "water_level", "column": [{"name": "v", "quantity": "level_m"}]}],
    }
    return parse_map(table | changes, "test.toml")


def small(tmp_path: Path, text: str, rules: RecordingMap | None = None) -> Recording:
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    return Recording(path, rules or mapped())


def test_zero_is_not_missing_and_missing_is_not_zero(tmp_path: Path) -> None:
    source = small(tmp_path, "t,id,v\n2026-01-01 08:00,a,0\n2026-01-01 08:01,a,\n")
    assert [reading.values for reading in source.readings()] == [(Decimal(0),), (None,)]
    assert [reading.faults for reading in source.readings()] == [(), ()]


@pytest.mark.parametrize(
    "text", ["NaN", "inf", "1_000", "0.1|0.2", "1,5", "--1", "1e9999", "0x10", "٣", "true"]
)
def test_what_is_no_number_is_counted_and_published_without_a_value(tmp_path: Path, text: str) -> None:
    source = small(tmp_path, f't,id,v\n2026-01-01,a,"{text}"\n')
    (reading,) = source.readings()
    assert reading.values == (None,)
    assert [(fault.line, fault.column, fault.text) for fault in reading.faults] == [(2, "v", text)]


def test_a_row_without_a_time_cannot_be_published_and_is_told(tmp_path: Path) -> None:
    source = small(tmp_path, "t,id,v\nyesterday,a,1\n2026-01-01,a,2\n")
    tally = Tally()
    assert len(list(source.readings(tally))) == 1
    assert (tally.read, tally.readings, [fault.line for fault in tally.untimed]) == (2, 1, [2])


def test_rows_that_no_rule_asks_for_are_counted_as_skipped(tmp_path: Path) -> None:
    rules = mapped(
        reading=[
            {"kind": "water_level", "where": {"p": "level"}, "column": [{"name": "v", "quantity": "level_m"}]}
        ]
    )
    tally = Tally()
    source = small(tmp_path, "t,id,p,v\n2026-01-01,a,level,1\n2026-01-01,a,wind,1\n", rules)
    assert len(list(source.readings(tally))) == 1
    assert tally.skipped == 1


def test_two_rules_on_one_id_are_two_nodes(tmp_path: Path) -> None:
    rules = mapped(
        reading=[
            {"kind": "water_level", "where": {"p": "level"}, "column": [{"name": "v", "quantity": "level_m"}]},
            {"kind": "rain_gauge", "where": {"p": "rain"}, "column": [{"name": "v", "quantity": "rain_mm"}]},
        ]
    )
    survey = small(tmp_path, "t,id,p,v\n2026-01-01,a,level,1\n2026-01-01,a,rain,1\n", rules).survey()
    assert [(node.id, node.kind) for node in survey.nodes.values()] == [
        ("node-a", "water_level"),
        ("node-a-2", "rain_gauge"),
    ]


def test_decimals_are_those_that_the_data_need(tmp_path: Path) -> None:
    survey = small(tmp_path, "t,id,v\n2026-01-01,a,1.50\n2026-01-02,a,2.1250\n2026-01-01,b,3\n").survey()
    assert survey.columns(NodeId("node-a")) == (Column("level_m", 3),)
    assert survey.columns(NodeId("node-b")) == (Column("level_m", 0),)


def test_more_digits_than_the_wire_carries_are_rounded_and_counted(tmp_path: Path) -> None:
    _, survey, rounded = published(small(tmp_path, "t,id,v\n2026-01-01,a,8.46749736008448\n"))
    assert survey.columns(NodeId("node-a")) == (Column("level_m", 9),)
    assert rounded == 1


def test_a_large_number_beside_a_fine_one_still_fits_53_bits(tmp_path: Path) -> None:
    sums, survey, _ = published(small(tmp_path, "t,id,v\n2026-01-01,a,4000000000\n2026-01-02,a,0.000000001\n"))
    (column,) = survey.columns(NodeId("node-a"))
    assert 4_000_000_000 * 10**column.decimals < 2**53
    assert sums["node-a", "level_m"][0] == 2


def test_a_missing_column_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no column 'v'.*t, id, value"):
        list(small(tmp_path, "t,id,value\n").readings())


def test_an_id_that_no_node_can_have_is_made_valid_and_stays_unique(tmp_path: Path) -> None:
    text = "t,id,v\n" + "".join(f"2026-01-01,{name},1\n" for name in ("A_b", "a-b", "Ab " * 20))
    names = list(small(tmp_path, text).survey().nodes)
    assert names[:2] == ["node-a-b", "node-a-b-2"]
    assert len(names[2]) <= 32


def test_a_template_that_asks_for_what_is_not_there_is_one_line_of_advice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="template"):
        small(tmp_path, "t,id,v\n2026-01-01,a,1\n", mapped(node={"id": "x-{nothing}"})).survey()


@pytest.mark.parametrize(
    ("text", "offset", "layout", "expected"),
    [
        ("2026-01-01 08:00", "+08:00", [], 1_767_225_600_000),
        ("2026-01-01T00:00:00Z", "+08:00", [], 1_767_225_600_000),
        ("2025-12-31 17:00:00.250", "-07:00", [], 1_767_225_600_250),
        ("01/01/2026 00.00", "UTC", ["%d/%m/%Y %H.%M"], 1_767_225_600_000),
        ("2026-02-30", "UTC", [], None),
        ("", "UTC", [], None),
    ],
)
def test_times_are_read_in_their_zone(text: str, offset: str, layout: list[str], expected: int | None) -> None:
    rules = mapped(time={"column": "t", "utc_offset": offset, "format": layout})
    assert time_ms(rules.time, {"t": text}) == expected


@pytest.mark.parametrize(("text", "number"), [("1.5", "1.5"), ("-.5", "-0.5"), ("1e3", "1000"), ("+7.", "7")])
def test_numbers_are_read_as_written(text: str, number: str) -> None:
    assert number_of(text) == Decimal(number)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reading": []}, r"no \[\[reading\]\]"),
        ({"reading": [{"kind": "volcano"}]}, "unknown kind 'volcano'"),
        ({"reading": [{"kind": "noise", "column": [{"name": "v", "quantity": "lava_m"}]}]}, "lava_m"),
        ({"reading": [{"kind": "noise", "column": []}]}, "no column"),
        ({"time": {"column": "t", "utc_offset": "local"}}, "utc_offset"),
        ({"time": {"utc_offset": "UTC"}}, "column is missing"),
        ({"node": {}}, "id is missing"),
        ({"nodes": {}}, "unknown key 'nodes'"),
        ({"file": {"sentinels": [0.1]}}, "as a text"),
    ],
)
def test_a_wrong_map_is_refused_with_the_place(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mapped(**changes)


def test_every_map_that_ships_loads() -> None:
    maps = sorted(MAPS.glob("*.toml"))
    assert len(maps) == 4
    for path in maps:
        load_map(path)


def test_a_map_that_needs_a_station_file_says_so(tmp_path: Path, shared_data: Path) -> None:
    del shared_data
    alone = tmp_path / "readings.csv"
    alone.write_text("dateTime\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"stations\.csv"):
        Recording(alone, load_map(MAPS / "water-level-ea-day.toml"))
