"""One contract for every store: the embedded one, and InfluxQL on InfluxDB 1.x (the real one), 2.x and 3.x."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from stores_peers.contract import TOKEN, InfluxDB2, InfluxDB3
from stores_peers.place import serve

from cloud.errors import StoreRejected
from cloud.stores import STORES
from cloud.stores.embedded import EmbeddedStore
from cloud.stores.influxql import InfluxQLStore
from cloud.stores.protocol import Aggregate, Latest, Span, Step, Store
from edge.protocol.lines import Point, parse_lines

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT_MS = int(datetime(2026, 6, 1, tzinfo=SHANGHAI).timestamp() * 1_000)
DAY = Span(start_ms=MIDNIGHT_MS, end_ms=MIDNIGHT_MS + 86_400_000)
HOSTILE = "Robert'); DROP TABLE \"series\";--\\x, ='水"


CONTRACTS = {"influxql 2.x": InfluxDB2, "influxql 3.x": InfluxDB3}


@pytest.fixture(params=[*sorted(STORES), *CONTRACTS])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            made = EmbeddedStore(tmp_path / "store.db", timezone=SHANGHAI)
        elif request.param == "influxql":
            influxdb = request.getfixturevalue("influxdb")
            made = InfluxQLStore(influxdb.url, "city", timezone=SHANGHAI)
        else:
            server = CONTRACTS[request.param](request.getfixturevalue("influxdb"))
            url = await serve(stack, server.app)
            made = InfluxQLStore(url, "city", timezone=SHANGHAI, secret=TOKEN)
        await made.open()
        yield made
        await made.close()


def at(minutes: float) -> int:
    """Return the time that many minutes after midnight in Shanghai, epoch milliseconds."""
    return MIDNIGHT_MS + int(minutes * 60_000)


def stage(node: str, minutes: float, fields: str, kind: str = "water_level") -> list[Point]:
    """Return one point of a node."""
    return parse_lines(f"{kind},district=yangpu,node={node},site=a {fields} {at(minutes)}", precision="ms")


async def test_an_empty_store_answers_with_nothing(store: Store) -> None:
    step = Step(step_s=60)
    assert await store.check()
    assert await store.latest() == []
    assert await store.latest(["water_level"], "water-1") == []
    assert await store.readings("water_level", "water-1", "level_m", DAY) == []
    assert await store.summary("water_level", "level_m", DAY, step) == []
    assert await store.count("water_level", "level_m", DAY) == 0
    await store.write([])


async def test_readings_come_back_in_the_order_of_time(store: Store) -> None:
    for minutes in (3, 1, 2):
        await store.write(stage("water-1", minutes, f"level_m={minutes}.5"))
    found = await store.readings("water_level", "water-1", "level_m", DAY)
    assert found == [(at(1), 1.5), (at(2), 2.5), (at(3), 3.5)]


async def test_a_span_takes_its_start_and_leaves_its_end(store: Store) -> None:
    await store.write([*stage("water-1", 1, "level_m=1"), *stage("water-1", 2, "level_m=2")])
    span = Span(start_ms=at(1), end_ms=at(2))
    assert await store.readings("water_level", "water-1", "level_m", span) == [(at(1), 1.0)]
    assert await store.count("water_level", "level_m", span) == 1


async def test_the_same_reading_again_changes_nothing(store: Store) -> None:
    points = [point for minutes in range(50) for point in stage("water-1", minutes, f"level_m={minutes}")]
    for _ in range(3):
        await store.write(points)
    assert await store.count("water_level", "level_m", DAY) == 50
    assert len(await store.readings("water_level", "water-1", "level_m", DAY)) == 50


async def test_a_rewrite_corrects_its_fields_and_keeps_the_others(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1,battery_v=3.7"))
    await store.write(stage("water-1", 1, "level_m=2,rssi_dbm=-70"))
    (reading,) = await store.latest()
    assert reading.values == {"level_m": 2.0, "battery_v": 3.7, "rssi_dbm": -70.0}


async def test_the_last_of_one_batch_wins_whatever_fields_it_has(store: Store) -> None:
    await store.write(
        [
            *stage("water-1", 1, "level_m=1"),
            *stage("water-1", 1, "level_m=2,battery_v=3"),
            *stage("water-1", 1, "level_m=3"),
        ]
    )
    (reading,) = await store.latest()
    assert reading.values == {"level_m": 3.0, "battery_v": 3.0}


async def test_the_latest_is_one_row_with_its_own_time(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1,battery_v=3.7"))
    await store.write(stage("water-1", 2, "level_m=2,rssi_dbm_rejected=-300,rssi_dbm_qc=4i,level_m_qc=3i"))
    (reading,) = await store.latest()
    assert reading == Latest(
        node="water-1",
        kind="water_level",
        time_ns=at(2) * 1_000_000,
        values={"level_m": 2.0},
        qc={"rssi_dbm": 4, "level_m": 3},
        rejected={"rssi_dbm": -300.0},
    )


async def test_the_latest_can_be_asked_by_kind_node_and_age(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1") + stage("water-2", 9, "level_m=2"))
    await store.write(stage("noise-1", 5, "noise_laeq_db=55", kind="noise"))

    async def nodes(**asked: object) -> list[str]:
        return sorted(reading.node for reading in await store.latest(**asked))  # type: ignore[arg-type]

    assert await nodes() == ["noise-1", "water-1", "water-2"]
    assert await nodes(kinds=["water_level"]) == ["water-1", "water-2"]
    assert await nodes(node="water-2") == ["water-2"]
    assert await nodes(kinds=["noise"], node="water-2") == []
    assert await nodes(since_ms=at(5)) == ["noise-1", "water-2"]


async def test_an_old_reading_that_arrives_late_is_not_the_latest(store: Store) -> None:
    await store.write(stage("water-1", 5, "level_m=5"))
    await store.write(stage("water-1", 1, "level_m=1"))
    (reading,) = await store.latest()
    assert reading.time_ms == at(5)


async def test_a_node_that_was_moved_keeps_its_past(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1"))
    await store.write(
        parse_lines(f"water_level,district=hongkou,node=water-1,site=b level_m=2 {at(2)}", precision="ms")
    )
    assert await store.readings("water_level", "water-1", "level_m", DAY) == [(at(1), 1.0), (at(2), 2.0)]
    (reading,) = await store.latest()
    assert reading.values == {"level_m": 2.0}


@pytest.mark.parametrize(
    ("aggregate", "first", "second"),
    [
        (Aggregate.MEAN, 2.5, 7.0),
        (Aggregate.MIN, 1.0, 6.0),
        (Aggregate.MAX, 4.0, 8.0),
        (Aggregate.SUM, 10.0, 21.0),
        (Aggregate.COUNT, 4, 3),
        (Aggregate.LAST, 4.0, 8.0),
    ],
)
async def test_windows_have_one_value_each(
    store: Store, aggregate: Aggregate, first: float, second: float
) -> None:
    values = {1: 1.0, 4: 3.0, 9: 2.0, 14.99: 4.0, 30: 6.0, 31: 7.0, 44: 8.0}
    await store.write(
        [p for minutes, level in values.items() for p in stage("water-1", minutes, f"level_m={level}")]
    )
    await store.write(stage("water-2", 2, "level_m=99"))
    found = await store.readings(
        "water_level", "water-1", "level_m", DAY, Step(step_s=900, aggregate=aggregate)
    )
    assert found == [(at(0), first), (at(30), second)]  # a window without readings is left out


async def test_decibels_are_averaged_as_energies(store: Store) -> None:
    await store.write(
        stage("noise-1", 1, "noise_laeq_db=50", kind="noise")
        + stage("noise-1", 2, "noise_laeq_db=70", kind="noise")
    )
    step = Step(step_s=3_600, aggregate=Aggregate.ENERGY)
    ((time_ms, level_db),) = await store.readings("noise", "noise-1", "noise_laeq_db", DAY, step)
    assert time_ms == at(0)
    assert level_db == pytest.approx(10 * math.log10((1e5 + 1e7) / 2))
    assert await store.summary("noise", "noise_laeq_db", DAY, step) == [(time_ms, pytest.approx(level_db))]


async def test_a_window_of_a_day_is_a_day_of_the_city(store: Store) -> None:
    day_before = MIDNIGHT_MS - 86_400_000
    for minutes, level in ((-1, 1.0), (0, 2.0), (1_439, 4.0), (1_440, 8.0)):
        await store.write(stage("water-1", minutes, f"level_m={level}"))
    span = Span(start_ms=at(-600), end_ms=at(2_000))
    for aggregate in (Aggregate.SUM, Aggregate.ENERGY):
        step = Step(step_s=86_400, aggregate=aggregate)
        found = await store.readings("water_level", "water-1", "level_m", span, step)
        assert [time_ms for time_ms, _ in found] == [day_before, at(0), at(1_440)]
    days = Step(step_s=86_400, aggregate=Aggregate.SUM)
    found = await store.summary("water_level", "level_m", span, days)
    assert found == [(day_before, 1.0), (at(0), 6.0), (at(1_440), 8.0)]


async def test_a_summary_is_over_all_nodes_of_the_kind(store: Store) -> None:
    for node, level in (("water-1", 1.0), ("water-2", 2.0), ("water-3", 6.0)):
        await store.write(stage(node, 1, f"level_m={level}"))
    await store.write(stage("manhole-1", 1, "level_m=99", kind="manhole"))
    assert await store.summary("water_level", "level_m", DAY, Step(step_s=60)) == [(at(1), 3.0)]


async def test_names_and_tags_of_any_kind_are_only_names(store: Store) -> None:
    points = [
        Point(
            HOSTILE,
            (("node", HOSTILE), ("site", HOSTILE)),
            ((HOSTILE, 1.5), ("Level", 2.0), ("level", 3.0)),
            at(1) * 1_000_000,
        )
    ]
    await store.write(points)
    await store.write(stage("water-1", 1, "level_m=1"))
    assert await store.readings(HOSTILE, HOSTILE, HOSTILE, DAY) == [(at(1), 1.5)]
    assert await store.readings(HOSTILE, HOSTILE, "Level", DAY) == [(at(1), 2.0)]
    assert await store.readings(HOSTILE, HOSTILE, "level", DAY) == [(at(1), 3.0)]
    (reading,) = await store.latest([HOSTILE], HOSTILE)
    assert reading.values == {HOSTILE: 1.5, "Level": 2.0, "level": 3.0}
    assert len(await store.latest()) == 2


async def test_values_of_every_type_come_back(store: Store) -> None:
    await store.write(stage("water-1", 1, 'level_m=1.25,lamp_on=true,seen=7i,text="水 \\"\\\\"'))
    (reading,) = await store.latest()
    assert reading.values == {"level_m": 1.25, "lamp_on": True, "seen": 7, "text": '水 "\\'}
    assert reading.values["lamp_on"] is True


async def test_a_field_keeps_its_type(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1"))
    with pytest.raises(StoreRejected, match="level_m"):
        await store.write(stage("water-1", 2, "level_m=2i"))
    assert await store.count("water_level", "level_m", DAY) == 1


async def test_readings_within_one_millisecond_stay_apart(store: Store) -> None:
    head = "water_level,node=water-1"
    await store.write(parse_lines("\n".join(f"{head} level_m={n} {at(1) * 10**6 + n}" for n in range(1, 6))))
    assert await store.count("water_level", "level_m", DAY) == 5
    (reading,) = await store.latest()
    assert (reading.time_ms, reading.values) == (at(1), {"level_m": 5.0})


async def test_times_before_1970_are_times(store: Store) -> None:
    moment = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    time_ms = int(moment.timestamp() * 1_000)
    await store.write(parse_lines(f"water_level,node=water-1 level_m=1 {time_ms}", precision="ms"))
    span = Span(start_ms=time_ms - 1_000, end_ms=time_ms + 1_000)
    assert await store.readings("water_level", "water-1", "level_m", span) == [(time_ms, 1.0)]
    hour_ms = int((moment - timedelta(minutes=17)).timestamp() * 1_000)
    assert await store.summary("water_level", "level_m", span, Step(step_s=3_600)) == [(hour_ms, 1.0)]


async def test_a_large_batch_is_whole(store: Store) -> None:
    points = [
        point
        for minutes in range(1_440)
        for node in range(8)
        for point in stage(f"water-{node}", minutes, f"level_m={node},battery_v=3.7")
    ]
    await store.write(points)
    assert await store.count("water_level", "level_m", DAY) == 8 * 1_440
    assert len(await store.latest()) == 8


async def test_whole_rows_come_back_series_by_series(store: Store) -> None:
    await store.write(
        stage("water-1", 2, "level_m=2,rssi_dbm=-70") + stage("water-1", 1, "level_m=1,level_m_qc=3i")
    )
    await store.write(stage("water-2", 3, "level_m_rejected=9,level_m_qc=4i"))
    found = {dict(series.tags)["node"]: series for series in await store.rows("water_level", DAY)}
    assert found["water-1"].tags == (("district", "yangpu"), ("node", "water-1"), ("site", "a"))
    assert list(found["water-1"].times_ms) == [at(1), at(2)]
    columns = {name: list(values) for name, values in found["water-1"].fields.items() if any(values)}
    assert columns == {"level_m": [1.0, 2.0], "level_m_qc": [3, None], "rssi_dbm": [None, -70.0]}
    assert list(found["water-2"].fields["level_m_rejected"]) == [9.0]
    assert await store.rows("water_level", Span(start_ms=at(4), end_ms=at(9))) == []
    assert await store.rows("noise", DAY) == []


async def test_it_is_known_how_much_there_is_in_each_window(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1,rssi_dbm=-70") + stage("water-2", 59, "level_m=1"))
    await store.write(stage("water-1", 125, "level_m=1,level_m_qc=3i"))
    assert await store.amounts("water_level", DAY, 3_600) == {at(0): 3, at(120): 2}
    assert await store.amounts("noise", DAY, 3_600) == {}


async def test_the_last_value_before_a_time_is_found_for_each_series(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1") + stage("water-1", 2, "level_m=2"))
    await store.write(stage("water-1", 3, "rssi_dbm=-70") + stage("water-2", 9, "level_m=9"))
    found = await store.before("water_level", "level_m", Span(start_ms=at(0), end_ms=at(9)))
    assert {dict(tags)["node"]: value for tags, value in found.items()} == {"water-1": 2.0}
    assert await store.before("noise", "noise_laeq_db", DAY) == {}


async def test_pruning_takes_what_is_older_and_no_more(store: Store) -> None:
    await store.write(stage("water-1", 1, "level_m=1") + stage("water-1", 2, "level_m=2"))
    await store.prune(at(2))
    left = await store.readings("water_level", "water-1", "level_m", DAY)
    assert left[-1] == (at(2), 2.0)
    assert (len(left) == 1) == (store.kind == "embedded")  # a database has its retention instead
