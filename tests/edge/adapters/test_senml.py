"""SenML: the RFC's examples, and packs there and back; units become the catalogue's."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case, Hear
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value
from edge.adapters.senml import SenmlOptions
from edge.adapters.senml.pack import LABELS, Record, absolute_s, read
from edge.adapters.senml.units import registered, to_quantity
from edge.adapters.senml.writing import CBOR, JSON, encode
from edge.model.errors import ConfigError

NOW_S = 1_790_000_000.0
DEVICE = "urn:dev:ow:10e2073a01080063"


def pack(*rows: dict[str, Any]) -> bytes:
    return json.dumps(rows).encode()


def hearing(known: dict[str, SenmlOptions] | None = None) -> Hear:
    hear = adapter("senml").hear
    assert hear is not None
    return hear(known or {}, lambda: round(NOW_S * 1000))


def refused(payload: bytes) -> str:
    with pytest.raises(FrameError) as caught:
        read(payload)
    return caught.value.reason


@pytest.mark.parametrize("example", ["ex1", "ex2", "ex3", "ex4", "ex7", "ex9"])
def test_the_examples_resolve_as_the_rfc_has_them(shared_data: Path, example: str) -> None:
    folder = shared_data / "senml-rfc8428"
    resolved = json.loads((folder / f"{example}.gen.resolved.json").read_text())
    records = [record for record in read((folder / f"{example}.gen.json").read_bytes()) if record.data is None]
    now_s = resolved[0]["t"]  # where the example tells no time it was resolved at this one
    assert len(records) == len(resolved)
    for record, expected in zip(records, resolved, strict=True):
        assert record.name == expected["n"]
        assert record.unit == expected.get("u", "")
        assert math.isclose(absolute_s(record, now_s), expected["t"], abs_tol=1e-6)
        assert (record.number, record.text, record.truth) == tuple(
            expected.get(key) for key in ("v", "vs", "vb")
        )


def test_the_binary_example_says_what_the_textual_one_says(shared_data: Path) -> None:
    folder = shared_data / "senml-rfc8428"
    assert read((folder / "ex3.gen.cbor").read_bytes()) == read((folder / "ex3.gen.json").read_bytes())


def test_times_below_two_to_the_28_count_from_the_receipt() -> None:
    payload = pack({"bn": f"{DEVICE}:", "n": "temp", "u": "Cel", "v": 1, "t": -5}, {"n": "temp", "v": 2})
    early, now = hearing()("", payload)
    assert early.time_ms == round(NOW_S * 1000) - 5000
    assert now.time_ms is None  # the moment of receipt
    absolute = hearing()("", pack({"n": f"{DEVICE}:t", "v": 1, "bt": 1.7e9, "t": 0.25}))
    assert absolute[0].time_ms == 1_700_000_000_250


def test_base_values_and_sums_are_added_to_values_and_sums() -> None:
    first, second, third = read(
        pack({"bn": "d:", "bv": 20, "bs": 100, "n": "a", "v": 1.5, "s": 2}, {"n": "b"}, {"n": "c", "vb": True})
    )
    assert (first.number, first.total) == (21.5, 102)
    assert (second.number, second.total) == (20, 100)
    assert (third.number, third.truth) == (None, True)


@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        ("field", [{"n": "a", "v": 1, "danger_": 2}]),
        ("version", [{"n": "a", "v": 1, "bver": 11}]),
        ("version", [{"n": "a", "v": 1, "bver": 5}, {"n": "b", "v": 1, "bver": 10}]),
        ("name", [{"v": 1}]),
        ("name", [{"n": "-a", "v": 1}]),
        ("name", [{"n": "a b", "v": 1}]),
        ("format", [{"n": "a", "v": 1, "vs": "x"}]),
        ("format", [{"n": "a", "u": "Cel"}]),
        ("format", [{"n": "a", "v": "1"}]),
        ("format", [{"n": "a", "v": True}]),
        ("format", [{"n": "a", "vb": 1}]),
        ("format", [{"n": "a", "vd": "*"}]),
        ("format", [{"n": "a", "v": 1e301}]),
        ("format", [{"n": "a", "v": 1, "bver": 10.5}]),
        ("format", []),
        ("format", [3]),
    ],
)
def test_what_breaks_the_rules_is_refused_with_its_reason(reason: str, rows: list[Any]) -> None:
    assert refused(json.dumps(rows).encode()) == reason


def test_other_unknown_fields_are_ignored_and_secondary_units_announced() -> None:
    (record,) = read(pack({"n": "a", "v": 1, "u": "kW", "bver": 26, "danger": 2}))
    assert (record.number, record.unit) == (1, "kW")


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        ("format", b'{"n":"a"}'),
        ("json", b'[{"n":"a","v":NaN}]'),
        ("json", b'[{"n":"a"'),
        ("cbor", b""),
        ("cbor", cbor2.dumps([{0: "a", 2: 1}]) + b"\x00"),
        ("cbor", cbor2.dumps([{0: "a", 2: 2**70}])),
        ("cbor", bytes.fromhex("9bffffffffffffffff")),
        ("format", cbor2.dumps([{0: "a", 2: float("nan")}])),
        ("format", cbor2.dumps([{0: "a", 8: "text"}])),
        ("field", cbor2.dumps([{0: "a", 2: 1, "danger_": 1}])),
        ("format", cbor2.dumps({0: "a", 2: 1})),
        ("json", b"[" * 100_000),
        ("cbor", b"\x81" * 100_000),
        ("cbor", b"\x80" + b"\x00" * 300_000),
    ],
)
def test_what_is_no_pack_is_refused_with_its_reason(reason: str, payload: bytes) -> None:
    assert refused(payload) == reason


def test_decimal_fractions_are_numbers_in_cbor() -> None:
    assert read(bytes.fromhex("81a2006161 02c48221196ab3".replace(" ", "")))[0].number == 273.15


def test_numbers_under_names_of_the_catalogue_get_its_units() -> None:
    payload = pack(
        {"bn": f"{DEVICE}:", "n": "level_m", "u": "cm", "v": 123.4},
        {"n": "pressure", "u": "Pa", "v": 101_325},
        {"n": "t1", "u": "K", "v": 288.15},
        {"n": "power", "u": "kW", "v": 1.5, "s": 7.2},
        {"n": "open", "vb": True},
        {"n": "label", "vs": "Machine Room"},
        {"n": "odd", "u": "kat", "v": 3},
    )
    options = SenmlOptions(names={"t1": "water_temperature_c", "open": "door_open", "power.sum": "energy_wh"})
    (report,) = hearing({DEVICE: options})("", payload)
    assert report == Report(
        device=DEVICE,
        values=(
            Value("level_m", 1.234),
            Value("pressure_hpa", 1013.25),
            Value("water_temperature_c", 15.0),
            Value("power_w", 1500.0),
            Value("energy_wh", 2.0),
            Value("door_open", 1.0),
            Value("odd", 3),
        ),
    )


def test_a_unit_of_something_else_is_refused() -> None:
    with pytest.raises(FrameError, match="unit"):
        hearing()("", pack({"bn": "d:", "n": "level_m", "u": "Cel", "v": 1}))


def test_whose_a_record_is() -> None:
    def owners(topic: str, name: str, *known: str) -> tuple[str, str]:
        (report,) = hearing(dict.fromkeys(known, SenmlOptions()))(topic, pack({"n": name, "u": "lx", "v": 1}))
        return report.device, report.values[0].key

    assert owners("", f"{DEVICE}:odd", DEVICE) == (DEVICE, "odd")
    assert owners("", DEVICE, DEVICE) == (DEVICE, "lx")
    assert owners("", "urn:dev:ow:1_a", "urn:dev:ow:1", "urn:dev:ow:1_a") == ("urn:dev:ow:1_a", "lx")
    assert owners("senml/lamp-7/up", "odd", "lamp-7") == ("lamp-7", "odd")
    assert owners("senml/lamp-70/up", "lamp-70", "lamp-7") == ("lamp-70", "lx")
    (report,) = hearing()("", pack({"bn": "urn:dev:mac:1:", "n": "odd", "v": 1}))
    assert (report.device, report.values) == ("urn:dev:mac:1", (Value("odd", 1),))


def test_one_name_twice_at_one_time_is_refused_and_texts_alone_are_no_reading() -> None:
    with pytest.raises(FrameError, match="twice"):
        hearing()("", pack({"n": "d:a", "v": 1}, {"n": "d:a", "v": 2}))
    assert hearing()("", pack({"n": "d:a", "vs": "text"})) == []


def test_a_quantity_that_is_not_in_the_catalogue_cannot_be_meant() -> None:
    with pytest.raises(ConfigError, match="t1"):
        SenmlOptions(names={"t1": "heat"})


def test_what_has_no_registered_unit_goes_out_in_one_that_is() -> None:
    assert registered(4.25, "mg/l") == (0.00425, "kg/m3")
    assert registered(3.0, "NTU") == (3.0, "")
    assert registered(21.5, "Cel") == (21.5, "Cel")
    assert to_quantity(0.00425, "kg/m3", "ammonia_mg_l") == 4.25


_names = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,12}", fullmatch=True)
_numbers = st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15)
_values = st.one_of(
    _numbers.map(lambda number: {"number": number}),
    st.text(max_size=20).map(lambda text: {"text": text}),
    st.booleans().map(lambda truth: {"truth": truth}),
    st.binary(max_size=20).map(lambda data: {"data": data}),
    _numbers.map(lambda total: {"total": total}),
)


@given(
    st.lists(st.tuples(_names, st.sampled_from(["", "Cel", "kW", "%RH"]), _values), min_size=1, max_size=8),
    st.integers(-1000, 2**31),
    st.sampled_from([JSON, CBOR]),
)
def test_a_pack_that_is_written_reads_the_same(
    rows: list[tuple[str, str, dict[str, Any]]], base_s: int, form: str
) -> None:
    records = [
        Record(name=f"urn:dev:x:{name}", base="urn:dev:x:", unit=unit, time_s=base_s + index, **value)
        for index, (name, unit, value) in enumerate(rows)
    ]
    assert read(encode(records, form)) == records


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\x81\xa2\x00aa\x02" + tail))
def test_any_bytes_are_a_pack_or_refused(payload: bytes) -> None:
    try:
        hearing()("x", payload)
    except FrameError as error:
        assert error.reason in ("json", "cbor", "format", "version", "field", "name", "unit")


@given(st.data())
def test_a_bent_pack_is_read_or_refused(data: st.DataObject) -> None:
    anything = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4)
    )
    keys = st.sampled_from(list(LABELS.values())) | st.integers() | st.text(max_size=3)
    rows = data.draw(st.lists(st.dictionaries(keys, anything, max_size=4), max_size=3))
    try:
        hearing()("x", cbor2.dumps([{-2: "d:", 0: "a", 2: 1}, *rows]))
    except FrameError as error:
        assert error.reason in ("cbor", "format", "version", "field", "name", "unit")


def test_a_pack_cut_anywhere_is_refused(shared_data: Path) -> None:
    for name in ("ex3.gen.cbor", "ex7.gen.json"):
        whole = (shared_data / "senml-rfc8428" / name).read_bytes().strip()
        for end in range(len(whole)):
            assert refused(whole[:end]) in ("json", "cbor")


def test_the_command_shows_records_resolved() -> None:
    decode = adapter("senml").decoder()
    data = base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("=")
    assert decode(
        Case(raw=pack({"bn": "d:", "n": "a", "u": "V", "v": 0, "t": -1}, {"n": "b", "vd": data}))
    ) == {
        "records": [
            {"n": "d:a", "u": "V", "t": -1, "v": 0},
            {"n": "d:b", "t": 0.0, "vd_hex": "FFFE"},
        ]
    }
