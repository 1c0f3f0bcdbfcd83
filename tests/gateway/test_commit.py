"""The commit: what becomes of good and bad messages, and when they are acknowledged."""

import asyncio
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gateway_rig import NOW_MS, Rig, birth, data, registered
from hypothesis import given
from hypothesis import strategies as st

from edge.model.quality import Clock
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Ack, Pack, encode_pack
from gateway import journal, quarantine
from gateway.account import Counts
from gateway.arrival import Arrival
from gateway.block import Quarantined
from gateway.commit import NOBODY
from gateway.database import JournalError
from gateway.journal import Change
from gateway.statement import mark_for_retry


def reasons(rig: Rig) -> list[str]:
    """Return the reasons of all quarantined entries, oldest first."""
    with sqlite3.connect(rig.journal.path) as db:
        return [row[0] for row in db.execute("SELECT reason FROM quarantine ORDER BY id")]


async def test_a_pack_becomes_lines_and_is_acknowledged_to_broker_and_node(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    arrivals = [birth(), data("ys-07", 0, [0, 3120, 371], [60_000, 3121, None])]
    await rig.take(*arrivals)
    assert await rig.lines() == [
        f"water_level,district=yangpu,node=ys-07,site=s1 level_m=3.12,battery_v=3.71 {NOW_MS}000000",
        f"water_level,district=yangpu,node=ys-07,site=s1 level_m=3.121,battery_v_qc=9i {NOW_MS + 60_000}000000",
    ]
    assert rig.source.settled == arrivals
    assert rig.source.sent == [("ys-07", Ack(1, 2))]
    assert rig.counts("ys-07") == Counts(produced=2, queued=2)


async def test_a_duplicate_in_any_pattern_is_stored_once_and_acknowledged_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    rows = [[i * 1000, 3000 + i, 371] for i in range(6)]
    await rig.take(birth(), data("ys-07", 0, *rows[:4]))
    await rig.take(data("ys-07", 0, *rows[:4]), data("ys-07", 2, *rows[2:6], t0_ms=NOW_MS))
    assert len(await rig.lines()) == 6
    assert rig.counts("ys-07") == Counts(produced=6, queued=6)
    assert rig.source.sent[-1] == ("ys-07", Ack(1, 6))


async def test_a_value_that_no_sensor_gives_is_set_aside_and_its_neighbours_stay(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, -9_999_000, 371]))
    (line,) = await rig.lines()
    assert "level_m_rejected=-9999.0,level_m_qc=4i,battery_v=3.71" in line


async def test_a_bad_row_is_quarantined_and_the_others_of_its_pack_are_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    pack = Pack(1, 1, 0, NOW_MS, Clock.SYNCED, [[0, 1, 2], [1, "x", 2], [2, 5, 6], [3], [4, 7, 8]])
    await rig.take(birth(), Arrival(topic("ys-07", Leaf.DATA), encode_pack(pack), NOW_MS))
    assert len(await rig.lines()) == 3
    assert reasons(rig) == ["bad_type", "bad_type"]
    assert rig.counts("ys-07") == Counts(produced=5, queued=3, quarantined=2)
    assert rig.source.sent[-1] == ("ys-07", Ack(1, 5))


@pytest.mark.parametrize("t0_ms", [0, 946_684_800_000, NOW_MS + 30 * 86_400_000, -1])
async def test_a_time_that_cannot_be_is_quarantined(tmp_path: Path, t0_ms: int) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], t0_ms=t0_ms))
    assert reasons(rig) == ["bad_time"]
    assert rig.counts("ys-07") == Counts(produced=1, quarantined=1)


async def test_what_cannot_be_taken_is_kept_with_its_reason(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(
        birth(),
        Arrival(topic("ys-07", Leaf.DATA), b"\xff", NOW_MS),
        Arrival(topic("ys-07", Leaf.DATA), b"\x01", NOW_MS),
        Arrival("cn/v1/ys-07/data/more", b"", NOW_MS),
        data("ys-07", 0, [0, 1, 2], schema=9),
        data("nobody", 0, [0, 1, 2], [1, 1, 2]),
        birth("nobody"),
        Arrival(topic("ys-07", Leaf.BIRTH), birth("ys-08").payload, NOW_MS),
    )
    assert reasons(rig) == [
        "not_cbor", "bad_type", "bad_topic", "unknown_schema", "unregistered", "unregistered", "not_own",
    ]  # fmt: skip
    assert rig.counts("ys-07") == Counts(produced=4, quarantined=4)
    assert rig.counts("nobody") == Counts(produced=3, quarantined=3)
    assert rig.counts(NOBODY) == Counts(produced=1, quarantined=1)


async def test_a_node_that_is_registered_after_its_birth_is_understood_from_then_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    assert reasons(rig) == ["unregistered", "unregistered"]
    rig.roster.replace([registered("ys-07")])
    rig.committer.forget_intakes()
    await rig.take(data("ys-07", 1, [0, 1, 2]))
    assert rig.counts("ys-07") == Counts(produced=3, queued=1, quarantined=2)


async def retry(rig: Rig) -> None:
    """Do what the gateway does every second."""
    await rig.journal.write(
        lambda db: quarantine.mark_registered(db, lambda node: rig.roster.find(node) is not None)
    )
    await rig.committer.retake(1000)


async def test_what_came_before_the_registration_is_stored_after_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, 1, 2]))
    assert rig.counts("ys-07") == Counts(produced=3, quarantined=3)
    rig.roster.replace([registered("ys-07")])
    rig.committer.forget_intakes()
    await retry(rig)
    assert len(await rig.lines()) == 2
    assert rig.counts("ys-07") == Counts(produced=2, queued=2)
    assert rig.journal.quarantined == 0 and reasons(rig) == []


async def test_what_came_before_its_birth_is_stored_after_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(data("ys-07", 0, [0, 1, 2]))
    assert reasons(rig) == ["unknown_schema"]
    await rig.take(birth())
    await retry(rig)
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)


async def test_an_entry_that_is_tried_in_vain_returns_once_and_is_not_tried_for_ever(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [-NOW_MS, 1, 2]))
    await rig.take(Arrival(topic("ys-07", Leaf.DATA), b"\xff", NOW_MS))
    assert mark_for_retry(rig.journal.path, ids=[]) == 2
    before = rig.counts("ys-07")
    await retry(rig)
    assert rig.counts("ys-07") == before == Counts(produced=3, queued=1, quarantined=2)
    assert await rig.marked() == []
    rig.journal.close()
    assert Rig(tmp_path, "ys-07").counts("ys-07") == before


async def test_a_repaired_payload_is_stored(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1]))
    assert reasons(rig) == ["bad_type"]
    repaired = encode_pack(Pack(1, 1, 0, NOW_MS, Clock.SYNCED, [[0, 1, 2]]))
    assert mark_for_retry(rig.journal.path, ids=[1], payload=repaired) == 1
    await retry(rig)
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)


async def test_a_registration_that_cannot_be_written_harms_its_node_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-08")
    rig.roster.replace([replace(registered("ys-07"), site="a\\"), registered("ys-08")])
    await rig.take(birth(), birth("ys-08"), data("ys-07", 0, [0, 1, 2]), data("ys-08", 0, [0, 1, 2]))
    assert reasons(rig) == ["bad_registration"]
    assert len(await rig.lines()) == 1


async def test_news_has_a_lane_of_its_own_beside_a_backlog(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth())
    for seq in range(50):
        await rig.take(replace(data("ys-07", seq, [0, seq, 2]), time_ms=NOW_MS - 60_000))
    await rig.take(data("ys-07", 50, [0, 50, 2]))
    news, backlog = await rig.journal.news(10), await rig.journal.backlog(10)
    assert [block.manifest[0].first for block in news] == [50]
    assert [block.manifest[0].first for block in backlog] == list(range(10))
    assert [block.manifest[0].first for block in await rig.journal.backlog(10)] == list(range(10, 20))


async def test_both_lanes_share_news_that_one_request_cannot_take(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth())
    for seq in range(20):
        await rig.take(data("ys-07", seq, [0, seq, 2]))
    backlog, news = await rig.journal.backlog(8), await rig.journal.news(8)
    assert [block.manifest[0].first for block in backlog] == list(range(8))
    assert [block.manifest[0].first for block in news] == list(range(12, 20))


async def test_a_block_that_is_given_back_can_be_lent_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    lent = await rig.journal.news(10)
    assert await rig.lend(10) == []
    rig.journal.give_back(lent)
    assert [block.id for block in await rig.journal.news(10)] == [block.id for block in lent]


@given(st.sampled_from([*Leaf, "data/x"]), st.binary(max_size=60) | st.just(birth().payload))
async def test_no_message_whatever_stops_the_gateway(leaf: str, payload: bytes) -> None:
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), "ys-07")
        await rig.take(Arrival(f"cn/v1/ys-07/{leaf}", payload, NOW_MS), birth(), data("ys-07", 0, [0, 1, 2]))
        assert rig.counts("ys-07").balanced
        assert rig.counts("ys-07").queued >= 1
        rig.journal.close()


async def test_an_account_survives_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2], [1, "x", 2]), data("ys-07", 7, [0, 1, 2]))  # type: ignore[list-item]
    before = rig.counts("ys-07")
    rig.journal.close()
    again = Rig(tmp_path, "ys-07")
    assert again.counts("ys-07") == before == Counts(produced=8, queued=1 + 1 + 5, quarantined=1)
    await again.take(data("ys-07", 0, [0, 1, 2]))  # known by its birth of the life before, and a duplicate
    assert again.counts("ys-07") == before


@pytest.mark.parametrize("begun", [False, True])
async def test_a_gateway_that_ends_in_the_middle_of_a_commit_leaves_no_reading_without_a_place(
    tmp_path: Path, begun: bool
) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    free = threading.Event()
    busy = asyncio.ensure_future(rig.journal.run(lambda _: free.wait(10)))  # the disk is at something else
    taking = asyncio.ensure_future(rig.take(data("ys-07", 1, [0, 1, 2], [1, 1, 2])))
    for _ in range(5):
        await asyncio.sleep(0)
    if begun:
        free.set()
        await busy
    taking.cancel()
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await busy
    await rig.committer.save()
    rig.journal.close()
    again = Rig(tmp_path, "ys-07")
    assert again.counts("ys-07") == Counts(produced=3, queued=3)
    assert len(await again.lines()) == 3


async def test_a_gap_is_asked_for_again_in_exact_ranges_but_not_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(
        birth(), data("ys-07", 0, [0, 1, 2]), data("ys-07", 4, [0, 1, 2]), data("ys-07", 9, [0, 1, 2])
    )
    assert rig.source.sent[-1] == ("ys-07", Ack(1, 1))
    assert rig.committer.acks.gaps() == []
    rig.now_s += 3
    rig.committer.acks.acknowledge(rig.committer.acks.gaps(), rig.source)
    assert rig.source.sent[-1] == ("ys-07", Ack(1, 1, ((1, 3), (5, 8))))
    assert rig.committer.acks.gaps() == []
    asked = []
    for _ in range(100):  # a node that stays away is asked ever less often
        rig.now_s += 1
        asked += rig.committer.acks.gaps()
        rig.committer.acks.acknowledge(rig.committer.acks.gaps(), rig.source)
    assert 3 <= len(asked) <= 6
    await rig.take(data("ys-07", 1, *[[i, 1, 2] for i in range(8)]))
    assert rig.source.sent[-1] == ("ys-07", Ack(1, 10))
    rig.now_s += 60
    assert rig.committer.acks.gaps() == []


async def test_what_a_start_lost_is_asked_for_again_after_the_next_one(tmp_path: Path) -> None:
    """A start tells that readings of an earlier one are gone; the next one has forgotten that it was asked."""
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(boot=1), data("ys-07", 0, [0, 4720, 371], boot=1))
    await rig.take(birth(boot=2, following=2, oldest=(1, 0)))  # its two readings go with the power
    await rig.take(birth(boot=3, oldest=(1, 0)))
    rig.now_s += 4
    assert rig.committer.acks.gaps() == [("ys-07", 2)]
    await rig.take(birth(boot=3, oldest=(2, 2)))
    rig.committer.acks.acknowledge(rig.committer.acks.gaps(), rig.source)
    assert rig.counts("ys-07").missing == 2 and rig.committer.acks.gaps() == []

    await rig.take(birth(boot=4, oldest=(1, 0)))
    rig.now_s += 4
    assert rig.committer.acks.gaps() == [("ys-07", 2)]
    await rig.take(birth(boot=4, oldest=(2, 2)))

    assert rig.counts("ys-07").missing == 2 and rig.counts("ys-07").queued == 1


async def test_what_a_node_no_longer_has_is_missing_not_awaited(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    await rig.take(birth(following=10, oldest=(1, 6)))
    assert rig.counts("ys-07") == Counts(
        produced=10, queued=1 + 4, missing=5, reasons={"missing_overwritten": 5}
    )
    await rig.take(birth(boot=2, oldest=(2, 0)))
    reasons = {"missing_overwritten": 5, "missing_restarted": 4}
    assert rig.counts("ys-07") == Counts(produced=10, queued=1, missing=9, reasons=reasons)
    assert rig.source.sent[-1] == ("ys-07", Ack(2, 0))


async def test_a_failed_commit_changes_nothing_and_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    settled, sent = len(rig.source.settled), len(rig.source.sent)

    def full(db: sqlite3.Connection, change: Change, body: bytes) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        with pytest.raises(JournalError, match="disk is full"):
            await rig.take(data("ys-07", 1, [0, 1, 2]))
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)
    assert (len(rig.source.settled), len(rig.source.sent)) == (settled, sent)
    await rig.take(data("ys-07", 1, [0, 1, 2]))
    assert rig.counts("ys-07") == Counts(produced=2, queued=2)


async def test_a_failed_commit_with_the_births_of_two_devices_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, "ys-07")

    def full(db: sqlite3.Connection, change: Change, body: bytes) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    births = birth(boot=70001), birth(boot=80001)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        with pytest.raises(JournalError, match="disk is full"):
            await rig.take(*births)
    await rig.take(*births, data("ys-07", 0, [0, 1, 2], boot=80001))
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)


async def test_the_account_is_true_in_the_middle_of_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(), data("ys-07", 0, [0, 1, 2]))
    seen: list[Counts] = []
    write = journal._write

    def look(db: sqlite3.Connection, change: Change, body: bytes) -> int | None:
        seen.append(rig.counts("ys-07"))
        return write(db, change, body)

    monkeypatch.setattr(journal, "_write", look)
    await rig.take(data("ys-07", 1, [0, 1, 2]))
    assert seen == [Counts(produced=1, queued=1)]
    assert rig.counts("ys-07") == Counts(produced=2, queued=2)


async def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    rig.journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("UPDATE meta SET value = 99 WHERE key = 'format'")
    with pytest.raises(JournalError, match="newer version"):
        Rig(tmp_path, "ys-07")


async def test_a_will_of_an_older_boot_says_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(boot=5), Arrival(topic("ys-07", Leaf.DEATH), bytes.fromhex("820104"), NOW_MS))
    assert rig.committer.alive == {"ys-07": 5}
    await rig.take(Arrival(topic("ys-07", Leaf.DEATH), bytes.fromhex("820105"), NOW_MS))
    assert rig.committer.alive == {}


def test_quarantined_entries_stand_for_one_reading_unless_said() -> None:
    entry = Quarantined(time_ms=0, node="n", reason="r", detail="", topic="", payload=b"")
    assert (entry.readings, entry.boot) == (1, None)
