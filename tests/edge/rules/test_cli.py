"""The commands: what they print, what they draw, what they say when a table is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.model.errors import CityError
from edge.rules.cli import app

RULE = """
[rule.high]
kinds = ["water_level"]
quantity = "level_m"
levels.yellow = { enter = "warning_m", leave = "warning_m - 0.1" }
"""
NODES = '[{"id": "wl-01", "kind": "water_level", "stages": {"warning_m": 3}}]'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "r.toml").write_text(RULE)
    (tmp_path / "nodes.json").write_text(NODES)
    levels = [2.5, 2.6, 3.0, 3.2, 3.1, 2.95, 2.8, 2.7]
    rows = [f"2026-03-01T00:{k:02}:00Z,wl-01,level_m,{level}" for k, level in enumerate(levels)]
    (tmp_path / "in.csv").write_text("\n".join(["time,node,quantity,value", *rows]))
    return tmp_path


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_backtest_prints_an_episode_a_line(files: Path) -> None:
    told = run(
        "test", "--rules", files / "r.toml", "--series", files / "in.csv", "--nodes", files / "nodes.json"
    )
    assert [json.loads(line) for line in told.splitlines()] == [
        {
            "rule": "high", "node": "wl-01", "quantity": "level_m", "level": "yellow",
            "start": "2026-03-01T00:02:00Z", "end": "2026-03-01T00:06:00Z", "peak": 3.2,
            "peak_time": "2026-03-01T00:03:00Z",
        }
    ]  # fmt: skip


def test_a_qc_column_is_believed_and_other_columns_are_ignored(files: Path) -> None:
    text = (files / "in.csv").read_text().splitlines()
    checked = [f"{line},{'qc,tests' if k == 0 else '3,spike'}" for k, line in enumerate(text)]
    (files / "in.csv").write_text("\n".join(checked))
    assert (
        run("test", "--rules", files / "r.toml", "--series", files / "in.csv", "--nodes", files / "nodes.json")
        == ""
    )


def test_values_without_qc_are_checked_first_unless_told_otherwise(files: Path) -> None:
    with (files / "in.csv").open("a") as lines:
        lines.write("\n2026-03-01T00:08:00Z,wl-01,level_m,7999\n")
    words = ("test", "--rules", files / "r.toml", "--series", files / "in.csv", "--nodes", files / "nodes.json")
    assert len(run(*words).splitlines()) == 1
    assert len(run(*words, "--no-qc").splitlines()) == 2


def test_an_episode_that_lasts_has_no_end_and_the_order_of_rows_does_not_matter(files: Path) -> None:
    head, *rows = (files / "in.csv").read_text().splitlines()
    (files / "in.csv").write_text("\n".join([head, *reversed(rows[:5])]))
    (line,) = run(
        "test", "--rules", files / "r.toml", "--series", files / "in.csv", "--nodes", files / "nodes.json"
    ).splitlines()
    assert json.loads(line)["end"] is None


def test_a_node_that_nobody_described_is_taken_for_what_it_measures(files: Path) -> None:
    (files / "r.toml").write_text(RULE.replace('"warning_m"', "3").replace('"warning_m - 0.1"', "2.9"))
    assert len(run("test", "--rules", files / "r.toml", "--series", files / "in.csv").splitlines()) == 1


def test_the_plot_is_one_page_with_the_series_its_limit_and_its_episode(files: Path) -> None:
    page = files / "out.html"
    run(
        "test",
        "--rules",
        files / "r.toml",
        "--series",
        files / "in.csv",
        "--nodes",
        files / "nodes.json",
        "--plot",
        page,
    )
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 1 and 'class="series"' in text and "黄 3" in text
    assert "high: yellow, peak 3.2" in text and "http" not in text
    picture = files / "out.svg"
    run("test", "--rules", files / "r.toml", "--series", files / "in.csv", "--plot", picture)
    assert picture.read_text(encoding="utf-8").startswith('<svg xmlns="http://www.w3.org/2000/svg"')


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("time,node,value\n", "no column quantity"),
        ("time,node,quantity,value\nnoon,wl-01,level_m,1", "'noon' is no time"),
        ("time,node,quantity,value\n2026-03-01T00:00:00Z,wl-01,level_m,high", "'high' is no number"),
        ("time,node,quantity,value\n2026-03-01T00:00:00Z,wl-01", "too few"),
        ("time,node,quantity,value,qc\n2026-03-01T00:00:00Z,wl-01,level_m,1,7", "is no flag"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(files: Path, table: str, said: str) -> None:
    (files / "in.csv").write_text(table)
    with pytest.raises(CityError, match="line") as caught:
        run("test", "--rules", files / "r.toml", "--series", files / "in.csv")
    assert said in str(caught.value)


def test_check_and_show_say_what_there_is(files: Path) -> None:
    assert "1 rules, nothing wrong" in run("check", files / "r.toml")
    shown = run("show", files / "r.toml", "--kind", "water_level")
    assert "high" in shown and "warning_m" in shown and "node_silent" in shown and "lamp_out" not in shown
    rows = [json.loads(line) for line in run("show", "--json").splitlines()]
    assert {"flood", "gateway_lost"} <= {row["rule"] for row in rows}
