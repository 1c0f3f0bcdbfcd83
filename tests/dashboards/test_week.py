"""Every board over the simulated week, in a real InfluxDB: what each panel shows is what was so.

The questions are the boards' own; the answers are computed from the week by tests/week_oracle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import pytest
import servers
from week_samples import Answer, Shown, Value
from week_store import City, Question, as_grafana_sends, questions, the_week

from dashboards.boards import Board, boards
from dashboards.signals import Ask, Signal, course
from edge.model.kinds import KINDS
from edge.model.quality import Flag
from simulators.week import END_MS, FAULTS, SEED, START_MS
from simulators.week.plan import RIVER, at, week_city
from simulators.week.readings import Fate, sensed
from simulators.week.status import ACCOUNT

BOARDS = {board.uid: board for board in boards()}
HOUR_MS, TICK_MS = 3_600_000, 600_000
MINUTE_MS = 60_000
WEEK = Shown(start_ms=START_MS, end_ms=END_MS - 9 * MINUTE_MS, interval_ms=HOUR_MS)
"""To a minute after the cloud last wrote how nodes are: some panels look back five minutes."""

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    store = servers.InfluxDB(tmp_path_factory.mktemp("week"))
    try:
        store.start()
        yield City(store, the_week())
    finally:
        store.kill()


def hour(start_ms: int) -> Shown:
    """An hour of the week as a board shows it, in steps of ten minutes."""
    start_ms -= start_ms % TICK_MS
    return Shown(start_ms=start_ms, end_ms=start_ms + HOUR_MS + MINUTE_MS, interval_ms=TICK_MS)


def chosen(board: Board, node: str = "", **more: str) -> dict[str, frozenset[str]]:
    """What somebody chose who looks at a board that must be told where to look."""
    names = {row["name"] for row in board.to_dict()["templating"]["list"]}
    kind = board.name.removeprefix("node-")
    found = dict(more)
    if "site" in names:
        found["site"] = "yangshupu-gang"
    elif "node" in names:
        found["node"] = node or _SOMEBODY[kind]
    return {name: frozenset({value}) for name, value in found.items()}


_SOMEBODY = {
    "water_level": "ys-05", "rain_gauge": "rain-01", "sluice_gate": "gate-01", "manhole": "well-001",
    "streetlight": "lamp-001", "air_quality": "air-05", "water_quality": "wq-03", "noise": "noise-04",
    "soil": "soil-01", "radiation": "rad-01", "weather": "wx-01", "structure": "bridge-01",
    "tunnel": "tunnel-01", "power_meter": "meter-001", "water_meter": "water-001", "gas_meter": "gas-001",
    "charging_pile": "pile-001", "parking_bay": "bay-001", "footfall": "foot-01", "hazmat": "hazmat-01",
    "outfall": "outfall-01", "dust": "dust-01", "groundwater": "ground-01", "three_phase_meter": "feed-001",
    "gateway": "gw-north",
}  # fmt: skip


def with_choice(shown: Shown, board: Board, node: str = "", **more: str) -> Shown:
    return Shown(
        start_ms=shown.start_ms,
        end_ms=shown.end_ms,
        interval_ms=shown.interval_ms,
        chosen=chosen(board, node, **more),
    )


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_shows_the_week_as_it_was(city: City, uid: str) -> None:
    shown = with_choice(WEEK, BOARDS[uid])
    assert not [wrong for question in questions(BOARDS[uid]) for wrong in city.wrong(question, shown)]


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_shows_a_bad_hour_as_it_was_and_of_the_district_chosen_alone(city: City, uid: str) -> None:
    shown = with_choice(hour(at(4, 4)), BOARDS[uid], district="hongkou 虹口")
    assert not [wrong for question in questions(BOARDS[uid]) for wrong in city.wrong(question, shown)]


@pytest.mark.parametrize("uid", BOARDS)
def test_what_a_board_sends_is_what_was_tried(uid: str) -> None:
    sent = {
        (target["datasource"]["uid"], target["query"])
        for item in BOARDS[uid].to_dict()["panels"]
        for panel in [item, *item.get("panels", ())]
        for target in panel.get("targets", ())
    }
    assert sent == {(one.signal.source, one.signal.query) for one in questions(BOARDS[uid])}


# ---- each labelled fault is seen -----------------------------------------------------------------------


def asked(uid: str, form: Ask, kind: str, what: str = "") -> Question:
    """Return the board's first question of a form about a quantity (or field) of a kind."""
    for question in questions(BOARDS[uid]):
        signal = question.signal
        about = (signal.quantity, *(name for name, _ in signal.fields), str(signal.equals), str(signal.rank))
        if (signal.form, signal.kind) == (form, kind) and (not what or what in about):
            return question
    raise AssertionError(f"{uid} does not ask for the {form} of {kind}, {what}: the fault is not seen there")


def values(answer: Answer, *key: str) -> list[Value]:
    """Return the values of one line, or of all."""
    lines = [answer.get(key, {})] if key else list(answer.values())
    return [value for line in lines for cells in line.values() for value in cells.values()]


Seen = Callable[[Answer], bool]
SEEN: dict[str, tuple[int, str, Ask, str, str, Seen]] = {
    "silent": (at(1, 12), "environment-zh", Ask.TREND, "air_quality", "pm2_5_ug_m3",
               lambda found: set(found) == {("air-01",), ("air-09",)}),
    "silent, counted": (at(1, 12.5), "city-zh", Ask.COUNTED, "node_status", "2",
                        lambda found: values(found) == [1]),
    "never_heard": (at(3, 12), "city-zh", Ask.COUNTED, "node_status", "4", lambda found: values(found) == [1]),
    "stuck": (at(2, 12), "environment-zh", Ask.FLAGGED, "noise", "noise_laeq_db_qc",
              lambda found: [cells["噪声 LAeq"] for cells in found[()].values()].count(1) >= 6),
    "spikes": (at(0, 9), "water-zh", Ask.FLAGGED, "water_level", "level_m_qc",
               lambda found: sum(cells["水位"] for cells in found[()].values()) >= 1),
    "sentinel": (at(3, 3), "environment-zh", Ask.TREND, "water_quality", "ph",
                 lambda found: set(found) == {("wq-01",)}),
    "sentinel, counted": (at(3, 3), "environment-zh", Ask.FLAGGED, "water_quality", "ph_qc",
                          lambda found: sum(cells["pH"] for cells in found[()].values()) >= 6),
    "no_value": (at(3, 12), "safety-zh", Ask.FLAGGED, "hazmat", "gas_lel_pct_qc",
                 lambda found: sum(cells["可燃气体"] for cells in found[()].values()) >= 6),
    "battery": (at(5, 12), "node-water_level-zh", Ask.TREND, "water_level", "battery_v",
                lambda found: 2.9 < min(values(found, "ys-15")) < max(values(found, "ys-15")) < 3.1),
    "counter_reset": (at(3, 13.5), "utilities-zh", Ask.RATE, "power_meter", "energy_wh",
                      lambda found: min(values(found)) >= 0 and max(values(found)) < 100_000
                      and len(found["meter-001",]) < len(found["meter-007",])),
    "lamp_by_day": (at(2, 12), "lighting-zh", Ask.SHARE, "streetlight", "lamp_on",
                    lambda found: set(values(found, "hongkou 虹口")) == {0}
                    and median(values(found, "yangpu")) == pytest.approx(100 / 3)),
    "outage": (at(4, 3.5), "pipeline-zh", Ask.TREND, "gateway", "backlog_age_s",
               lambda found: max(values(found, "gw-north")) > 2 * 3600 and max(values(found, "gw-south")) == 0),
    "outage, aged": (at(4, 3.9), "city-zh", Ask.PERCENTILE, "node_status", "95",
                     lambda found: values(found)[0][0] > 3 * 3600),
    "quarantined": (at(1, 21), "pipeline-zh", Ask.SUMMED, "gateway", "quarantined_readings",
                    lambda found: values(found)[0] > 0),
    "missing": (at(5, 8), "pipeline-zh", Ask.STATUS, "node_status", "missing",
                lambda found: set(found) == {("bay-001", "parking_bay", "yangpu")}),
    "dropped": (at(5, 16), "pipeline-zh", Ask.SUMMED, "gateway", "dropped_readings",
                lambda found: values(found)[0] == 18),
    "clock": (at(0, 18), "node-footfall-zh", Ask.FLAGGED, "footfall", "clock_qc",
              lambda found: sum(values(found)) >= 6),
    "flood": (at(6, 1), "water-zh", Ask.LATEST, "water_level", "level_m",
              lambda found: all(values(found, *key)[0] > 3.6 for key in found if key[0] in RIVER)),
    "flood, told": (at(5, 19), "alerts-zh", Ask.EPISODES, "episode", "end_ms",
                    lambda found: sum("洪水" in str(cells) for cells in found[()].values()) >= 3),
    "noisy_night": (at(1, 23.5), "environment-zh", Ask.TREND, "noise", "noise_laeq_db",
                    lambda found: min(values(found, "hongkou 虹口")) > 70 > max(values(found, "yangpu"))),
}  # fmt: skip
"""By label: an hour in it, the board, what it asks there, and what of the answer is the fault."""


def test_each_labelled_fault_has_a_board_that_shows_it() -> None:
    assert {label.partition(",")[0] for label in SEEN} == set(FAULTS)


@pytest.mark.parametrize("label", SEEN)
def test_the_fault_is_seen(city: City, label: str) -> None:
    start_ms, uid, form, kind, what, seen = SEEN[label]
    node = FAULTS[label.partition(",")[0]].nodes[0]
    shown = with_choice(hour(start_ms), BOARDS[uid], node)
    question = asked(uid, form, kind, what)
    answer = city.oracle.answer(question.signal, question.within(shown))
    assert not city.wrong(question, shown)
    assert seen(answer), answer


# ---- the lists to choose from, and the episodes along the time axis ------------------------------------


def test_the_lists_hold_what_there_is_to_choose(city: City) -> None:
    heard = {node: rows[0].node for node, rows in city.week.readings.items() if rows}
    tried = set()
    for board in BOARDS.values():
        for variable in board.to_dict()["templating"]["list"]:
            shown = with_choice(WEEK, board, district="hongkou 虹口")
            if variable["name"] in ("district", "gateway"):
                shown = WEEK
            if (variable["query"], variable["name"]) in tried:
                continue
            tried.add((variable["query"], variable["name"]))
            query = as_grafana_sends(variable["query"], shown)
            got = {row["value"] for row in city.store.rows(query)}
            kind = board.name.removeprefix("node-")
            nodes = [
                node
                for node in heard.values()
                if node.district in shown.chosen.get("district", {node.district})
                and (variable["name"] != "node" or node.site in shown.chosen.get("site", {node.site}))
                and kind in (board.name, node.kind)
            ]
            must = {
                node.id if variable["name"] == "node" else getattr(node, variable["name"]) for node in nodes
            }
            assert got == must, (board.uid, variable["name"], query)
    assert len(tried) >= 3


def test_the_episodes_stand_along_the_time_axis(city: City) -> None:
    for board in BOARDS.values():
        (annotation,) = board.to_dict()["annotations"]["list"]
        shown = with_choice(WEEK, board)
        query = annotation["target"]["query"]
        rows = city.store.rows(as_grafana_sends(query, shown))
        nodes = {node.id for node in city.week.nodes.values()}
        if '"node" =~' in query and "node" in shown.chosen:
            nodes &= shown.chosen["node"]
        must = {
            (episode.start_ms, episode.node.id, episode.end_ms)
            for episode in city.week.episodes
            if episode.node.id in nodes and _is_of(board, KINDS[episode.node.kind].system, query)
        }
        assert {(row["time"], row["node"], row["end_ms"]) for row in rows} == must, (board.uid, query)


def _is_of(board: Board, system: str, query: str) -> bool:
    return board.name not in {kind.system for kind in KINDS.values()} or board.name == system


# ---- a wrong query is caught ---------------------------------------------------------------------------

_NOISE = course(KINDS["noise"], "noise_laeq_db")
_LAMPS = course(KINDS["streetlight"], "energy_wh", "district")
_METER = course(KINDS["power_meter"], "energy_wh")
_RAIN = course(KINDS["rain_gauge"], "rain_mm")
_LEVEL = Signal(form=Ask.LATEST, kind="water_level", quantity="level_m", by=("node", "district"))
_TOTAL = Signal(form=Ask.TOTAL, kind="streetlight", quantity="power_w", by=("district",), over="interval")
_PH = course(KINDS["water_quality"], "ph")
_COVER = Signal(form=Ask.COVERAGE, kind="node_status", quantity="state", by=("system",), over="interval")
_SHARE = course(KINDS["streetlight"], "lamp_on")
_COUNTED = Signal(form=Ask.COUNTED, kind="node_status", quantity="state", equals=2)
_EPISODES = Signal(form=Ask.EPISODE_COUNT, kind="episode", quantity="level", over="1d")

MUTATIONS: dict[str, tuple[Signal, str, str]] = {
    "decibels averaged as numbers": (_NOISE, _NOISE.query, (
        'SELECT mean("noise_laeq_db") AS "value" FROM "noise" WHERE $timeFilter'
        ' AND "district" =~ /^${district:regex}$/ GROUP BY time($__interval), "node" fill(none)')),
    "energies cut to whole numbers": (_NOISE, "pow(10.0,", "pow(10,"),
    "all districts summed up": (_LAMPS, ', "district" fill(none)', " fill(none)"),
    "power averaged, not summed": (_TOTAL, 'sum("value")', 'mean("value")'),
    "a reset drawn as a fall": (_METER, "non_negative_derivative", "derivative"),
    "growth in ten minutes for growth in an hour": (_METER, "1h)", "10m)"),
    "rain averaged": (_RAIN, 'sum("rain_mm")', 'mean("rain_mm")'),
    "the first value for the newest": (_LEVEL, "last(", "first("),
    "the highest value for the newest": (_LEVEL, "last(", "max("),
    "rejected values drawn": (_PH, '"ph"', '"ph_rejected"'),
    "gaps filled with nought": (_PH, "fill(none)", "fill(0)"),
    "gaps filled with what was before": (_PH, "fill(none)", "fill(previous)"),
    "share as a fraction": (_SHARE, "* 100", "* 1"),
    "coverage in whole numbers": (_COVER, ".0", ""),
    "the district not asked for": (_PH, ' AND "district" =~ /^${district:regex}$/', ""),
    "points counted, not nodes": (_COUNTED, "last(", "count("),
    "days of Greenwich": (_EPISODES, " tz('Asia/Shanghai')", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_query_is_caught(city: City, name: str) -> None:
    signal, right, wrong = MUTATIONS[name]
    shown = Shown(
        start_ms=WEEK.start_ms,
        end_ms=WEEK.end_ms,
        interval_ms=TICK_MS if "ten minutes" in name or signal is _PH else HOUR_MS,
        chosen={"district": frozenset({"hongkou 虹口"})} if signal is _PH else {},
    )
    assert right in signal.query
    assert not city.compare(signal, shown)
    assert city.compare(signal, shown, signal.query.replace(right, wrong))


# ---- the week itself -----------------------------------------------------------------------------------


def test_the_week_has_sixty_four_nodes_of_every_kind_in_three_districts(city: City) -> None:
    nodes = city.week.nodes.values()
    assert len(nodes) == 64
    assert {node.kind for node in nodes} == set(KINDS)
    assert sum(node.kind == "water_level" for node in nodes) == 18
    assert len({node.district for node in nodes}) == 3


def test_the_accounts_of_the_week_balance_at_any_time(city: City) -> None:
    for status in city.week.statuses:
        produced, *others = (getattr(status, name) for name in ACCOUNT)
        assert produced == sum(others)
        assert min(others) >= 0


def test_each_fault_hits_its_nodes_and_no_fault_another_fate(city: City) -> None:
    assert all(set(fault.nodes) <= set(city.week.nodes) for fault in FAULTS.values())
    for fate in (Fate.DROPPED, Fate.QUARANTINED, Fate.MISSING):
        hit = {row.node.id for rows in city.week.readings.values() for row in rows if row.fate is fate}
        assert hit == set(FAULTS[fate.value].nodes)
    suspect = {row.node.id for row in city.week.stored("noise") if row.flag("noise_laeq_db") is Flag.SUSPECT}
    assert set(FAULTS["stuck"].nodes) <= suspect


def test_the_same_seed_gives_the_same_week_and_another_one_another(city: City) -> None:
    again, other = week_city(SEED), week_city(SEED + 1)
    for node in again.nodes[:40:8]:
        assert sensed(again, node) == city.week.readings[node.id]
        assert sensed(other, node) != city.week.readings[node.id]
