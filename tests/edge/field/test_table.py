"""A table of nodes: read whole before the first board is touched, and gone on with after any end."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.field.order import Order
from edge.field.table import Outcome, Outcomes, read_table
from edge.model.errors import ConfigError

USUAL = Order(kind="", district="yangpu")


def write(folder: Path, text: str) -> Path:
    path = folder / "nodes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_orders_and_leave_out_what_is_usual(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,kind,label_zh,lat,lon,sensors,datum_mm,port\n"
        "stage-1,water_level,河口,31.27,121.52,,5200,\n"
        "air-1,weather,,,,bme280:i2c maxbotix:uart1,4000,/dev/ttyUSB3\n",
    )
    first, second = read_table(path, USUAL)
    assert (first.key, first.order.lat, first.order.district) == ("stage-1", 31.27, "yangpu")
    assert first.order.sensors[0]["datum_mm"] == 5200
    assert [row["driver"] for row in second.order.sensors] == ["bme280", "maxbotix"]
    assert (second.port, second.number) == ("/dev/ttyUSB3", 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,colour\na,b\n", "unknown column 'colour'"),
        ("id,kind\na-1,teapot\n", "line 2: unknown kind 'teapot'"),
        ("id,kind,lat,lon\nabc,weather,x,1\n", "line 2: lat 'x' is no number"),
        ("id,kind\nstage-1,water_level\n", "line 2: jsn_sr04t needs its height"),
        ("id,kind\nabc,weather\nabc,weather\n", "abc stands there twice"),
        ("id,kind\n", "has no row"),
    ],
)
def test_mistakes_are_named_by_their_line_before_anything_is_done(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_table(write(tmp_path, text), USUAL)


def test_the_height_of_the_command_line_is_that_of_rows_without_one(tmp_path: Path) -> None:
    path = write(tmp_path, "id,kind,datum_mm\nstage-1,water_level,4800\nstage-2,water_level,\n")
    rows = read_table(path, USUAL, 5200)
    assert [row.order.sensors[0]["datum_mm"] for row in rows] == [4800, 5200]


def test_outcomes_survive_and_the_last_word_on_a_row_counts(tmp_path: Path) -> None:
    path = write(tmp_path, "kind\nweather\n")
    (row,) = read_table(path, USUAL)
    outcomes = Outcomes(path)
    assert outcomes.of(row) is None
    outcomes.add(Outcome(key=row.key, ok=False, error={"stage": "flash", "cause": "x", "remedies": []}))
    outcomes.add(Outcome(key=row.key, ok=True, node="cn-1", serial="aa"))
    again = Outcomes(path)
    found = again.of(row)
    assert found is not None and found.ok and again.serials() == {"aa"}
    with outcomes.path.open("a") as file:
        file.write('{"key": "torn')
    assert Outcomes(path).of(row) == found, "a line that a power cut tore is no outcome"
    outcomes.add(Outcome(key="next", ok=True))
    assert Outcomes(path).of(row) == found, "and spoils none that follows"
    with outcomes.path.open("a") as file:
        file.write('{"key": x}\n')
    with pytest.raises(ConfigError, match="line 5: it is damaged"):
        Outcomes(path)
