"""A journal at its limits: thinned out, then dropped, by priority, and every reading of it accounted for."""

from dataclasses import replace
from pathlib import Path

from gateway_rig import COLUMNS, NOW_MS, Rig, birth, data, registered

from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Column, decode_birth, encode_birth
from gateway.account import Counts
from gateway.arrival import Arrival
from gateway.database import JournalError
from gateway.ledger import Drop
from gateway.shed import MB, BacklogConfig, Disk, Shedder
from gateway.statement import read_accounts

LAMP, STAGE = "lamp-01", "stage-01"  # of low and of high priority
PLENTY = 10**12


class Scene:
    """A gateway with a lamp and a stage station, and a disk whose free room is told."""

    def __init__(self, folder: Path, **limits: float) -> None:
        self.rig = Rig(folder)
        self.rig.roster.replace([registered(LAMP, "streetlight"), registered(STAGE)])
        self.free_bytes = PLENTY
        self.shedder = self.shed_with(**limits)

    def shed_with(self, **limits: float) -> Shedder:
        return Shedder(
            self.rig.journal,
            self.rig.ledger,
            BacklogConfig(**{"thin_to_s": 60.0, **limits}),
            self.rig.committer.lock,
            now=lambda: self.rig.now_s,
            disk=lambda _: Disk(self.free_bytes, PLENTY),
        )

    async def fill(self, packs: int, rows: int = 100) -> None:
        """Let both nodes make so many packs of readings, one a second."""
        lamp = replace(
            decode_birth(birth(LAMP).payload), kind="streetlight", columns=(Column("power_w", 1), *COLUMNS[1:])
        )
        await self.rig.take(Arrival(topic(LAMP, Leaf.BIRTH), encode_birth(lamp), NOW_MS), birth(STAGE))
        for pack in range(packs):
            start_ms = NOW_MS - 86_400_000 + pack * rows * 1000
            said: list[list[int | None]] = [[i * 1000, (i * 7) % 90, 2] for i in range(rows)]
            for node in (LAMP, STAGE):
                await self.rig.take(data(node, pack * rows, *said, t0_ms=start_ms))

    def counts(self, node: str) -> Counts:
        found = self.rig.counts(node)
        assert found.balanced
        return found

    def used_mb(self) -> float:
        return self.rig.journal.size_bytes()[0] / MB


async def test_within_its_limits_nothing_is_let_go(tmp_path: Path) -> None:
    scene = Scene(tmp_path, most_mb=100.0)
    await scene.fill(20)
    await scene.shedder.keep_limits()
    assert scene.rig.accounts.total() == Counts(produced=4000, queued=4000)


async def test_the_least_important_gives_way_first(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.fill(100)
    await scene.shed_with(most_mb=scene.used_mb() * 0.7).keep_limits()
    lamp, stage = scene.counts(LAMP), scene.counts(STAGE)
    assert set(lamp.reasons) == {"dropped_thinned"}
    assert lamp.dropped > 5000
    assert stage == Counts(produced=10_000, queued=10_000)


async def test_thinning_reaches_all_before_anything_is_dropped(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.fill(100)
    await scene.shed_with(most_mb=scene.used_mb() * 0.3).keep_limits()
    lamp, stage = scene.counts(LAMP), scene.counts(STAGE)
    assert set(lamp.reasons) == set(stage.reasons) == {"dropped_thinned"}
    assert lamp.queued > 100, "a chart of it looks the same"


async def test_under_need_the_oldest_of_the_lowest_priority_is_dropped(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.fill(100)
    await scene.shed_with(most_mb=scene.used_mb() * 0.12).keep_limits()
    lamp, stage = scene.counts(LAMP), scene.counts(STAGE)
    assert lamp.reasons["dropped_no_room"] > 0
    assert "dropped_no_room" not in stage.reasons
    lines = [line for line in await scene.rig.lines() if line.startswith("streetlight")]
    times = [int(line.rsplit(" ", 1)[1]) for line in lines]
    assert not times or min(times) > (NOW_MS - 86_400_000) * 10**6, "the oldest went"


async def test_a_disk_that_runs_full_is_a_limit_as_well(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_free_mb=1.0)
    await scene.fill(100)
    scene.free_bytes = round(0.6 * MB)
    await scene.shedder.keep_limits()
    assert scene.counts(LAMP).dropped > 0
    assert scene.rig.journal.size_bytes()[1] + scene.free_bytes >= MB, "there is room again within the file"


async def test_a_small_disk_keeps_a_tenth_of_it_free(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_free_mb=256.0)
    await scene.fill(10)
    for free_mb, lets_go in ((21, False), (19, True)):
        disk = Disk(free_mb * MB - scene.rig.journal.size_bytes()[1], 200 * MB)
        scene.shedder._disk = lambda _, disk=disk: disk
        await scene.shedder.keep_limits()
        assert (scene.rig.accounts.total().dropped > 0) is lets_go


async def test_nothing_left_to_let_go_is_said_and_is_no_crash(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_free_mb=10.0)
    await scene.fill(10)
    scene.free_bytes = 0
    await scene.shedder.keep_limits()
    assert "nothing left" in scene.shedder.trouble
    assert scene.counts(STAGE).reasons["dropped_no_room"] > 0
    scene.free_bytes = PLENTY
    await scene.shedder.keep_limits()
    assert scene.shedder.trouble == ""


async def test_what_is_under_way_to_the_store_is_left_alone(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_free_mb=10.0)
    await scene.fill(10)
    lent = await scene.rig.lend(500)
    scene.free_bytes = 0
    await scene.shedder.keep_limits()
    assert scene.rig.accounts.total().queued == sum(block.readings for block in lent)


async def test_each_priority_may_wait_its_own_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path, low_most_days=1.0, high_most_days=3.0)
    await scene.fill(10)
    scene.rig.now_s += 2 * 86_400
    await scene.shedder.keep_limits()
    assert scene.counts(LAMP) == Counts(produced=1000, dropped=1000, reasons={"dropped_too_old": 1000})
    assert scene.counts(STAGE) == Counts(produced=1000, queued=1000)


async def test_the_account_is_the_same_after_a_restart(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.fill(50)
    await scene.shed_with(most_mb=scene.used_mb() * 0.5).keep_limits()
    before = scene.rig.accounts.nodes()
    scene.rig.journal.close()
    assert read_accounts(tmp_path / "journal.db") == before
    again = Rig(tmp_path, LAMP, STAGE)
    assert again.accounts.nodes() == before


async def test_a_reading_that_was_let_go_is_not_asked_for_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.fill(50)
    await scene.shed_with(most_mb=scene.used_mb() * 0.5).keep_limits()
    assert scene.rig.ledger.streams[LAMP, 1].awaited() == []
    assert scene.rig.ledger.streams[LAMP, 1].upto() == 5000


async def test_a_full_quarantine_lets_its_oldest_go_and_counts_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path, quarantine_mb=0.5)
    rig = scene.rig
    for _ in range(400):
        await rig.take(Arrival(topic(STAGE, Leaf.DATA), b"\xff" * 4000, NOW_MS))
    await rig.take(birth(STAGE), *[data(STAGE, seq, [0, 1]) for seq in range(3000)])
    await scene.shedder.keep_limits()
    counts = scene.counts(STAGE)
    assert counts.produced == 3400
    assert counts.dropped == counts.reasons[f"dropped_{Drop.QUARANTINE_FULL}"] > 400
    assert counts.quarantined == rig.journal.quarantined > 0
    rig.journal.close()
    assert read_accounts(tmp_path / "journal.db")[STAGE] == counts


async def test_a_disk_that_takes_nothing_leaves_everything_as_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_free_mb=10.0)
    await scene.fill(10)
    scene.free_bytes = 0
    await scene.rig.journal.run(lambda db: db.execute("PRAGMA query_only = 1"))
    try:
        await scene.shedder.keep_limits()
    except JournalError as error:
        assert "readonly" in error.message
    else:
        raise AssertionError("nothing was told")
    assert scene.rig.accounts.total() == Counts(produced=2000, queued=2000)
    assert len(await scene.rig.lines()) == 2000, "all of it can be lent"
