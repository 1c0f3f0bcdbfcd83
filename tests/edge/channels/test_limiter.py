"""The limiter keeps every window, says when the next may go, and obeys a service that shuts the door."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.channels import Limiter, Window

DINGTALK = (Window(20, 60.0),)
FEISHU = (Window(5, 1.0), Window(100, 60.0))


def test_the_first_messages_of_a_minute_may_go_at_once() -> None:
    limiter = Limiter(DINGTALK)
    for _ in range(20):
        assert limiter.wait_s(100.0) == 0.0
        limiter.sent(100.0)
    assert limiter.room(100.0) == 0
    assert limiter.wait_s(100.0) == 60.0
    assert limiter.wait_s(130.0) == 30.0
    assert limiter.wait_s(160.0) == 0.0
    assert limiter.room(160.0) == 20


def test_the_tightest_window_counts() -> None:
    limiter = Limiter(FEISHU)
    for _ in range(5):
        limiter.sent(0.0)
    assert limiter.wait_s(0.25) == 0.75
    assert limiter.room(1.0) == 5


def test_a_shut_door_stays_shut_for_as_long_as_was_said() -> None:
    limiter = Limiter(DINGTALK)
    limiter.shut(10.0, 600.0)
    limiter.shut(10.0, 5.0)
    assert limiter.wait_s(10.0) == 600.0
    assert limiter.room(10.0) == 0
    assert limiter.wait_s(610.0) == 0.0
    assert limiter.room(610.0) == 20


def test_without_a_window_anything_may_go_until_the_door_is_shut() -> None:
    limiter = Limiter(())
    limiter.sent(0.0)
    assert limiter.wait_s(0.0) == 0.0 and limiter.room(0.0) is None
    limiter.shut(0.0, 3.0)
    assert limiter.wait_s(1.0) == 2.0


@given(
    st.lists(st.floats(0, 20), max_size=300),
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 90)), max_size=3),
)
def test_whoever_waits_as_told_never_passes_a_window(gaps: list[float], pairs: list[tuple[int, int]]) -> None:
    windows = [Window(most, float(seconds)) for most, seconds in pairs]
    limiter, now_s, sent = Limiter(windows), 0.0, []
    for gap in gaps:
        now_s += gap
        now_s += limiter.wait_s(now_s)
        sent.append(now_s)
        limiter.sent(now_s)
    for window in windows:
        for index in range(len(sent) - window.most):
            assert sent[index + window.most] - sent[index] >= window.seconds - 1e-6
