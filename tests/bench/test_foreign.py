"""The bench of foreign devices: its tables are read, its meters answer as meters do."""

from __future__ import annotations

import tomllib

from bench.foreign import DEAD, LINES, LOGGERS, METERS, PERIOD_S, STATIONS, Foreign, Meters, crc, sources
from bench.report import Found, foreign
from edge.adapters.modbus.poller import ModbusPoller
from gateway.sources.check import check
from gateway.sources.config import read_sources


def test_its_tables_are_read_and_name_every_device_of_the_brief() -> None:
    text = sources(9001, 9002, [9003 + line for line in range(LINES)])
    found = read_sources(tomllib.loads(text)["source"], "bench")
    assert [len(source.devices) for source in found] == [LOGGERS, STATIONS, *[METERS] * LINES]
    assert {device.node for source in found for device in source.devices} == {
        node.id for node in Foreign().nodes()
    }
    assert check(text, tomllib.loads(text), "bench")[1] == []


def test_its_meters_are_understood_and_one_is_dead() -> None:
    text = sources(1, 2, [3])
    devices = read_sources(tomllib.loads(text)["source"], "bench")[2].devices
    line = Meters()
    for device in devices:
        (exchange,) = ModbusPoller(device.id, device.options).exchanges()
        assert line.feed(exchange.request[:3]) == []
        answers = line.feed(exchange.request[3:])
        assert bool(answers) == (device.id != str(DEAD))
        for answer in answers:
            values = exchange.read(answer.data)
            assert values is not None and values[0] == ("voltage_v", 230.1, values[0].flag)
            assert 0.05 < answer.after_s < 0.1


def test_lateness_is_what_a_period_was_exceeded_by() -> None:
    line = Meters(asked={1: [0.0, PERIOD_S, 2 * PERIOD_S + 0.3], 2: [1.0, PERIOD_S], DEAD: [0.0, 99.0]})
    assert round(line.late_s(), 6) == 0.3


def test_its_crc_is_that_of_modbus() -> None:
    assert crc(bytes.fromhex("010300030001")) == bytes.fromhex("740A")


def test_the_page_shows_both_ways_beside_each_other() -> None:
    run = {"reports": 15_000, "unanswered": 0, "answer_p99_ms": 34.2, "late_most_ms": 20.1}
    text = foreign(Found({"foreign": {"runs": {"spread": [run], "at once": [run]}}}))
    assert "| not answered | 0 | 0 |" in text and "| answered within, p99 | 34.2 ms | 34.2 ms |" in text
