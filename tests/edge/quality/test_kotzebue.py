"""The tide gauge of Kotzebue: flag by flag what QARTOD's reference implementation says."""

import csv
from pathlib import Path

import pytest

from edge.model.quality import Flag
from edge.quality.history import History
from edge.quality.limits import load_limits

LIMITS = load_limits(
    {
        "quality": {
            "level_m": {
                "fail": [-10, 10], "suspect": [-2, 3], "spike": 0.8, "spike_fail": 3, "rate_per_s": 0.001,
                "flat_after_s": 10_800, "flat_fail_after_s": 21_600, "flat_tolerance": 0.001,
                "excursion": False,
            }
        }
    },
    "kotzebue",
)  # fmt: skip
TESTS = ("gross_range", "flat_line", "rate_of_change", "spike")


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> list[dict[str, str]]:
    """The flags that ioos_qc 3.0.0 gave, test by test."""
    with (shared_data / "tide-kotzebue" / "qartod_flags_expected.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def found(expected: list[dict[str, str]]) -> list[tuple[Flag, set[str]]]:
    """Ours."""
    history = History(LIMITS, ["time", "node", "quantity", "value"])
    rows = ((n, [row["time"], "kotzebue", "level_m", row["value"]]) for n, row in enumerate(expected, 2))
    return [(flag, set(tests.split("+"))) for _, flag, tests in history.judge(rows)]


@pytest.mark.parametrize("test", TESTS)
def test_each_test_doubts_what_the_reference_doubts(
    test: str, expected: list[dict[str, str]], found: list[tuple[Flag, set[str]]]
) -> None:
    theirs = [row["time"] for row in expected if row[f"{test}_test"] in ("3", "4")]
    ours = [row["time"] for row, (_, tests) in zip(expected, found, strict=True) if test in tests]
    assert theirs and ours == theirs


def test_the_aggregate_flag_is_the_worst_of_theirs(
    expected: list[dict[str, str]], found: list[tuple[Flag, set[str]]]
) -> None:
    order = [Flag.NOT_EVALUATED, Flag.PASS, Flag.SUSPECT, Flag.FAIL]
    for row, (flag, _) in zip(expected, found, strict=True):
        assert flag is max((Flag(int(row[f"{test}_test"])) for test in TESTS), key=order.index), row["time"]
