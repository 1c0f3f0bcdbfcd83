"""Cayenne LPP: the types of the page and what follows an unknown one; values there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conformance import lines, wrong
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter, cayenne
from edge.adapters.adapter import Case
from edge.adapters.frame import FrameError
from edge.adapters.report import Value


def test_every_vector_decodes_as_expected(shared_data: Path) -> None:
    assert list(wrong(shared_data, "cayenne-lpp")) == []


@pytest.mark.parametrize(
    ("frame", "name", "value"),
    [
        ("0164000003E6", "generic", 998),
        ("01763 3BE27A0".replace(" ", ""), "frequency", 868_100_000),
        ("017864", "percentage", 100),
        ("0579FFEF", "altitude", -17),
        ("017D01C2", "concentration", 450),
        ("05800D7A", "power", 3450),
        ("0574FFFF", "voltage", 655.35),
        ("01840100", "direction", 256),
        ("018567C12345", "unix_time", 0x67C12345),
        ("0187FF8000", "colour", {"r": 255, "g": 128, "b": 0}),
        ("058E01", "switch", 1),
        ("018806765EF2960A0003E8", "gps", {"latitude": 42.3518, "longitude": -87.9094, "altitude": 10.0}),
        (
            "01F0 09E6 0BD8 F2 02CE54 F1".replace(" ", ""),
            "polyline",
            [{"latitude": 776.434, "longitude": 183.892}, {"latitude": 776.435, "longitude": 183.891}],
        ),
    ],
)
def test_the_extensions(frame: str, name: str, value: Any) -> None:
    (item,) = cayenne.parse(bytes.fromhex(frame)).items
    assert (item.name, item.value) == (name, value)
    assert type(item.value) is type(value)


def test_what_stands_before_an_unknown_type_is_kept_and_the_rest_is_reported() -> None:
    raw = bytes.fromhex("036701100524FFFF")
    frame = cayenne.parse(raw)
    assert [item.value for item in frame.items] == [27.2]
    assert frame.rest == bytes.fromhex("0524FFFF")
    assert cayenne.values(frame) == [Value("temperature_3", 27.2), Value("undecoded_bytes", 4)]
    said = adapter("cayenne-lpp").decoder()(Case(raw=raw))
    assert (len(said["items"]), said["error"], said["detail"]) == (1, "type", "not decoded: 0524FFFF")


def test_a_frame_cut_anywhere_gives_its_first_values_or_is_refused(shared_data: Path) -> None:
    for case in lines(shared_data, "cayenne-lpp"):
        raw = bytes.fromhex(case["frame"])
        whole = _items(raw)
        for end in range(len(raw)):
            part = _items(raw[:end])
            assert part is None or whole is None or part == whole[: len(part)]


def _items(raw: bytes) -> list[cayenne.Item] | None:
    try:
        return list(cayenne.parse(raw).items)
    except FrameError as error:
        assert error.reason in ("truncated", "type")
        return None


@given(st.binary(max_size=80))
def test_any_bytes_are_items_or_refused(raw: bytes) -> None:
    items = _items(raw)
    if items is not None and not any(item.type == cayenne.POLYLINE for item in items):
        rest = cayenne.parse(raw).rest
        assert cayenne.encode([(item.channel, item.type, item.value) for item in items]) + rest == raw


def test_the_topic_says_whose_bare_payload_it_is() -> None:
    hear = adapter("cayenne-lpp").hear
    assert hear is not None
    (report,) = hear({"well-7": None}, lambda: 0)("up/well-7/lpp", bytes.fromhex("03670110"))
    assert (report.device, report.values, report.time_ms) == ("well-7", (Value("temperature_3", 27.2),), None)
    with pytest.raises(FrameError, match="topic"):
        hear({}, lambda: 0)("/", b"")
