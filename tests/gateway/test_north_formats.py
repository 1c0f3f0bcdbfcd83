"""What a reading is called in the north: every value and mark of its line, in SenML and in Sparkplug B."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from north_rig import Said, SparkplugReader, read_senml

from edge.adapters.senml.pack import read
from edge.adapters.sparkplug.messages import rebirth
from edge.model.quality import Clock, Flag
from edge.model.quantities import QUANTITIES
from edge.protocol.series import SeriesWriter, reading_time_ns, series_head
from gateway.north.batch import MOST_READINGS, Batch
from gateway.north.config import NorthConfig
from gateway.north.formats.senml import SenmlFormat
from gateway.north.formats.sparkplug import SparkplugFormat
from gateway.north.reading import Origin, Reading, Sample, read_line
from gateway.onward import Row

T_MS = 1_790_000_000_123
NAMES = ("level_m", "battery_v", "water_temperature_c", "rssi_dbm")
HEAD = series_head("water_level", {"district": "yangpu", "node": "ys-07", "site": "b/1+"})
CONFIG = {"name": "province", "url": "mqtt://x"}


def line(
    values: Sequence[float | None],
    flags: Sequence[Flag],
    clock: Clock = Clock.SYNCED,
    more: Sequence[str] = (),
    seq: int = 0,
) -> str:
    """Return a line as the gateway writes it."""
    time_ns = reading_time_ns(T_MS + seq * 1000, 1, seq, clock)
    return SeriesWriter(NAMES[: len(values)]).line(HEAD, values, flags, time_ns, clock, more)


ALL_MARKS = line(
    [1.5, -3.0, None, 7.0],
    [Flag.PASS, Flag.FAIL, Flag.MISSING, Flag.SUSPECT],
    Clock.ESTIMATED,
    ["level_m_raw=1.25", "rssi_dbm_prior_qc=3i"],
)


@given(
    st.lists(
        st.tuples(
            st.floats(-1e9, 1e9), st.sampled_from([Flag.PASS, Flag.SUSPECT, Flag.FAIL, Flag.NOT_EVALUATED])
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(Clock),
    st.integers(0, 1000),
)
def test_a_line_is_read_back_as_it_was_meant(samples: list[tuple[float, Flag]], clock: Clock, seq: int) -> None:
    values, flags = zip(*samples, strict=True)
    origin, found = read_line(line(values, flags, clock, seq=seq))
    assert origin == ("water_level", "ys-07", "yangpu", "b/1+")
    assert found == Reading(
        reading_time_ns(T_MS + seq * 1000, 1, seq, clock),
        clock,
        tuple(Sample(name, *sample) for name, sample in zip(NAMES, samples, strict=False)),
    )


@pytest.mark.parametrize("form", ["senml-json", "senml-cbor"])
def test_senml_says_all_that_the_store_gets_under_the_same_names(form: str) -> None:
    config = NorthConfig(**CONFIG, format=form, topic="{gateway}/{district}/{site}/{node}")  # type: ignore[arg-type]
    ((topic, payload),) = SenmlFormat(config, "gw-01", 0).encode(*_said(ALL_MARKS), 0)
    assert topic == "gw-01/yangpu/b_1_/ys-07"  # what no topic may hold is replaced
    assert read_senml(topic, payload) == [
        Said("ys-07", name, T_MS, value)
        for name, value in [
            ("level_m", 1.5), ("battery_v_rejected", -3.0), ("rssi_dbm", 7.0), ("battery_v_qc", 4),
            ("water_temperature_c_qc", 9), ("rssi_dbm_qc", 3), ("clock_qc", 3), ("level_m_raw", 1.25),
            ("rssi_dbm_prior_qc", 3),
        ]
    ]  # fmt: skip
    units = {record.name.rpartition("/")[2]: record.unit for record in read(payload)}
    assert units["level_m"] == units["level_m_raw"] == "m" and units["clock_qc"] == ""
    assert units["battery_v_rejected"] == QUANTITIES["battery_v"].unit


def test_senml_json_is_compact_and_keeps_numbers_as_they_are() -> None:
    plain = line([1.5, 3.71], [Flag.PASS, Flag.PASS])
    ((_, payload),) = SenmlFormat(NorthConfig(**CONFIG), "gw-01", 0).encode(*_said(plain), 0)  # type: ignore[arg-type]
    assert json.loads(payload) == [
        {"bn": "ys-07/", "bt": T_MS / 1000, "n": "level_m", "u": "m", "v": 1.5},
        {"n": "battery_v", "u": "V", "v": 3.71},
    ]


def test_the_page_shows_what_is_really_said() -> None:
    page = (Path(__file__).parents[2] / "docs/north.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^    (water_level,.*)$", page, re.MULTILINE)
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    ((topic, payload),) = SenmlFormat(NorthConfig(**CONFIG), "gw-01", 0).encode(*_said(text), 0)  # type: ignore[arg-type]
    assert json.loads(payload) == json.loads(shown) and f"`{topic}`" in page


def test_sparkplug_is_born_before_it_speaks_and_tells_good_from_bad() -> None:
    reader, words = SparkplugReader(), SparkplugFormat(NorthConfig(**CONFIG), "gw-01", 258)  # type: ignore[arg-type]
    assert words.will(0).topic == "spBv1.0/city/NDEATH/gw-01"  # type: ignore[union-attr]
    plain, all_marks = line([1.5, 3.71], [Flag.PASS, Flag.PASS]), ALL_MARKS
    messages = words.begin(0)
    for said in (plain, plain, all_marks):
        messages += words.encode(*_said(said, waited=said is plain), 0)
    verbs = [message.topic.split("/")[2] for message in messages]
    assert verbs == ["NBIRTH", "DBIRTH", "DDATA", "DDATA", "DBIRTH", "DDATA"]  # new metrics are announced too
    found = [said for message in messages for said in reader(*message)]
    assert found[:2] == [
        Said("ys-07", "level_m", T_MS, 1.5, None, True),
        Said("ys-07", "battery_v", T_MS, 3.71, None, True),
    ]
    assert [(said.name, said.value, said.quality) for said in found[4:]] == [
        ("level_m", 1.5, None), ("battery_v", -3.0, 0), ("water_temperature_c", None, 0),
        ("rssi_dbm", 7.0, 192), ("battery_v_qc", 4, None), ("water_temperature_c_qc", 9, None),
        ("rssi_dbm_qc", 3, None), ("clock_qc", 3, None), ("level_m_raw", 1.25, None),
        ("rssi_dbm_prior_qc", 3, None),
    ]  # fmt: skip
    assert reader.bd_seqs == [258 % 256]


def test_a_rebirth_names_all_devices_and_begins_the_sequence_anew() -> None:
    reader, words = SparkplugReader(), SparkplugFormat(NorthConfig(**CONFIG), "gw-01", 0)  # type: ignore[arg-type]
    plain = line([1.5], [Flag.PASS])
    messages = words.begin(0)
    for now_ms in range(300):  # seq wraps at 256
        messages += words.encode(*_said(plain), now_ms)
    messages += words.hear(*rebirth("city", "gw-01", 0), 400)
    assert [message.topic.split("/")[2] for message in messages[-2:]] == ["NBIRTH", "DBIRTH"]
    messages += words.encode(*_said(plain), 400)
    assert len([said for message in messages for said in reader(*message)]) == 301
    assert words.hear(*rebirth("city", "gw-02", 0), 1) == []


def test_a_parcel_is_of_one_node_and_no_longer_than_brokers_take() -> None:
    plain = [line([1.5], [Flag.PASS], seq=seq) for seq in range(MOST_READINGS + 1)]
    other = plain[0].replace("ys-07", "ys-08")
    batch = Batch([Row(1, 5, 3, 9, [plain[0], other, "nonsense"]), Row(2, 15, 1, 9, plain[1:])], 10)
    assert [len(parcel.readings) for parcel in batch.parcels] == [MOST_READINGS, 1, 1]
    assert [reading.waited for reading in batch.parcels[0].readings[:2]] == [True, False]
    settlement = batch.settlement()
    assert (settlement.gone, settlement.given_up) == ([], {"not_encoded": 1})
    assert [(row, len(left)) for row, left in settlement.left] == [(1, 2)]


def _said(text: str, *, waited: bool = False) -> tuple[Origin, list[Reading]]:
    origin, reading = read_line(text, waited=waited)
    return origin, [reading]
