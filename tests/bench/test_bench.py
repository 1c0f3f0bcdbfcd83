"""The bench measures what it says: its packets, packs and lines are real, and its page tells what was found."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bench.bare import bodies
from bench.chart import bars
from bench.fleet import COLUMNS, KIND, Course, Fleet
from bench.live import FLEET as LIVE
from bench.live import Live
from bench.load import CONNECTIONS, Load, Order, chunks, packet
from bench.report import UNKNOWN, Found, number, page, summary
from bench.results import medians, percentile, spread
from bench.rigs import Rig, wait_for
from bench.usage import Meter, cpu_s, memory_mb
from edge.protocol.lines import parse_lines
from edge.protocol.wire import decode_birth, decode_pack
from gateway.intake import check_birth

START_MS = 1_760_000_000_000
FLEET = Fleet(count=8)


def course(rounds: int = 2, rows: int = 3, form: str = "native") -> Course:
    return Course(fleet=FLEET, rounds=rounds, rows=rows, start_ms=START_MS, form=form)


def test_births_are_believed() -> None:
    for name, payload in FLEET.births():
        birth = decode_birth(payload)
        check_birth(birth, name.split("/")[2])
        assert birth.columns == COLUMNS


def test_a_course_numbers_its_readings_without_a_gap() -> None:
    packs = [decode_pack(payload) for _, payload in course().messages_of()]
    assert [pack.seq0 for pack in packs] == [0] * 8 + [3] * 8
    assert sum(len(pack.rows) for pack in packs) == course().readings == 48
    times = [pack.t0_ms + row[0] for pack in packs[::8] for row in pack.rows]
    assert times == [START_MS + 1000 * n for n in range(6)]


@pytest.mark.parametrize(("form", "each"), [("reading", 1), ("value", len(COLUMNS))])
def test_a_script_gets_the_same_readings_as_json(form: str, each: int) -> None:
    sent = list(course(rows=1, form=form).messages_of())
    assert len(sent) == course(rows=1, form=form).messages == 16 * each


def test_the_bare_writer_writes_every_value_of_every_reading() -> None:
    points = [point for body in bodies(course()) for point in parse_lines(body)]
    assert len(points) == course().readings
    assert all([name for name, _ in point.fields] == list(KIND.quantities) for point in points)


def test_a_long_packet_says_its_length_in_two_bytes() -> None:
    made = packet(("a/b", bytes(200)), 258)
    assert made[:3] == bytes([0x32, 207 & 127 | 128, 207 >> 7])
    assert made[3:10] == b"\x00\x03a/b\x01\x02"
    assert packet(("a/b", b""), 1, retain=True)[0] == 0x33


def test_a_node_keeps_to_one_connection_and_nothing_is_left_out() -> None:
    lanes = chunks(course().messages_of(), 3)
    assert len(lanes) == CONNECTIONS
    assert [sum(count for count, _ in lane) for lane in lanes] == [4] * CONNECTIONS
    assert [b"".join(data for _, data in lane).count(b"n-000001") for lane in lanes] == [0, 2, 0, 0]


def test_medians_and_percentiles_are_values_that_were_measured() -> None:
    runs = [{"a": 1.0}, {"a": 9.0}, {"a": 2.0, "b": 5.0}]
    assert medians(runs) == {"a": 2.0, "b": 5.0}
    assert spread(runs, "a") == (1.0, 9.0)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 1001)], 0.999) == 999.0


def test_the_kernel_tells_what_a_process_used() -> None:
    meter = Meter({"me": os.getpid()})
    begun_s = cpu_s(os.getpid())
    while cpu_s(os.getpid()) < begun_s + 0.05:
        sum(range(10_000))
    assert meter.read()["me"] > 0.04
    assert memory_mb(os.getpid())["rss"] >= memory_mb(os.getpid())["pss"] > 1


def found(**runs: Any) -> Found:
    document = {
        "runs": runs, "command": "make bench", "time": "2026-01-01 00:00",
        "machine": {"cpu": "A CPU", "cores": 2, "memory_gb": 4, "kernel": "6.1"},
        "versions": {"City Neuron": "0.1.0", "Python": "3.11"},
    }  # fmt: skip
    return Found({"throughput": document})


def test_the_page_compares_within_a_run_and_says_what_was_not_measured() -> None:
    ours = [{"messages_per_s": rate, "wall_s": 1.0} for rate in (900.0, 1000.0, 1300.0)]
    rows = summary(found(**{"ours 1x6": ours, "script value": [{"messages_per_s": 500.0}]})).splitlines()
    assert rows[2].startswith("| messages/s, packs of 1 reading x 6 | 1,000 (900 to 1,300) | 500: script")
    assert rows[2].endswith("| 2.00 |")
    assert UNKNOWN in rows[3]


def test_the_page_has_a_place_for_every_table() -> None:
    text = page(found(**{"ours 1x6": [{"messages_per_s": 1.0, "readings_per_s": 1.0, "wall_s": 1.0}]}))
    assert "**City Neuron**, packs of 1 reading x 6" in text
    assert "A CPU; 2 cores" in text
    assert "$" not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (123_456.0, "123,500"),
        (1234.0, "1,230"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.0123, "0.012"),
    ],
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_the_longest_bar_stays_within_the_picture() -> None:
    drawn = bars("A & B", [("ours", 200.0, True), ("theirs", 100.0, False)])
    assert 'width="380"' in drawn and 'width="190"' in drawn and "A &amp; B" in drawn


@pytest.mark.real
def test_a_small_run_stores_exactly_what_was_sent_and_sees_live_readings_come() -> None:
    with Rig() as rig:
        gateway = rig.gateway("gw1", [FLEET, LIVE])
        probes = Live(rig, 100.0)
        load = rig.load(Load(Order(port=rig.broker.port, births=FLEET, courses=(course(),))))
        load.births()
        wait_for(lambda: gateway.knows(FLEET.count + LIVE.count), "births are known")
        probes.start()
        load.go()
        assert load.done()["wall_s"] > 0
        assert probes.first_after(0, 30.0) > 0
        probes.stop()
        rig.until_stored(course().readings + len(probes.sent))
        assert set(probes.ages_s) == set(probes.sent)
        assert 0 < min(probes.ages()) <= max(probes.ages()) < 60
        gateway.stop()
