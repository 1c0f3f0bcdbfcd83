"""Line protocol is read strictly: the reference corpus, the place of every error, nothing lost on the way."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.errors import CityError
from edge.protocol.lines import PRECISIONS, LineError, Point, parse_lines
from edge.protocol.series import UInt, encode_point

_TYPES = {"float": float, "int": int, "uint": UInt, "bool": bool, "string": str}


def _bytes(text: Any) -> bytes:
    return base64.b64decode(text["binary"]) if isinstance(text, dict) else text.encode()


def _text(text: Any) -> str:
    return _bytes(text).decode()


def _typed(fields: tuple[tuple[str, Any], ...]) -> list[tuple[str, type, Any]]:
    return [(key, type(value), value) for key, value in fields]


def _expected(point: dict[str, Any]) -> tuple[Any, ...]:
    fields = []
    for item in point["fields"]:
        ((kind, value),) = item["value"].items()
        fields.append((_text(item["key"]), _TYPES[kind], _text(value) if kind == "string" else value))
    tags = tuple((_text(tag["key"]), _text(tag["value"])) for tag in point["tags"])
    return _text(point["name"]), tags, fields, point["time"]


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> dict[str, Any]:
    path = shared_data / "line-protocol-corpus" / "corpus.json.gz"
    decode: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))["decode"]
    assert len(decode) > 3_000
    return decode


def test_every_wrong_line_of_the_corpus_is_refused(cases: dict[str, Any]) -> None:
    taken = []
    for key, case in cases.items():
        if "error" in case["output"]:
            try:
                parse_lines(_bytes(case["input"]["text"]), precision=case["input"]["precision"][1:])
            except LineError:
                continue
            taken.append(key)
    assert taken == []


def test_every_good_line_of_the_corpus_means_what_the_reference_says(cases: dict[str, Any]) -> None:
    good = {key: case for key, case in cases.items() if "result" in case["output"]}
    for key, case in good.items():
        precision = case["input"]["precision"][1:]
        points = parse_lines(_bytes(case["input"]["text"]), precision=precision)
        # the reference gives a line without time its arrival, cut to the precision
        factor = PRECISIONS[precision]
        arrival = case["input"]["defaultTime"] // factor * factor
        told = [
            (p.measurement, p.tags, _typed(p.fields), arrival if p.time_ns is None else p.time_ns)
            for p in points
        ]
        assert told == [_expected(point) for point in case["output"]["result"]], key
    assert len(good) > 150


_WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12).filter(
    lambda word: not word.endswith("\\") and not word.startswith("#")
)
_VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1).map(UInt),
    st.booleans(),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
)


@given(
    st.lists(
        st.tuples(
            _WORDS,
            st.dictionaries(_WORDS, _WORDS, max_size=4),
            st.dictionaries(_WORDS, _VALUES, min_size=1, max_size=5),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=4,
    )
)
def test_what_the_writer_writes_is_what_the_reader_reads(
    rows: list[tuple[str, dict[str, str], dict[str, Any], int | None]],
) -> None:
    body = "\n".join(encode_point(*row) for row in rows).encode()
    points = parse_lines(body)
    assert [(p.measurement, dict(p.tags), _typed(p.fields), p.time_ns) for p in points] == [
        (name, tags, _typed(tuple(fields.items())), time) for name, tags, fields, time in rows
    ]


@given(st.text(st.sampled_from('mk,= \\"\n\r#tTfe1.-iu\x0b水'), max_size=40))
def test_the_fast_path_and_the_whole_grammar_agree(text: str) -> None:
    def outcome(body: str) -> list[Point] | str:
        try:
            return parse_lines(body)
        except LineError as error:
            return error.problem

    for body in (text, f"m,t=1 f=1,{text} 5", f"m,{text} f=1 5", f"m f={text} 5", f"m f=1 {text}"):
        quick = outcome(body)
        with patch("edge.protocol.lines._fast", return_value=None):
            assert quick == outcome(body)


@given(st.binary(max_size=60))
def test_no_bytes_cause_anything_but_points_or_a_line_error(body: bytes) -> None:
    try:
        points = parse_lines(body)
    except LineError as error:
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert all(isinstance(point, Point) for point in points)


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a b=1 1\na b=x 2", 2, 5, "no number"),
        ("a b=1 1\n\n# why\na b=1 1\na,=1 b=1", 5, 3, "tag key"),
        ('a b="one\ntwo" x', 2, 6, "time"),
        ('a b="open', 1, 5, "never closed"),
        ("a,t=1,t=2 b=1", 1, 7, "twice"),
        ("a b=1e999 1", 1, 5, "out of range"),
        ("a b=9223372036854775808i 1", 1, 5, "out of range"),
        ("a b=1 1 2", 1, 9, "end of the line"),
        ("水位 level_m=1,深=x 1", 1, 16, "no number"),
        ("a b=1_000 1", 1, 5, "no number"),
        ("a b=nan 1", 1, 5, "no number"),
        ("a b=１ 1", 1, 5, "no number"),
    ],
)
def test_an_error_names_the_line_the_column_and_the_problem(
    text: str, line: int, column: int, problem: str
) -> None:
    with pytest.raises(LineError, match=problem) as caught:
        parse_lines(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert isinstance(caught.value, CityError)
    assert caught.value.remedy


def test_bytes_that_are_not_utf_8_are_placed_too() -> None:
    with pytest.raises(LineError) as caught:
        parse_lines(b"a b=1 1\na,t=\xff b=1 1")
    assert (caught.value.line, caught.value.column) == (2, 5)


@pytest.mark.parametrize(("precision", "factor"), [("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)])
def test_times_become_nanoseconds(precision: str, factor: int) -> None:
    assert (
        parse_lines("a b=1 7\na b=1  7", precision=precision) == [Point("a", (), (("b", 1.0),), 7 * factor)] * 2
    )


def test_a_time_that_does_not_fit_is_refused_on_both_paths() -> None:
    for body in ("a b=1 9223372036854775807", "a  b=1 9223372036854775807"):
        with pytest.raises(LineError, match="out of range"):
            parse_lines(body, precision="s")


@pytest.mark.parametrize(
    "line", ["m f=1 " + "1" * 5_000, "m f=" + "1" * 5_000 + "i 1", "m f=1u " + "-" + "1" * 5_000]
)
def test_a_number_of_thousands_of_digits_is_refused(line: str) -> None:
    with pytest.raises(LineError):
        parse_lines(line)


def test_a_number_of_a_million_digits_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(LineError, match="is no number"):
        parse_lines("m f=" + "1" * 1_000_000 + "x 1")
