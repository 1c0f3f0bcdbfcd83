"""The native codec: shared byte vectors, hostile input, and what goes in comes out."""

import json
import zipfile
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.errors import WireError
from edge.model.quality import Clock
from edge.protocol import wire
from edge.protocol.wire import Ack, Birth, Column, Death, Pack

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/native.json").read_text(encoding="utf-8"))
DECODERS = {
    "pack": (wire.decode_pack, wire.encode_pack),
    "birth": (wire.decode_birth, wire.encode_birth),
    "ack": (wire.decode_ack, wire.encode_ack),
    "death": (wire.decode_death, wire.encode_death),
}
SEQ = st.integers(0, wire.MAX_SEQ)
BOOT = st.integers(0, wire.MAX_BOOT)
ROW = st.lists(st.none() | st.integers(-(2**52), 2**52), min_size=1, max_size=8)


def message(kind: str, value: dict[str, Any]) -> Any:
    """Return a message from a vector's JSON."""
    if kind == "pack":
        return Pack(**{**value, "clock": Clock(value["clock"])})
    if kind == "birth":
        columns = tuple(Column(**column) for column in value["columns"])
        more = {"columns": columns, "oldest": tuple(value["oldest"]), "clock": Clock(value["clock"])}
        return Birth(**{**value, **more})
    if kind == "ack":
        return Ack(value["boot"], value["upto"], tuple(tuple(pair) for pair in value["again"]))
    return Death(**value)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_shared_vectors_encode_and_decode(vector: dict[str, Any]) -> None:
    decode, encode = DECODERS[vector["message"]]
    expected = message(vector["message"], vector["value"])
    assert encode(expected).hex() == vector["hex"]
    assert decode(bytes.fromhex(vector["hex"])) == expected


@given(
    st.builds(
        Pack, SEQ, BOOT, st.integers(0, 2**31), st.integers(0, 2**45), st.sampled_from(Clock),
        st.lists(ROW, min_size=1, max_size=40),
    )
)  # fmt: skip
def test_any_pack_comes_out_as_it_went_in(pack: Pack) -> None:
    assert wire.decode_pack(wire.encode_pack(pack)) == pack


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(payload: bytes) -> None:
    for decode, encode in DECODERS.values():
        try:
            found = decode(payload)
        except WireError as error:
            assert error.reason in {"not_cbor", "bad_type", "bad_value", "bad_version", "too_long"}
        else:
            assert decode(encode(found)) == found  # type: ignore[operator]


def test_what_is_not_well_formed_is_refused(shared_data: Path) -> None:
    cases = json.loads((shared_data / "cbor-vectors/malformed.json").read_text(encoding="utf-8"))
    assert len(cases) == 284
    for case in cases:
        with pytest.raises(WireError, match="not_cbor"):
            wire.decode_pack(bytes.fromhex(case))


def test_well_formed_cbor_that_is_no_message_is_refused(shared_data: Path) -> None:
    for case in json.loads((shared_data / "cbor-vectors/valid.json").read_text(encoding="utf-8")):
        for decode, _ in DECODERS.values():
            with pytest.raises(WireError):
                decode(bytes.fromhex(case["hex"]))


def test_json_and_hostile_text_are_refused(shared_data: Path) -> None:
    strings = json.loads((shared_data / "naughty-strings/strings.json").read_text(encoding="utf-8"))
    payloads = [text.encode("utf-8", "surrogatepass") for text in strings]
    with zipfile.ZipFile(shared_data / "json-hostile/cases.zip") as cases:
        payloads += [cases.read(name) for name in cases.namelist()]
    assert len(payloads) == 258 + 160
    for payload in payloads:
        with pytest.raises(WireError):
            wire.decode_pack(payload)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([2, 1, 1, 0, 0, 0, [[0, 1]]], "bad_version"),
        ([True, 1, 1, 0, 0, 0, [[0, 1]]], "bad_version"),
        ([1, 1, 1, 0, 0, 0], "bad_type"),
        ([1, "1", 1, 0, 0, 0, [[0, 1]]], "bad_type"),
        ([1, 1, -1, 0, 0, 0, [[0, 1]]], "bad_value"),
        ([1, 1, 2**53 + 1, 0, 0, 0, [[0, 1]]], "bad_value"),
        ([1, 1, 1, 2**32 - 1, 0, 0, [[0, 1]]], "bad_value"),
        ([1, 1, 1, 0, 0, 3, [[0, 1]]], "bad_value"),
        ([1, 1, 1, 0, 0, 0, []], "bad_type"),
        ([1, 1, 1, 0, 0, 0, [[0, 1]] * 1001], "too_long"),
        ({"v": 1}, "bad_type"),
    ],
)
def test_a_pack_that_breaks_a_rule_says_which(body: Any, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode_pack(cbor2.dumps(body))
    assert caught.value.reason == reason


@pytest.mark.parametrize("serial", ["x" * 65, "a\nb", 7, None])
def test_a_serial_number_is_printable_text(serial: Any) -> None:
    birth = next(vector["hex"] for vector in VECTORS if vector["message"] == "birth")
    with pytest.raises(WireError, match="sn is no text of 0 to 64"):
        wire.decode_birth(cbor2.dumps({**cbor2.loads(bytes.fromhex(birth)), "sn": serial}))


@pytest.mark.parametrize(
    "tagged", ["c25907d0" + "ff" * 2000, "c100", "d81c81d81d00", "d8236128", "d9d9f701", "da0001000001"]
)
def test_cbor_tags_are_refused_in_every_place(tagged: str) -> None:
    value = bytes.fromhex(tagged)
    for payload in (
        value,
        b"\x87\x01" + value + b"\x01\x00\x00\x00\x81\x82\x00\x01",
        b"\x87\x01\x01\x01\x00\x00\x00\x81\x82\x00" + value,
    ):
        with pytest.raises(WireError, match="semantic tag"):
            wire.decode_pack(payload)
    with pytest.raises(WireError, match="semantic tag"):
        wire.decode_death(b"\x82\x01" + value)


def test_bytes_after_the_end_are_refused() -> None:
    payload = wire.encode_death(Death(1))
    with pytest.raises(WireError, match="1 bytes follow"):
        wire.decode_death(payload + b"\x00")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ([0, 1, None], None),
        ("row", "row is not a list"),
        ([0, 1], "row has 1 values"),
        ([0.0, 1, 2], "dt is not an integer"),
        ([0, 1.5, 2], "value 0 is no integer"),
        ([0, 1, True], "value 1 is no integer"),
        ([0, 1, 2**53], "value 1 is no integer"),
        ([0, 1, "x"], "value 1 is no integer"),
        ([0, [1, 4], [2, 3]], None),
        ([0, 1, [2, 1]], "value 1 is no integer"),
        ([0, 1, [2, True]], "value 1 is no integer"),
        ([0, 1, [2, 3.0]], "value 1 is no integer"),
        ([0, 1, [None, 4]], "value 1 is no integer"),
        ([0, 1, [[2, 3], 3]], "value 1 is no integer"),
        ([0, 1, [2]], "value 1 is no integer"),
    ],
)
def test_a_row_is_judged_alone(row: Any, fault: str | None) -> None:
    found = wire.row_fault(row, 2)
    assert found is None if fault is None else found is not None and found.startswith(fault)


def test_a_pack_of_six_quantities_is_small() -> None:
    sizes = {vector["name"]: len(vector["hex"]) // 2 for vector in VECTORS}
    assert sizes["one row of six quantities"] <= 34
    assert sizes["thirty rows of six quantities"] <= 700


@given(BOOT, st.sampled_from([0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1]) | st.integers(0, 2**32 - 1))
def test_an_acknowledgement_without_gaps_is_the_same_cbor_as_any_other(boot: int, upto: int) -> None:
    assert wire.encode_ack(Ack(boot, upto)) == cbor2.dumps([wire.VERSION, boot, upto, []])
