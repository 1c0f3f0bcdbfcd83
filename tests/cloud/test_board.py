"""The board keeps the newest reading of each node, in whatever order they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloud.board import Board
from cloud.stores.protocol import Latest
from edge.protocol.lines import parse_lines


def _reading(time_ns: int, **values: float) -> Latest:
    return Latest(node="water-1", kind="water_level", time_ns=time_ns, values=values)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 50)), max_size=40), st.integers(1, 5)
)
def test_the_newest_reading_wins_in_any_order_and_any_batches(rows: list[tuple[str, int]], size: int) -> None:
    board = Board()
    points = parse_lines("\n".join(f"m,node={node} v={time} {time}" for node, time in rows))
    for start in range(0, len(points), size):
        board.offer_points(points[start : start + size])
    newest = {node: max(time for name, time in rows if name == node) for node, _ in rows}
    assert {reading.node: reading.time_ns for reading in board.all()} == newest


def test_only_news_is_news() -> None:
    board = Board()
    assert board.offer([_reading(2, level_m=1)]) == [_reading(2, level_m=1)]
    assert board.offer([_reading(1, level_m=9), _reading(2, level_m=1)]) == []


def test_more_fields_of_the_same_reading_are_added() -> None:
    board = Board()
    board.offer([_reading(2, level_m=1)])
    assert board.offer([_reading(2, battery_v=3.7)]) == [_reading(2, level_m=1, battery_v=3.7)]


def test_points_without_a_node_are_nobodys() -> None:
    board = Board()
    assert board.offer_points(parse_lines("m,site=a v=1 1\nm v=1 1")) == []
    assert board.all() == []


def test_the_board_can_be_asked_by_kind() -> None:
    board = Board()
    board.offer_points(parse_lines("noise,node=a v=1 1\nweather,node=b v=1 1"))
    assert [reading.node for reading in board.all(["noise"])] == ["a"]
    assert board.of("c") is None
