"""Frames found in bytes from a line, whatever stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters.cjt188.telegram import ENVELOPE as CJT188
from edge.adapters.dlt645.telegram import ENVELOPE as DLT645
from edge.adapters.envelope import Envelope, bcd, same_meter
from edge.adapters.frame import FrameError

FRAMES = {
    DLT645: bytes.fromhex("686101000000006891063334343534431016"),
    CJT188: bytes.fromhex("6810010203040506078116901F96005555052C005555052C0000000000000000002616"),
}
ENVELOPES = pytest.mark.parametrize("envelope", FRAMES, ids=["dlt645", "cjt188"])


@ENVELOPES
def test_frames_are_found_behind_rubbish_between_rubbish_and_two_at_once(envelope: Envelope) -> None:
    frame = FRAMES[envelope]
    line = b"\x00\x68\x16" + frame + b"\x68" * 9 + b"\x00" + b"\xfe\xfe" + frame + frame + b"\x68\x01"
    found = envelope.search(line)
    assert found.frames == (frame, frame, frame)
    assert found.noise == 3 + 10 + 2


@ENVELOPES
def test_a_false_start_with_a_long_length_hides_no_frame(envelope: Envelope) -> None:
    start = bytes((0x68, *bytes(envelope.head - 2), 0xF0))
    marked = bytes(0x68 if at in envelope.marks else byte for at, byte in enumerate(start))
    assert envelope.search(marked + FRAMES[envelope]).frames == (FRAMES[envelope],)


@ENVELOPES
def test_a_frame_that_is_not_whole_yet_is_none_and_whole_with_its_last_byte(envelope: Envelope) -> None:
    frame = FRAMES[envelope]
    for end in range(len(frame)):
        assert envelope.search(frame[:end]).frames == ()
        with pytest.raises(FrameError) as caught:
            envelope.checked(frame[:end])
        assert caught.value.reason == "truncated"
    assert envelope.search(frame).frames == (frame,) and envelope.checked(frame) == frame


@ENVELOPES
def test_a_damaged_frame_is_told_from_noise(envelope: Envelope) -> None:
    frame = FRAMES[envelope]
    damaged = frame[:-2] + bytes((frame[-2] ^ 1, frame[-1]))
    found = envelope.search(b"\x00" + damaged)
    assert (found.frames, found.broken, found.noise) == ((), (damaged,), len(damaged) + 1)


@given(data=st.binary(max_size=600), envelope=st.sampled_from(list(FRAMES)))
def test_any_bytes_are_searched_and_none_is_counted_twice(data: bytes, envelope: Envelope) -> None:
    found = envelope.search(data)
    assert sum(map(len, found.frames)) + found.noise <= len(data)
    assert all(envelope.checked(frame) == frame for frame in found.frames)


@given(before=st.binary(max_size=40), envelope=st.sampled_from(list(FRAMES)), data=st.binary(max_size=200))
def test_what_was_sealed_is_found(before: bytes, envelope: Envelope, data: bytes) -> None:
    head = bytes(0x68 if at in envelope.marks else 0x01 for at in range(envelope.head - 1))
    frame = envelope.sealed(head, data)
    assert envelope.checked(frame) == frame
    if 0x68 not in before and 0x68 not in data:
        assert envelope.search(before + frame).frames == (frame,)


def test_only_decimal_digits_are_bcd() -> None:
    assert bcd(bytes.fromhex("563412")) == 123456
    for byte in (0x0A, 0xA0, 0x0E, 0xFF):
        with pytest.raises(FrameError, match="bcd"):
            bcd(bytes((byte,)))


def test_aa_in_a_question_stands_for_any_byte_of_an_address() -> None:
    assert same_meter("AAAAAAAA0161", "123456780161")
    assert not same_meter("AAAAAAAA0161", "123456780162")
    assert not same_meter("123456780161", "AAAAAAAAAAAA")
