"""Forwarding: delay without loss, and the one bad line found among the good."""

import asyncio
import math
from pathlib import Path

import pytest
from gateway_rig import NOW_MS, NOW_S, Rig, birth, data
from hypothesis import given
from hypothesis import strategies as st

from gateway.account import Counts
from gateway.bisection import bisect
from gateway.block import Block
from gateway.database import JournalError
from gateway.forward import ForwardConfig, Forwarder
from gateway.journal import Outcome
from gateway.sinks import SinkRejected, SinkUnavailable
from gateway.statement import mark_for_retry


class FakeSink:
    """A store that is away for the first `failures` requests and refuses lines that hold a word."""

    def __init__(self, failures: int = 0, refuses: str = "\0") -> None:
        self.failures = failures
        self.refuses = refuses
        self.requests = 0
        self.stored: list[str] = []

    async def write(self, body: bytes) -> None:
        lines = body.decode().split("\n")
        self.requests += 1
        if self.requests <= self.failures:
            raise SinkUnavailable("away", retry_after_s=0.0)
        if any(self.refuses in line for line in lines):
            raise SinkRejected("400: no")
        self.stored += lines

    async def close(self) -> None:
        """Nothing is open."""


async def forward_all(rig: Rig, sink: FakeSink, retention_days: float = 0.0) -> Forwarder:
    """Forward until the journal is empty."""
    config = ForwardConfig(retry_delay_s=0.0, longest_delay_s=0.0, retention_days=retention_days)
    forwarder = Forwarder(rig.journal, rig.ledger, sink, config, lambda: NOW_S + 1.5)
    job = asyncio.create_task(forwarder.run())
    async with asyncio.timeout(20):
        await rig.journal.drained.wait()
    job.cancel()
    return forwarder


async def test_an_outage_delays_readings_but_loses_none(tmp_path: Path) -> None:
    rig, sink = Rig(tmp_path, "ys-07"), FakeSink(failures=3)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, 1, 2]))
    await rig.take(data("ys-07", 2, [0, 1, 2]))
    forwarder = await forward_all(rig, sink)
    assert len(sink.stored) == 3
    assert rig.counts("ys-07") == Counts(produced=3, stored=3)
    assert list(forwarder.latencies_s) == pytest.approx([1.5, 1.499, 1.5])


async def test_a_refused_line_is_quarantined_with_the_words_of_the_store(tmp_path: Path) -> None:
    rig, sink = Rig(tmp_path, "ys-07", "ys-08"), FakeSink(refuses="level_m=0.666")
    await rig.take(
        birth(), birth("ys-08"), data("ys-08", 0, [0, 1, 1]), data("ys-07", 0, [0, 1, 2], [1, 666, 2])
    )
    await forward_all(rig, sink)
    assert sorted(set(sink.stored)) == sorted(line for line in sink.stored) and len(sink.stored) == 2
    assert rig.counts("ys-07") == Counts(produced=2, stored=1, quarantined=1)
    assert rig.counts("ys-08") == Counts(produced=1, stored=1)
    ((entry,)) = await rig.journal.quarantine_after(0, 10)
    assert (entry["node"], entry["reason"], entry["detail"]) == ("ys-07", "store_rejected", "400: no")
    assert b"level_m=0.666" in entry["payload"]


async def test_readings_beyond_the_retention_are_kept_instead_of_sent_to_be_dropped(tmp_path: Path) -> None:
    rig, sink = Rig(tmp_path, "ys-07"), FakeSink()
    old_ms = NOW_MS - 8 * 86_400_000
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], t0_ms=old_ms), data("ys-07", 1, [0, 1, 2]))
    await rig.take(data("ys-07", 2, [0, 1, 2], t0_ms=old_ms))
    await forward_all(rig, sink, retention_days=7)
    assert len(sink.stored) == 1 and sink.stored[0].endswith(f" {NOW_MS}000000")
    assert rig.counts("ys-07") == Counts(produced=3, stored=1, quarantined=2)
    kept = await rig.journal.quarantine_after(0, 10)
    assert [entry["reason"] for entry in kept] == ["beyond_retention"] * 2


async def test_a_journal_that_cannot_be_written_is_waited_out_and_nothing_is_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, sink = Rig(tmp_path, "ys-07"), FakeSink()
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    release, failures = rig.journal.release, [JournalError("disk full"), JournalError("disk full")]

    async def fails_twice(blocks: list[Block], outcome: Outcome) -> None:
        if failures:
            raise failures.pop()
        await release(blocks, outcome)

    monkeypatch.setattr(rig.journal, "release", fails_twice)
    await forward_all(rig, sink)
    assert len(sink.stored) == 1
    assert rig.counts("ys-07") == Counts(produced=1, stored=1)


async def test_a_refused_line_is_stored_after_its_cause_was_mended(tmp_path: Path) -> None:
    rig, sink = Rig(tmp_path, "ys-07"), FakeSink(refuses="level_m=0.666")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, 666, 2]))
    await forward_all(rig, sink)
    sink.refuses = "\0"
    assert mark_for_retry(rig.journal.path, ids=[], reason="store_rejected") == 1
    await rig.committer.retake(1000)
    await forward_all(rig, sink)
    assert len(set(sink.stored)) == 2
    assert rig.counts("ys-07") == Counts(produced=2, stored=2)


async def test_blocks_written_before_a_crash_are_forwarded_after_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    rig.journal.close()
    rig, sink = Rig(tmp_path, "ys-07"), FakeSink()
    await forward_all(rig, sink)
    assert len(sink.stored) == 1
    rig.journal.close()
    assert Rig(tmp_path, "ys-07").counts("ys-07") == Counts(produced=1, stored=1)


@given(st.integers(1, 300), st.data())
async def test_bisection_finds_exactly_the_bad_lines(count: int, drawn: st.DataObject) -> None:
    bad = drawn.draw(st.sets(st.integers(0, count - 1), max_size=4))
    lines = [f"bad {i}" if i in bad else f"good {i}" for i in range(count)]
    sink = FakeSink(refuses="bad")
    assert set(await bisect(sink, "\n".join(lines).encode())) == bad
    assert sorted(sink.stored) == sorted(line for line in lines if line.startswith("good"))


@pytest.mark.parametrize("count", [1, 2, 3, 100, 5000, 8192])
async def test_one_bad_line_costs_few_requests(count: int) -> None:
    for at in (0, count // 2, count - 1):
        sink = FakeSink(refuses="bad")
        await bisect(sink, b"\n".join([b"bad" if i == at else b"good" for i in range(count)]))
        assert sink.requests <= 2 * math.ceil(math.log2(count)) + 2
