"""Gaps at the desk of a source: asked for some times, given up, and forgotten once they are closed."""

from __future__ import annotations

from edge.adapters.report import Report, Value
from edge.protocol.wire import Ack, encode_ack
from gateway.arrival import Inbox
from gateway.sources.config import read_source
from gateway.sources.desk import MOST_ASKS, Desk, Hope
from gateway.sources.numbering import BOOT

TABLE = {
    "name": "loggers", "protocol": "hj212", "transport": "tcp-server", "address": "127.0.0.1:0",
    "device": [
        {"id": "A1", "node": "air-1", "kind": "air_quality", "series": "2051", "period_s": 60, "password": "1"}
    ],
}  # fmt: skip


class Office:
    """A desk with one logger that has told every other of a hundred minutes, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.inbox = Inbox(10_000)
        self.desk = Desk(read_source(TABLE, "source[0]"), self.inbox, {}, self._ask)
        begin_ms = self.inbox.now_ms() - 6_000_000
        for minute in range(0, 100, 2):
            value = Value("a34004-Avg", 12.0)
            self.desk.take(
                [Report(device="A1", series="2051", time_ms=begin_ms + 60_000 * minute, values=(value,))]
            )

    def _ask(self, device: str, series: str, first_ms: int, end_ms: int) -> Hope:
        self.asked.append((first_ms, end_ms))
        return Hope.ASKED

    def hear(self, upto: int, *again: tuple[int, int]) -> None:
        self.desk.acknowledged("air-1", encode_ack(Ack(BOOT, upto, again)))


def test_a_gap_is_asked_for_some_times_whatever_is_acknowledged_between() -> None:
    office = Office()
    for _ in range(2 * MOST_ASKS):
        office.hear(5, (5, 5))
        office.hear(5)
    assert len(office.asked) == MOST_ASKS


def test_of_gaps_that_are_closed_nothing_is_remembered() -> None:
    office = Office()
    for number in range(1, 99, 2):
        office.hear(number, (number, number))
    office.hear(99)
    assert len(office.asked) == 49
    assert not office.desk._asked
