"""`cityneuron qc`: every row comes back in its place, judged; one that cannot be read is named by its line."""

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cityneuron
from edge.model.errors import ConfigError
from edge.quality import history
from edge.quality.history import History, TableError, moment_ms
from edge.quality.limits import NO_OVERRIDES, load_limits

HEADER = "time,node,quantity,value\n"


def qc(tmp_path: Path, table: str, *options: str) -> list[dict[str, str]]:
    path = tmp_path / "in.csv"
    path.write_text(table, encoding="utf-8")
    result = CliRunner().invoke(cityneuron.app, ["qc", *options, str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_every_row_comes_back_in_its_place_with_flag_and_tests(tmp_path: Path) -> None:
    rows = qc(
        tmp_path,
        "value,note,node,time,quantity\n"
        "3.1,first,ys-07,2026-03-01T00:00:00Z,level_m\n"
        "-9999,,ys-07,2026-03-01T00:01:00Z,level_m\n"
        ",,ys-07,2026-03-01T08:02:00+08:00,level_m\n"
        "0.260|0.267,,ys-07,1772323380,level_m\n"
        "3.2,,ys-07,1772323440000,level_m\n",
    )
    assert list(rows[0]) == ["value", "note", "node", "time", "quantity", "qc", "tests"]
    assert [(row["value"], row["qc"], row["tests"]) for row in rows] == [
        ("3.1", "1", ""), ("-9999", "4", "sentinel+gross_range"), ("", "9", "missing"),
        ("0.260|0.267", "4", "syntax"), ("3.2", "1", ""),
    ]  # fmt: skip
    assert rows[0]["note"] == "first"


def test_a_quantity_may_be_defined_by_the_configuration_alone(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[quality.chlorophyll_ug_l]\nfail = [0, 500]\n")
    table = HEADER + "0,n-1,chlorophyll_ug_l,12\n60,n-1,chlorophyll_ug_l,501\n"
    rows = qc(tmp_path, table, "--config", str(tmp_path / "c.toml"))
    assert [row["qc"] for row in rows] == ["1", "4"]


def test_a_quantity_that_nobody_defined_is_told(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(HEADER + "0,n-1,nonsense,12\n")
    result = CliRunner().invoke(cityneuron.app, ["qc", str(tmp_path / "in.csv")])
    assert "no limits for nonsense" in result.stderr


def test_standard_input_will_do() -> None:
    result = CliRunner().invoke(cityneuron.app, ["qc", "-"], input=HEADER + "0,n-1,ph,7\n")
    assert result.stdout.splitlines() == ["time,node,quantity,value,qc,tests", "0,n-1,ph,7,1,"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "line 1: no column time, node, quantity, value"),
        ("time,node,value\n", "line 1: no column quantity"),
        (HEADER + "0,n-1,ph,7\nnoon,n-1,ph,7\n", "line 3: 'noon' is no time"),
        (HEADER + "0,n-1,ph\n", "line 2: 3 columns, too few"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_line(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "in.csv").write_text(table)
    result = CliRunner().invoke(cityneuron.app, ["qc", str(tmp_path / "in.csv")])
    assert isinstance(result.exception, TableError) and said in result.exception.message


def test_a_mistake_in_the_configuration_names_its_place(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[quality.level_m]\nspikes = 1\n")
    result = CliRunner().invoke(cityneuron.app, ["qc", "--config", str(tmp_path / "c.toml"), "-"])
    assert isinstance(result.exception, ConfigError) and "spikes" in result.exception.message


def test_both_sides_of_a_contradiction_are_doubted_wherever_the_second_stands() -> None:
    rows = [["0", "n-1", "pm2_5_ug_m3", "20"], ["0", "n-1", "no2_ug_m3", "5"], ["0", "n-1", "pm10_ug_m3", "10"]]
    found = History(NO_OVERRIDES, HEADER.strip().split(",")).judge(enumerate(rows, 2))
    assert [tests for _, _, tests in found] == ["cross_total", "", "cross_total"]


def test_times_that_repeat_or_go_back_are_named_and_disturb_nothing() -> None:
    limits = load_limits({"quality": {"ph": {"spike": False}}}, "test")
    rows = [[time, "n-1", "ph", "7"] for time in ("0", "60", "60", "30", "120")]
    found = History(limits, HEADER.strip().split(",")).judge(enumerate(rows, 2))
    assert [f"{flag:d} {tests}" for _, flag, tests in found] == ["1 ", "1 ", "2 order", "2 order", "1 "]


def test_a_silence_is_measured_against_what_is_usual_of_a_series() -> None:
    rows = [[str(minute * 60), "n-1", "ph", f"{7 + minute % 3 / 10}"] for minute in (*range(8), 12, 13)]
    found = History(NO_OVERRIDES, HEADER.strip().split(",")).judge(enumerate(rows, 2))
    assert [tests for _, _, tests in found] == [*[""] * 8, "gap", ""]


def test_a_series_that_ends_early_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_WAITING", 10)
    rows = [["0", "gone", "ph", "7"], *([str(second), "n-1", "rain_mm", "0"] for second in range(100))]
    source = iter(enumerate(rows, 2))
    first = next(History(NO_OVERRIDES, HEADER.strip().split(",")).judge(source))
    assert first[0][1] == "gone" and len(list(source)) == len(rows) - 11


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1772323200", 1_772_323_200_000), ("1772323200.5", 1_772_323_200_500),
        ("1772323200500", 1_772_323_200_500),
        ("2026-03-01T00:00:00Z", 1_772_323_200_000), ("2026-03-01 00:00:00", 1_772_323_200_000),
        ("2026-03-01T08:00:00+08:00", 1_772_323_200_000), ("-60", -60_000),
    ],
)  # fmt: skip
def test_times_are_iso_8601_or_epoch(text: str, expected: int) -> None:
    assert moment_ms(text, 1) == expected
