"""Real recordings, a situation a row: what must be noticed, and what must not."""

from pathlib import Path

import pytest

from edge.model.quality import Flag
from score.faults import FAULTS, Finder
from score.run import judged

LOGAN, DUST = "water-level-logan", "air-sds011-aberdeen"
NOT_FOUND = {
    (LOGAN, "TonyGrove: ice 2014-11-12 to 11-20"), (LOGAN, "TonyGrove: ice from 2014-12-21"),
    (LOGAN, "Franklin: ice on winter nights"),
}  # fmt: skip


@pytest.fixture(scope="module")
def finder(request: pytest.FixtureRequest, shared_data: Path) -> Finder:
    """A recording, judged: once for all tests of it."""
    return Finder(judged(request.param, shared_data))


def of(*names: str) -> pytest.MarkDecorator:
    """These recordings, one after the other."""
    return pytest.mark.parametrize("finder", names, indirect=True, scope="module")


@of(*(name for name in FAULTS if name != "nab-anomaly"))
def test_every_fault_that_a_recording_names_is_noticed(finder: Finder, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["finder"]
    missed = {(name, fault.label) for fault in FAULTS[name](finder) if not fault.is_found(finder.rows)}
    assert missed == {each for each in NOT_FOUND if each[0] == name}


@of("power-household-uci", "power-pv-inverter", "power-pzem004t", "noise-laeq")
def test_of_good_data_nothing_is_doubted(finder: Finder) -> None:
    assert finder.rows and not [row for row in finder.rows if row.doubted]


@of(LOGAN)
def test_no_value_is_ever_one(finder: Finder) -> None:
    rows = [row for row in finder.rows if row.text in ("-9999", "-99.99")]
    assert len(rows) == 59 and {row.flag for row in rows} == {Flag.FAIL}


@of(LOGAN)
def test_most_of_the_ice_on_the_gauge_is_suspect_and_none_of_it_fails(finder: Finder) -> None:
    ice = [row for row in finder.rows if row.quantity == "level_m" and row.truth == "5"]
    assert sum(row.flag is Flag.SUSPECT for row in ice) > 0.8 * len(ice)
    assert not [row for row in ice if row.flag is Flag.FAIL]


@pytest.mark.parametrize(
    ("finder", "node", "quantity", "begin", "end", "doubted"),
    [
        (LOGAN, "WaterLab2019", "level_m", "2019-06-06T23:00", "2019-06-09T14:30", 0),
        (DUST, "5331", "pm10_ug_m3", "2018-02-05T15:17", "2018-02-05T15:34", 1),
        (DUST, "15462", "pm10_ug_m3", "2019-03-06T18:16", "2019-03-06T20:13", 1),
        ("air-beijing", "Aotizhongxin", "pm2_5_ug_m3", "2016-02-08T02:00", "2016-02-08T02:00", 0),
    ],
    ids=["flood", "dust", "evening of dust", "fireworks"],
    indirect=["finder"],
    scope="module",
)
def test_a_true_event_survives(
    finder: Finder, node: str, quantity: str, begin: str, end: str, doubted: int
) -> None:
    rows = [finder.rows[place] for place in finder.within(node, quantity, begin, end)]
    assert rows and not [row for row in rows if row.flag is Flag.FAIL]
    assert sum(row.doubted for row in rows) == doubted
