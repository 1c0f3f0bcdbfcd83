"""Sparkplug B: the examples of the specification, births and aliases, and what is missing between messages.

FRAMES are the specification's examples (version 3.0, chapter 6.4) and a metric of every type, as Google's
protobuf package 7.36 wrote them from the specification's schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value
from edge.adapters.sparkplug.host import Host
from edge.adapters.sparkplug.messages import EdgeNode, rebirth
from edge.adapters.sparkplug.payload import DataType, Metric, Payload, decode, encode, number
from edge.adapters.sparkplug.topic import parse
from edge.model.quality import Flag

T_MS = 1_486_144_502_122
GROUP = "spBv1.0/Sparkplug B Devices"
NODE = f"{GROUP}/{{}}/Raspberry Pi"
DEVICE = f"{NODE}/Pibrella"
FRAMES = {
    "NDEATH": bytes.fromhex("08EAF2F5A8A02B12120A05626453657118EAF2F5A8A02B20085800"),
    "NBIRTH": bytes.fromhex(
        "08EAF2F5A8A02B12120A05626453657118EAF2F5A8A02B2008580012200A134E6F646520436F6E74726F6C2F5265626F"
        "6F7418EAF2F5A8A02B200B700012210A144E6F646520436F6E74726F6C2F5265626972746818EAF2F5A8A02B200B7000"
        "12250A184E6F646520436F6E74726F6C2F4E6578742053657276657218EAF2F5A8A02B200B700012240A164E6F646520"
        "436F6E74726F6C2F5363616E205261746518EAF2F5A8A02B200458B81712310A1850726F706572746965732F48617264"
        "77617265204D616B6518EAF2F5A8A02B200C7A0C52617370626572727920506912320A1950726F706572746965732F48"
        "61726477617265204D6F64656C18EAF2F5A8A02B200C7A0C50692033204D6F64656C204212220A0D50726F7065727469"
        "65732F4F5318EAF2F5A8A02B200C7A08526173706269616E123E0A1550726F706572746965732F4F532056657273696F"
        "6E18EAF2F5A8A02B200C7A1C4A6573736965207769746820504958454C2F31312E30312E32303137121E0A0E53757070"
        "6C7920566F6C7461676518EAF2F5A8A02B2009659A9941411800"
    ),
    "DBIRTH": bytes.fromhex(
        "08EAF2F5A8A02B12150A08496E707574732F4118EAF2F5A8A02B200B700012150A08496E707574732F4218EAF2F5A8A0"
        "2B200B700012150A08496E707574732F4318EAF2F5A8A02B200B700012150A08496E707574732F4418EAF2F5A8A02B20"
        "0B7000121A0A0D496E707574732F427574746F6E18EAF2F5A8A02B200B700012160A094F7574707574732F4518EAF2F5"
        "A8A02B200B700012160A094F7574707574732F4618EAF2F5A8A02B200B700012160A094F7574707574732F4718EAF2F5"
        "A8A02B200B700012160A094F7574707574732F4818EAF2F5A8A02B200B7000121F0A124F7574707574732F4C4544732F"
        "477265656E18EAF2F5A8A02B200B7000121D0A104F7574707574732F4C4544732F52656418EAF2F5A8A02B200B700012"
        "200A134F7574707574732F4C4544732F59656C6C6F7718EAF2F5A8A02B200B7000121B0A0E4F7574707574732F42757A"
        "7A657218EAF2F5A8A02B200B7000122D0A1850726F706572746965732F4861726477617265204D616B6518EAF2F5A8A0"
        "2B200C7A0850696272656C6C611801"
    ),
    "NDATA": bytes.fromhex(
        "08EAF2F5A8A02B121E0A0E537570706C7920566F6C7461676518EAF2F5A8A02B200965CDCC44411802"
    ),
    "DDATA": bytes.fromhex(
        "08EAF2F5A8A02B12150A08496E707574732F4118EAF2F5A8A02B200B700112150A08496E707574732F4318EAF2F5A8A0"
        "2B200B70011803"
    ),
    "TYPES": bytes.fromhex(
        "08EAF2F5A8A02B120B0A026D301000200150E901120E0A026D311001200150E9FFFFFF0F120C0A026D321002200250D4"
        "FD03120E0A026D331003200350FBFFFFFF0F12130A026D341004200458F9FFFFFFFFFFFFFFFF01120B0A026D35100520"
        "0550C801120C0A026D361006200650C0B802120E0A026D37100720075080D0ACF30E120E0A026D38100820075880D0AC"
        "F30E120F0A026D391009200858808080808020120E0A036D3130100A2009650000003F12120A036D3131100B200A699A"
        "9999999999B9BF120B0A036D3132100C200B700112100A036D3133100D200D58EAF2F5A8A02B120A0A046E756C6C2003"
        "380112110A0373657420108A01070801120161180312210A03626164200A4A0F0A075175616C69747912040803180069"
        "000000000000F83F12190A036F6C64188A9EF2A8A02B200A28016900000000000004401800"
    ),
}


@pytest.fixture
def host() -> Host:
    return Host(lambda: T_MS)


def level(value: float | None, **more: Any) -> Metric:
    return Metric(name="level_m", datatype=DataType.DOUBLE, value=value, **more)


def numbers(reports: Sequence[Report]) -> list[int | None]:
    return [report.number for report in reports]


def test_the_examples_of_the_specification_are_readings(host: Host) -> None:
    (birth,) = host(NODE.format("NBIRTH"), FRAMES["NBIRTH"])
    assert (birth.device, birth.time_ms, birth.number) == ("Sparkplug B Devices/Raspberry Pi", T_MS, 0)
    assert [(value.key, round(value.number or 0, 5)) for value in birth.values] == [("Supply Voltage", 12.1)]
    (device,) = host(DEVICE.format("DBIRTH"), FRAMES["DBIRTH"])
    assert device.device == "Sparkplug B Devices/Raspberry Pi/Pibrella"
    assert len(device.values) == 13 and {value.number for value in device.values} == {0.0}
    (data,) = host(NODE.format("NDATA"), FRAMES["NDATA"])
    assert (data.number, round(data.values[0].number or 0, 5)) == (1, 12.3)
    (button,) = host(DEVICE.format("DDATA"), FRAMES["DDATA"])
    assert button.values == (Value("Inputs/A", 1.0), Value("Inputs/C", 1.0))
    assert button.session == birth.session
    assert host(NODE.format("NDEATH"), FRAMES["NDEATH"]) == ()


def test_every_type_has_its_number_and_what_has_none_is_left_out(host: Host) -> None:
    live, old = host(NODE.format("NDATA"), FRAMES["TYPES"])
    expected = [-23, -23, -300, -5, -7, 200, 40000, 4e9, 4e9, 2**40, 0.5, -0.1, 1, T_MS]
    assert [value.number for value in live.values[:14]] == expected
    assert live.values[14:] == (Value("null", None), Value("bad", 1.5, Flag.FAIL))
    assert (old.series, old.time_ms, old.values) == ("historical", T_MS - 60_000, (Value("old", 2.5),))
    assert (live.number, live.session) == (None, 0)  # no birth was heard: it is numbered by time


def test_what_another_wrote_we_write_the_same() -> None:
    for name, frame in FRAMES.items():
        if name != "TYPES":  # which has a data set
            assert encode(decode(frame)) == frame


def test_aliases_mean_what_the_birth_said(host: Host) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=3)
    assert host(*node.will(T_MS)) == ()
    host(*node.birth(T_MS, [Metric(name="temp", datatype=DataType.INT16, value=-5)]))
    host(*node.device_birth("tank", T_MS, [level(1.0)]))
    topic, payload = node.data("tank", T_MS + 1000, [level(2.5, time_ms=T_MS + 900)])
    assert b"level_m" not in payload
    (report,) = host(topic, payload)
    assert (report.device, report.time_ms, report.number) == ("plant/line-1/tank", T_MS + 900, 1)
    assert report.values == (Value("level_m", 2.5),)
    (own,) = host(*node.data("", T_MS, [Metric(name="temp", datatype=DataType.INT16, value=-300)]))
    assert (own.device, own.values) == ("plant/line-1", (Value("temp", -300),))
    assert host(*node.device_death("tank", T_MS)) == ()


def test_lost_messages_are_missing_readings_also_where_the_sequence_starts_anew(host: Host) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=0)
    host(*node.birth(T_MS))
    host(*node.device_birth("tank", T_MS, [level(0.0)]))
    heard: list[int | None] = []
    for second in range(600):
        message = node.data("tank", T_MS + 1000 * second, [level(float(second))])
        if second % 100 not in (50, 51, 52):
            heard += numbers(host(*message))
    assert heard == [second + 1 for second in range(600) if second % 100 not in (50, 51, 52)]


def test_a_message_that_comes_again_is_none_and_a_late_one_opens_no_gap(host: Host) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=0)
    host(*node.birth(T_MS, [level(0.0)]))
    first, second, third = (node.data("", T_MS + second, [level(1.0)]) for second in (1, 2, 3))
    assert numbers(host(*first)) == [1]
    assert host(*first) == ()
    assert numbers(host(*third)) == [3]
    assert numbers(host(*second)) == [4]
    assert numbers(host(*node.data("", T_MS + 4, [level(1.0)]))) == [5]


def test_a_new_birth_begins_a_session_and_a_repeated_one_does_not(host: Host) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=0)
    birth = node.birth(T_MS, [level(0.0)])
    first = host(*birth)
    assert list(first) == list(Host(lambda: T_MS)(*birth))
    assert host(*birth) == ()
    later = host(*node.birth(T_MS + 1, [level(0.0)]))
    assert later[0].number == 0 and later[0].session != first[0].session


def test_without_a_birth_aliases_are_refused_and_a_birth_is_asked_for_once_a_minute() -> None:
    now_ms = [T_MS]
    host = Host(lambda: now_ms[0])
    node = EdgeNode("plant", "line-1", bd_seq=0)
    node.birth(T_MS, [level(0.0)])
    for wanted in ([rebirth("plant", "line-1", T_MS)], []):
        with pytest.raises(FrameError, match="birth"):
            host(*node.data("", T_MS, [level(1.0)]))
        assert host.wanted() == wanted
    now_ms[0] += 60_000
    with pytest.raises(FrameError, match="birth"):
        host(*node.data("", T_MS, [level(1.0)]))
    assert [topic for topic, _ in host.wanted()] == ["spBv1.0/plant/NCMD/line-1"]
    host(*node.birth(T_MS, [level(0.0)]))
    assert len(host(*node.data("", T_MS, [level(1.0)]))) == 1


def test_after_a_death_aliases_mean_nothing_but_an_old_will_changes_nothing(host: Host) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=8)
    host(*node.birth(T_MS, [level(0.0)]))
    host(*EdgeNode("plant", "line-1", bd_seq=7).will(T_MS))
    assert len(host(*node.data("", T_MS + 1, [level(1.0)]))) == 1
    host(*node.will(T_MS))
    with pytest.raises(FrameError, match="birth"):
        host(*node.data("", T_MS + 2, [level(1.0)]))


def test_null_and_what_is_no_number_are_missing_values_and_stale_ones_are_doubted(host: Host) -> None:
    metrics = (
        level(None, null=True),
        Metric(name="a", datatype=DataType.DOUBLE, value=float("nan")),
        Metric(name="b", datatype=DataType.DOUBLE, value=1.0, quality=500),
    )
    (report,) = host("spBv1.0/g/NDATA/e", encode(Payload(time_ms=T_MS, seq=1, metrics=metrics)))
    assert report.values == (Value("level_m", None), Value("a", None), Value("b", 1.0, Flag.SUSPECT))


def of(**metric: Any) -> bytes:
    return encode(Payload(metrics=(Metric(name="a", **metric),)))


@pytest.mark.parametrize(
    ("reason", "topic", "payload"),
    [
        ("topic", "spAv1.0/g/NDATA/e", b""),
        ("topic", "spBv1.0/g/NDATA", b""),
        ("topic", "spBv1.0/g/NDATA/e/d", b""),
        ("topic", "spBv1.0/g/DDATA/e", b""),
        ("topic", "spBv1.0/g/XDATA/e", b""),
        ("topic", "spBv1.0//NDATA/e", b""),
        ("truncated", "spBv1.0/g/NDATA/e", b"\x12\x05a"),
        ("truncated", "spBv1.0/g/NDATA/e", b"\x08\xff"),
        ("protobuf", "spBv1.0/g/NDATA/e", b"\x08" + b"\xff" * 11),
        ("protobuf", "spBv1.0/g/NDATA/e", b"\x0b"),
        ("protobuf", "spBv1.0/g/NDATA/e", b"\x00\x00"),
        ("protobuf", "spBv1.0/g/NDATA/e", b"\x12\x03\x0a\x01\xff"),
        ("protobuf", "spBv1.0/g/NDATA/e", b"\x0a\x01\x01"),
        ("seq", "spBv1.0/g/NDATA/e", encode(Payload(seq=256))),
        ("compressed", "spBv1.0/g/NDATA/e", encode(Payload(seq=1, body=b"x"))),
        ("birth", "spBv1.0/g/NDATA/e", of(value=3)),
        ("type", "spBv1.0/g/NDATA/e", of(datatype=3, value=True)),
        ("type", "spBv1.0/g/NDATA/e", of(datatype=3, value=0.5)),
        ("length", "spBv1.0/g/NDATA/e", b"\x12\x00" * 10_001),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(
    host: Host, reason: str, topic: str, payload: bytes
) -> None:
    with pytest.raises(FrameError) as caught:
        host(topic, payload)
    assert caught.value.reason == reason


@pytest.mark.parametrize("topic", ["spBv1.0/g/NCMD/e", "spBv1.0/g/DCMD/e/d", "spBv1.0/STATE/scada"])
def test_what_hosts_say_is_not_heard(host: Host, topic: str) -> None:
    assert host(topic, b"anything") == ()


def test_a_topic_is_written_as_it_was_read() -> None:
    for topic in ("spBv1.0/g/DDATA/e/d", "spBv1.0/g/NBIRTH/e"):
        assert str(parse(topic)) == topic


def test_a_payload_cut_anywhere_is_shorter_or_refused() -> None:
    for frame in FRAMES.values():
        whole = decode(frame)
        for end in range(len(frame)):
            try:
                part = decode(frame[:end])
            except FrameError as error:
                assert error.reason == "truncated"
            else:
                assert part.metrics == whole.metrics[: len(part.metrics)]


def _within(datatypes: Sequence[tuple[int, int, int]]) -> st.SearchStrategy[tuple[int, int]]:
    return st.sampled_from(datatypes).flatmap(lambda row: st.tuples(st.just(row[0]), st.integers(*row[1:])))


_integers = _within(
    [
        *(
            (kind, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            for kind, bits in ((1, 8), (2, 16), (3, 32), (4, 64))
        ),
        *((kind, 0, 2**bits - 1) for kind, bits in ((5, 8), (6, 16), (7, 32), (8, 64), (13, 64))),
    ]
)
_floats = st.tuples(st.just(9), st.floats(allow_nan=False, width=32)) | st.tuples(
    st.just(10), st.floats(allow_nan=False)
)
_others = (
    st.tuples(st.just(11), st.booleans())
    | st.tuples(st.just(12), st.text(max_size=9))
    | st.tuples(st.just(17), st.binary(max_size=9))
)


@given(st.lists(st.tuples(_integers | _floats | _others, st.booleans()), max_size=6), st.integers(0, 2**64 - 1))
def test_a_payload_that_is_written_reads_the_same(
    typed: list[tuple[tuple[int, int | float | bool | str | bytes], bool]], time_ms: int
) -> None:
    metrics = tuple(
        Metric(name=f"m{index}", alias=index, time_ms=time_ms, datatype=datatype, value=value, historical=old)
        for index, ((datatype, value), old) in enumerate(typed)
    )
    found = decode(encode(Payload(time_ms=time_ms, seq=7, metrics=metrics)))
    assert (found.time_ms, found.seq, len(found.metrics)) == (time_ms, 7, len(metrics))
    for metric, read in zip(metrics, found.metrics, strict=True):
        assert (read.name, read.alias, read.historical) == (metric.name, metric.alias, metric.historical)
        if isinstance(metric.value, (str, bytes)):
            assert read.value == metric.value
        else:
            assert number(read, read.datatype) == metric.value


@given(st.binary(max_size=60), st.sampled_from(["NBIRTH", "NDATA", "NDEATH"]))
def test_any_bytes_are_a_message_or_refused(tail: bytes, kind: str) -> None:
    host = Host(lambda: T_MS)
    for payload in (tail, FRAMES["TYPES"][:40] + tail):
        try:
            host(f"spBv1.0/g/{kind}/e", payload)
        except FrameError as error:
            assert error.reason in ("truncated", "protobuf", "length", "type", "birth", "seq", "compressed")


def test_the_command_shows_metrics_with_their_numbers() -> None:
    said = adapter("sparkplug").decoder()(Case(raw=FRAMES["NDATA"], topic=NODE.format("NDATA")))
    assert (said["type"], said["edge"], said["seq"], said["timestamp"]) == ("NDATA", "Raspberry Pi", 2, T_MS)
    assert [metric["name"] for metric in said["metrics"]] == ["Supply Voltage"]
