"""A foreign device among the nodes: births and packs as a node sends them, gaps as the ledger needs them."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
from typing import Any

import pytest

from edge.adapters.adapter import NoOptions
from edge.adapters.report import Report, Value, Word
from edge.model.quality import Flag
from edge.protocol.wire import Birth, Pack, decode_birth, decode_pack
from gateway.sources.config import Device
from gateway.sources.numbering import BOOT, LATE_BOOT
from gateway.sources.seat import Seat

MINUTE_MS = 60_000
START_MS = 1_780_000_020_000
THEIRS = {"level": Word("level_m"), "level_mm": Word("level_m", 0.001), "t": Word("water_temperature_c")}


def seat(*, own: Mapping[str, Word] | None = None, period_s: float = 60.0, **more: Any) -> Seat:
    device = Device(
        id="A", node="stage-a", kind="water_level", series="", period_s=period_s,
        words={**THEIRS, **(own or {})}, own=own or {}, options=NoOptions(),
    )  # fmt: skip
    return Seat(device, "toy", **more)


def report(minute: float, *values: Value, **more: Any) -> Report:
    t_ms = START_MS + round(minute * MINUTE_MS)
    return Report(device="A", time_ms=t_ms, values=values or (Value("level", 1.5),), **more)


def said(place: Seat, what: Report) -> list[Birth | Pack]:
    """What a report becomes, decoded."""
    messages = place.messages(what, START_MS + 5)
    assert all(topic.startswith("cn/v1/stage-a/") or "stage-a" in topic for topic, _ in messages)
    return [
        decode_birth(payload) if topic.endswith("birth") else decode_pack(payload)
        for topic, payload in messages
    ]


def pack_of(place: Seat, what: Report) -> Pack:
    found = said(place, what)[-1]
    assert isinstance(found, Pack)
    return found


def test_the_first_reading_comes_with_a_birth_and_the_others_alone() -> None:
    place = seat()
    birth, pack = said(place, report(0))
    assert isinstance(birth, Birth) and isinstance(pack, Pack)
    assert (birth.node, birth.kind, birth.hardware, birth.period_s) == ("stage-a", "water_level", "toy", 60)
    assert [column.quantity for column in birth.columns] == ["level_m"]
    assert (pack.boot, pack.seq0, pack.t0_ms, pack.rows) == (BOOT, 0, START_MS, [[0, 1500]])
    assert pack.schema == birth.schema
    (second,) = said(place, report(1))
    assert isinstance(second, Pack) and second.seq0 == 1


def test_a_quantity_that_was_not_there_before_makes_a_column_and_a_birth() -> None:
    place = seat()
    said(place, report(0))
    birth, pack = said(place, report(1, Value("t", 12.5)))
    assert isinstance(birth, Birth) and isinstance(pack, Pack)
    assert [column.quantity for column in birth.columns] == ["level_m", "water_temperature_c"]
    assert pack.rows[0][1] is None and pack.rows[0][2] is not None
    assert pack_of(place, report(2)).rows[0][2] is None


def test_a_report_that_says_no_time_has_that_of_its_receipt() -> None:
    assert pack_of(seat(), Report(device="A", values=(Value("level", 1.0),))).t0_ms == START_MS + 5


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (Value("level", 1.2345), 1234),
        (Value("level", -0.0006), -1),
        (Value("level", 1.5, Flag.PASS), 1500),
        (Value("level", 1.5, Flag.SUSPECT), [1500, 3]),
        (Value("level", 1.5, Flag.FAIL), [1500, 4]),
        (Value("level", 1.5, Flag.MISSING), None),
        (Value("level", None), None),
        (Value("level", nan), None),
        (Value("level", inf), None),
        (Value("level", -1e300), None),
        (Value("level_mm", 1500), 1500),
    ],
)
def test_a_value_travels_scaled_and_with_the_devices_own_doubt(value: Value, cell: Any) -> None:
    assert pack_of(seat(), report(0, value)).rows == [[0, cell]]


def test_a_devices_own_word_goes_before_the_protocols_whichever_comes_first() -> None:
    own = {"stage": Word("level_m", 0.01, 2.0)}
    for values in ((Value("level", 9.9), Value("stage", 150)), (Value("stage", 150), Value("level", 9.9))):
        assert pack_of(seat(own=own), report(0, *values)).rows == [[0, 3500]]


def test_of_two_words_of_the_protocol_for_one_quantity_the_first_is_taken() -> None:
    assert pack_of(seat(), report(0, Value("level", 1.0), Value("level_mm", 2000))).rows == [[0, 1000]]


def test_what_no_word_translates_is_named_and_makes_no_reading() -> None:
    place = seat()
    assert place.messages(report(0, Value("turbidity", 3.0)), START_MS) == []
    assert place.unknown == {"turbidity"}
    assert pack_of(place, report(1)).seq0 == 0


def test_a_gap_of_a_device_that_can_be_asked_stays_open_and_its_times_are_known() -> None:
    place = seat(can_be_asked=True)
    birth, _ = said(place, report(0))
    assert isinstance(birth, Birth) and birth.oldest == (BOOT, 0)
    assert [pack_of(place, report(minute)).seq0 for minute in (1, 5)] == [1, 5]
    ((from_ms, to_ms),) = place.wanted(BOOT, 2, 5)
    due = [START_MS + minute * MINUTE_MS for minute in (2, 3, 4)]
    assert all(from_ms <= t_ms < to_ms for t_ms in due)
    assert not from_ms <= START_MS + MINUTE_MS and not to_ms > START_MS + 5 * MINUTE_MS
    assert [pack_of(place, report(minute)).seq0 for minute in (3, 2, 4)] == [3, 2, 4]
    assert place.wanted(BOOT, 2, 5) == []


def test_a_gap_of_a_device_that_cannot_be_asked_is_closed_with_the_next_reading() -> None:
    place = seat()
    said(place, report(0))
    birth, pack = said(place, report(4))
    assert isinstance(birth, Birth) and isinstance(pack, Pack)
    assert (pack.seq0, birth.oldest) == (4, (BOOT, 4))
    assert len(said(place, report(5))) == 1


def test_what_is_given_up_is_announced_once() -> None:
    place = seat(can_be_asked=True)
    said(place, report(0))
    said(place, report(5))
    ((_, payload),) = place.give_up(5)
    assert decode_birth(payload).oldest == (BOOT, 5)
    assert place.give_up(3) == []


def test_a_device_that_reports_when_it_likes_has_no_gaps() -> None:
    place = seat(period_s=0)
    assert [pack_of(place, report(minute)).seq0 for minute in (0, 1, 700, 701.5)] == [0, 1, 2, 3]


def test_what_comes_too_late_for_any_place_is_numbered_apart() -> None:
    place = seat()
    assert [pack_of(place, report(minute)).boot for minute in (10, 11, 3)] == [BOOT, BOOT, LATE_BOOT]


def test_a_devices_own_numbers_count_from_the_first_that_was_heard_a_session_a_boot() -> None:
    place = seat(period_s=0)
    found = [
        pack_of(place, report(minute, number=number, session=session))
        for minute, number, session in ((0, 7, 1), (1, 9, 1), (2, 0, 2), (3, 10, 1))
    ]
    assert [pack.seq0 for pack in found] == [0, 2, 0, 3]
    first, same, joined, back = (pack.boot for pack in found)
    assert first == same == back and joined > first > LATE_BOOT


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    place = seat(can_be_asked=True)
    said(place, report(0, Value("level", 1.0), Value("t", 12.0)))
    said(place, report(3))
    again = seat(can_be_asked=True, state=place.state)
    birth, pack = said(again, report(4))
    assert isinstance(birth, Birth) and isinstance(pack, Pack)
    assert [column.quantity for column in birth.columns] == ["level_m", "water_temperature_c"]
    assert pack.seq0 == 4
    assert pack_of(again, report(3)).seq0 == 3
    assert len(again.wanted(BOOT, 1, 3)) == 1
