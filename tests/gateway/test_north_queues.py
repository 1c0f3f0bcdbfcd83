"""What waits for norths, against a model: any order of packs, answers, limits, crashes; and what is wanted."""

import asyncio
import re
import sqlite3
from collections import Counter
from collections.abc import Coroutine
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from gateway_rig import NOW_MS, NOW_S, Rig, birth, data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.config import read_table
from edge.model.errors import ConfigError
from gateway.block import Quarantined
from gateway.cli import ledger
from gateway.journal import Change
from gateway.north.batch import Batch
from gateway.north.config import NorthConfig, check_norths
from gateway.north.queues import DAY_MS, MB, Queues
from gateway.north.reading import Choice, read_line
from gateway.shed import BacklogConfig, Disk, Shedder
from gateway.statement import mark_for_retry, read_norths
from gateway.tally import GivenUp, Held, Tally, beyond_limits, mended

ALL = NorthConfig(name="all", url="mqtt://north:1883")
SOME = NorthConfig(name="some", url="mqtt://north:1883", nodes=("node-a",))


class Norths(RuleBasedStateMachine):
    """A reading is (node, number); its level is the number in millimetres."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.made: set[tuple[str, int]] = set()
        self.delivered: dict[str, Counter[tuple[str, int]]] = {"all": Counter(), "some": Counter()}
        self.given_up = Counter[str]()
        self.unsettled = False

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def start(self) -> None:
        async def make() -> None:
            self.rig = Rig(Path(self.folder.name), "node-a", "node-b")
            self.queues = Queues([ALL, SOME], self.rig.journal, lambda: self.rig.now_s)
            await self.rig.take(birth("node-a"), birth("node-b"))

        self.do(make())

    @rule(node=st.sampled_from(["node-a", "node-b"]), first=st.integers(0, 40), count=st.integers(1, 9))
    def pack(self, node: str, first: int, count: int) -> None:
        self.rig.now_s += 60
        self.do(self.rig.take(data(node, first, *[[i * 1000, first + i, 1] for i in range(count)])))
        self.made |= {(node, first + i) for i in range(count)}

    @rule(which=st.integers(0, 1), most=st.integers(1, 30), answered=st.integers(0, 3), lost=st.booleans())
    def hand_on(self, which: int, most: int, answered: int, lost: bool) -> None:
        """The broker answers some parcels; then the connection, or the gateway, is lost."""
        queue = self.queues.active[which]
        rows = self.do(queue.take(most))
        batch = Batch(rows, 0)
        for parcel in batch.parcels[:answered]:
            batch.deliver(parcel)
            its = {(parcel.origin.node, round(1000 * (each.samples[0].value or 0))) for each in parcel.readings}
            self.delivered[queue.config.name].update(its)
        if lost:
            self.unsettled = self.unsettled or answered > 0
            self.crash()
        else:
            self.do(queue.settle(rows, batch.settlement()))

    @rule(which=st.integers(0, 1), most_bytes=st.integers(0, 600), age_s=st.integers(0, 900))
    def limit(self, which: int, most_bytes: int, age_s: int) -> None:
        queue = self.queues.active[which]
        before_ms = round(self.rig.now_s * 1000) - age_s * 1000
        lost = self.do(queue.give_up(most_bytes=most_bytes, before_ms=before_ms))
        self.given_up[queue.config.name] += lost.total()
        assert queue.tally.waiting_bytes <= most_bytes

    @rule()
    def crash(self) -> None:
        now_s = self.rig.now_s
        self.rig.journal.close()
        self.start()
        self.rig.now_s = now_s

    @invariant()
    def every_reading_is_delivered_waits_or_was_given_up(self) -> None:
        if not hasattr(self, "rig"):
            return
        on_disk = read_norths(self.rig.journal.path)
        for queue in self.queues.active:
            name, tally = queue.config.name, queue.tally
            assert tally.balanced and on_disk[name] == tally, (on_disk[name], tally)
            wanted = {one for one in self.made if name == "all" or one[0] == "node-a"}
            assert tally.taken == len(wanted)
            assert tally.given_up.total() == self.given_up[name]
            assert set(self.delivered[name]) <= wanted
            if not self.unsettled:
                assert tally.delivered == self.delivered[name].total() == len(self.delivered[name])
        total = sum(counts.produced for counts in self.rig.accounts.nodes().values())
        assert total == sum(counts.accounted for counts in self.rig.accounts.nodes().values())

    def teardown(self) -> None:
        """All that still waits is handed on: then every reading was delivered or given up."""
        if hasattr(self, "rig"):
            for which, queue in enumerate(self.queues.active):
                while queue.tally.waiting:
                    self.hand_on(which, 50, 10**6, lost=False)
                wanted = {one for one in self.made if which == 0 or one[0] == "node-a"}
                assert len(self.delivered[queue.config.name]) >= len(wanted) - self.given_up[queue.config.name]
            self.rig.journal.close()
        self.folder.cleanup()
        self.loop.close()


Norths.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestNorths = Norths.TestCase


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.integers(1, 50)), max_size=12),
    st.integers(0, 400),
    st.integers(0, 9),
)
def test_no_more_is_given_up_than_the_limits_ask_for(
    rows: list[tuple[int, int, int]], most_bytes: int, before_ms: int
) -> None:
    held = [Held(number, since, *rest) for number, (since, *rest) in enumerate(sorted(rows))]
    total = sum(row.size for row in held)
    found = beyond_limits(held, waiting_bytes=total, most_bytes=most_bytes, before_ms=before_ms)
    assert [row for row, _ in found] == held[: len(found)]
    kept = held[len(found) :]
    assert all(row.since_ms >= before_ms for row in kept) and sum(row.size for row in kept) <= most_bytes
    for row, reason in found:
        assert (reason is GivenUp.TOO_OLD) == (row.since_ms < before_ms)
    sizes = list(accumulate((row.size for row, _ in reversed(found)), initial=sum(row.size for row in kept)))
    last_for_room = [reason for _, reason in found[-1:]] == [GivenUp.NO_ROOM]
    assert not last_for_room or sizes[1] > most_bytes  # one row less would have been too few


async def test_what_waits_for_a_north_does_not_count_as_the_stores_backlog(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    queues = Queues([ALL], rig.journal, lambda: NOW_S)
    await rig.take(birth())
    for pack in range(40):
        await rig.take(data("ys-07", pack * 100, *[[i, 1, 2] for i in range(100)]))
    free = [10**12]
    shedder = Shedder(
        rig.journal, rig.ledger, BacklogConfig(most_mb=0.5), rig.committer.lock, now=lambda: NOW_S,
        disk=lambda _: Disk(free[0], 10**12), others=queues,
    )  # fmt: skip
    used_mb = rig.journal.size_bytes()[0] / MB
    assert used_mb > 0.5 > used_mb - queues.waiting_bytes / MB
    await shedder.keep_limits()
    assert rig.counts("ys-07").queued == queues.active[0].tally.waiting == 4000
    free[0] = round(256 * MB - rig.journal.size_bytes()[1] - 0.2 * MB)  # the disk itself runs short
    await shedder.keep_limits()
    tally = queues.active[0].tally
    assert rig.counts("ys-07").queued == 4000 and 0 < tally.waiting < 4000
    assert tally.given_up == {"no_room": 4000 - tally.waiting} and tally.balanced
    rig.journal.close()


async def test_what_waits_too_long_is_given_up_also_for_a_north_that_is_configured_no_more(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, "ys-07")
    Queues([ALL], rig.journal, lambda: NOW_S)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, 1, 2]))
    now_s = [NOW_S]
    queues = Queues([], rig.journal, lambda: now_s[0])
    rig.journal.copier = None
    for days, left in ((6.9, 2), (7.1, 0)):
        now_s[0] = NOW_S + days * DAY_MS / 1000
        await queues.keep_limits()
        assert read_norths(rig.journal.path)["all"].waiting == left
    assert read_norths(rig.journal.path)["all"].given_up == {"too_old": 2}
    rig.journal.close()


async def test_a_line_that_the_store_refused_is_not_handed_on_again_when_it_is_retried(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    queues = Queues([ALL], rig.journal, lambda: NOW_S)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    (line,) = await rig.lines()
    refused = Quarantined(
        time_ms=NOW_MS, node="ys-07", reason="store_rejected", detail="", topic="", payload=line.encode(),
        boot=1, seq=0,
    )  # fmt: skip
    await rig.journal.commit(Change(quarantined=[refused]))
    mark_for_retry(rig.journal.path, ids=[])
    assert await rig.committer.retake(10) == 1
    await rig.take(data("ys-07", 1, [60_000, 5, 2]))
    assert queues.active[0].tally.taken == 2
    rig.journal.close()


async def test_a_row_that_was_damaged_on_the_disk_is_given_up_and_the_rest_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    (queue,) = Queues([ALL], rig.journal, lambda: NOW_S).active
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    await rig.take(data("ys-07", 1, [60_000, 5, 2]))
    await rig.journal.write(
        lambda db: db.execute(
            "UPDATE north_wait SET lines = replace(lines, 'level', 'lev\ufffdl') WHERE id = 1"
        )
    )
    rows = await queue.take(100)
    batch = Batch(rows, 0)
    assert len(batch.parcels) == 1
    batch.deliver(batch.parcels[0])
    await queue.settle(rows, batch.settlement())
    assert (queue.tally.delivered, queue.tally.waiting, queue.tally.given_up) == (1, 0, {"damaged": 1})
    assert read_norths(rig.journal.path)["all"] == queue.tally
    rig.journal.close()


async def test_books_that_were_damaged_balance_after_the_next_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    Queues([ALL], rig.journal, lambda: NOW_S)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, 1, 2]))
    await rig.journal.write(lambda db: db.execute("DELETE FROM north_wait"))
    (queue,) = Queues([ALL], rig.journal, lambda: NOW_S).active
    assert queue.tally == Tally(2, 0, 0, 0, Counter({"damaged": 2}))
    assert read_norths(rig.journal.path)["all"] == queue.tally
    rig.journal.close()


async def test_books_that_hold_nonsense_are_mended_and_what_is_sound_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    Queues([ALL], rig.journal, lambda: NOW_S)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, 1, 2]))
    await rig.take(data("ys-07", 2, [60_000, 5, 2]))
    await rig.journal.write(
        lambda db: db.execute("UPDATE north_wait SET readings = 'x', since_ms = 'y', crc = 'z' WHERE id = 1")
    )
    await rig.journal.write(lambda db: db.execute("UPDATE north SET taken = 'many', given_up = 'why=7'"))
    (queue,) = Queues([ALL], rig.journal, lambda: NOW_S).active
    assert queue.tally.balanced and queue.tally.waiting == 1
    rows = await queue.take(100)
    batch = Batch(rows, 0)
    for parcel in batch.parcels:
        batch.deliver(parcel)
    await queue.settle(rows, batch.settlement())
    assert queue.tally.balanced and (queue.tally.delivered, queue.tally.waiting_bytes) == (1, 0)
    assert read_norths(rig.journal.path)["all"] == queue.tally
    rig.journal.close()


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_mended_tally_balances_and_forgets_nothing(
    taken: int, delivered: int, waiting: int, lost: int
) -> None:
    found = mended(Tally(taken, delivered, waiting, 0, Counter({"no_room": lost})))
    assert found.balanced and found.taken >= taken and found.given_up["no_room"] == lost
    assert (found.delivered, found.waiting) == (delivered, waiting)


LINE = "water_level,district=old\\ town,node=ys-07,site=a\\,b level_m=1.0 1790000000000000000"


@pytest.mark.parametrize(
    ("kinds", "districts", "nodes", "wanted"),
    [
        (("*",), ("*",), ("*",), True),
        (("water_level", "noise"), ("*",), ("*",), True),
        (("noise",), ("*",), ("*",), False),
        (("*",), ("old town",), ("*",), True),
        (("*",), ("old",), ("*",), False),
        (("water_*",), ("*",), ("ys-*",), True),
        (("*",), ("*",), ("ys-1*",), False),
    ],
)
def test_a_north_gets_the_kinds_districts_and_nodes_that_it_wants(
    kinds: tuple[str, ...], districts: tuple[str, ...], nodes: tuple[str, ...], wanted: bool
) -> None:
    assert Choice(kinds, districts, nodes).of([LINE]) == ([LINE] if wanted else [])
    assert read_line(LINE)[0].site == "a,b"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "The North"}, "name"),
        ({"url": "http://x"}, "not a broker URL"),
        ({"topic": "city/{node}/{level}"}, "unknown {level}"),
        ({"topic": "city/{kind}"}, "share one topic"),
        ({"topic": "city/#/{node}"}, "no topic to publish"),
        ({"topic": "city/{node"}, "topic"),
        ({"group": "a/b"}, "Sparkplug allows no"),
        ({"at_once": 0}, "at_once"),
        ({"most_mb": 0.0}, "needs a limit"),
        ({"keep_days": 0.0}, "needs a limit"),
        ({"format": "xml"}, "is none of"),
    ],
)
def test_a_mistake_in_a_north_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        table = {"name": "province", "url": "mqtt://x", **change}
        check_norths((read_table(NorthConfig, table, "gateway.toml.north[0]"),), "gateway.toml")


def test_two_norths_need_two_names() -> None:
    with pytest.raises(ConfigError, match="stands twice"):
        check_norths((ALL, ALL), "gateway.toml")


async def test_the_ledger_shows_a_table_of_norths_and_why_readings_were_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(tmp_path, "ys-07")
    (queue,) = Queues([ALL], rig.journal, lambda: NOW_S).active
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    await rig.take(data("ys-07", 1, [60_000, 5, 2]))
    await queue.give_up(most_bytes=queue.tally.waiting_bytes - 1, before_ms=0)
    rig.journal.close()
    ledger(tmp_path, node=None, as_json=False)
    told = capsys.readouterr().out
    assert re.search(r"all +2 +0 +1 +1 +✓", told)
    assert "1 all: given up: no room in its most_mb, or on the disk" in told


async def test_a_gateway_without_norths_writes_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    Queues([], rig.journal, lambda: NOW_S)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    assert rig.journal.copier is None

    def rows(db: sqlite3.Connection) -> list[Any]:
        return db.execute("SELECT id FROM north_wait UNION SELECT name FROM north").fetchall()

    assert await rig.journal.run(rows) == []
    rig.journal.close()
