"""Line protocol out: the corpus, hostile text, and readings as the store shall see them."""

import base64
import gzip
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.errors import SeriesError
from edge.model.quality import Clock, Flag
from edge.protocol.lines import parse_lines
from edge.protocol.series import SeriesWriter, UInt, encode_point, reading_time_ns, series_head


def text(value: Any) -> str:
    """Return a corpus string, which is binary where it is not UTF-8."""
    if isinstance(value, dict):
        return base64.b64decode(value["binary"]).decode("utf-8", "surrogateescape")
    return str(value)


def field(value: dict[str, Any]) -> Any:
    """Return a corpus field's value."""
    ((kind, content),) = value.items()
    makers = {"float": float, "int": int, "uint": UInt, "bool": bool, "string": text}
    return makers[kind](content)


def test_the_corpus_encodes_to_lines_of_equal_meaning(shared_data: Path) -> None:
    corpus = json.loads(gzip.decompress((shared_data / "line-protocol-corpus/corpus.json.gz").read_bytes()))
    cases = corpus["encode"]
    assert len(cases) == 61
    equal = 0
    for key, case in cases.items():
        point = case["input"]["point"]
        tags = {text(tag["key"]): text(tag["value"]) for tag in point["tags"]}
        fields = {text(item["key"]): field(item["value"]) for item in point["fields"]}
        if "error" in case["output"]:
            with pytest.raises(SeriesError):
                encode_point(text(point["name"]), tags, fields, point["time"])
            continue
        line = encode_point(text(point["name"]), tags, fields, point["time"])
        expected = text(case["output"]["result"])
        equal += line == expected
        assert list(parse_lines(line)) == list(parse_lines(expected)), key
    assert equal > 0


def test_hostile_text_is_written_and_read_back_or_refused(shared_data: Path) -> None:
    strings = json.loads((shared_data / "naughty-strings/strings.json").read_text(encoding="utf-8"))
    written = 0
    for value in strings:
        try:
            line = encode_point("m", {"t": value}, {"f": value}, 1)
        except SeriesError:
            continue
        (point,) = parse_lines(line)
        assert dict(point.tags) == {"t": value} and dict(point.fields) == {"f": value}
        written += 1
    assert written > 200


@given(st.text(), st.text(), st.text(), st.text(), st.floats() | st.integers() | st.booleans() | st.text())
def test_any_point_is_one_line_that_says_the_same_or_is_refused(
    name: str, key: str, tag: str, field_key: str, value: Any
) -> None:
    try:
        line = encode_point(name, {key: tag}, {field_key: value}, 1)
    except SeriesError:
        return
    (point,) = parse_lines(line)
    assert (point.measurement, dict(point.tags)) == (name, {key: tag})
    assert dict(point.fields) == {field_key: value}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**63, "\x00", "\ud800"])
def test_what_no_store_can_hold_is_refused(value: Any) -> None:
    with pytest.raises(SeriesError):
        encode_point("m", {}, {"f": value}, 1)


@pytest.mark.parametrize("bad", ["", "a\nb", "a\r", "a\x00", "a\\"])
def test_a_tag_that_would_break_the_line_is_refused(bad: str) -> None:
    with pytest.raises(SeriesError):
        encode_point("m", {"t": bad}, {"f": 1.0}, 1)


def test_a_reading_is_one_line_with_its_quality() -> None:
    head = series_head("water_level", {"site": "YS 07", "node": "ys-07", "district": "yangpu"})
    writer = SeriesWriter(["level_m", "battery_v", "rssi_dbm"])
    line = writer.line(
        head, [3.12, -9999.0, None], [Flag.PASS, Flag.FAIL, Flag.MISSING], 1_760_000_000_000_000_000
    )
    assert line == (
        r"water_level,district=yangpu,node=ys-07,site=YS\ 07 "
        "level_m=3.12,battery_v_rejected=-9999.0,battery_v_qc=4i,rssi_dbm_qc=9i 1760000000000000000"
    )


def test_a_doubtful_value_stays_in_the_chart_and_is_marked() -> None:
    writer = SeriesWriter(["noise_laeq_db"])
    line = writer.line("noise,node=n-01", [61.5], [Flag.SUSPECT], 1, Clock.ESTIMATED)
    assert line == "noise,node=n-01 noise_laeq_db=61.5,noise_laeq_db_qc=3i,clock_qc=3i 1"


def test_a_trusted_clock_gives_the_exact_millisecond() -> None:
    assert reading_time_ns(1_760_000_000_123, 1, 77, Clock.SYNCED) == 1_760_000_000_123_000_000


def test_readings_of_one_millisecond_do_not_collapse_when_the_clock_is_in_doubt() -> None:
    numbers = [(boot, seq) for boot in range(1, 40) for seq in range(1000)]
    times = {reading_time_ns(1_760_000_000_123, boot, seq, Clock.ESTIMATED) for boot, seq in numbers}
    assert len(times) == len(numbers)
    assert {time // 1_000_000 for time in times} == {1_760_000_000_123}
    assert 1_760_000_000_123_000_000 not in times


def test_nor_do_those_of_many_starts_with_their_random_parts() -> None:
    chance = random.Random(1)
    boots = [start * 10_000 + chance.randrange(10_000) for start in range(1, 200)]
    numbers = [(boot, seq) for boot in boots for seq in range(1000)]
    times = {reading_time_ns(1_760_000_000_123, boot, seq, Clock.UNKNOWN) for boot, seq in numbers}
    assert len(times) == len(numbers)
