"""What the embedded store alone must do: survive a kill, a full disk, a wrong batch; keep out of the way."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cloud.errors import StoreFull, StoreRejected, StoreUnavailable
from cloud.stores.embedded import EmbeddedStore
from cloud.stores.protocol import Span
from edge.protocol.lines import parse_lines

ZONE = ZoneInfo("Asia/Shanghai")
EVER = Span(start_ms=0, end_ms=10**12)
# Writes batch after batch and says so after each; the test kills it in the middle.
WRITER = """
import asyncio, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from cloud.stores.embedded import EmbeddedStore
from edge.protocol.lines import parse_lines

async def main():
    store = EmbeddedStore(Path(sys.argv[1]), timezone=ZoneInfo("Asia/Shanghai"))
    await store.open()
    for batch in range(1_000_000):
        rows = range(batch * 100, batch * 100 + 100)
        await store.write(parse_lines("\\n".join(f"m,node=n{i % 7} v={i} {i}" for i in rows), precision="ms"))
        print(batch + 1, flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    made = EmbeddedStore(tmp_path / "store.db", timezone=ZONE)
    await made.open()
    yield made
    await made.close()


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = 0
    async with asyncio.timeout(60):
        while acknowledged < 20:
            acknowledged = int(await process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    acknowledged = max([acknowledged, *(int(line) for line in rest.split(b"\n")[:-1])])
    await process.wait()
    store = EmbeddedStore(path, timezone=ZONE)
    await store.open()
    found = await store.count("m", "v", EVER)
    await store.close()
    assert found >= acknowledged * 100
    assert found % 100 == 0  # a batch is whole or not there


async def test_a_second_start_goes_on_with_the_same_data(tmp_path: Path) -> None:
    for number in range(3):
        store = EmbeddedStore(tmp_path / "store.db", timezone=ZONE)
        await store.open()
        await store.write(parse_lines(f"m,node=a v={number},w{number}=1 {number}", precision="ms"))
        assert await store.count("m", "v", EVER) == number + 1
        await store.close()


async def test_a_full_disk_is_told_and_passes(store: EmbeddedStore) -> None:
    await store.write(parse_lines("m,node=a v=1 1", precision="ms"))
    lines = "\n".join(f'm,node=a text="{"x" * 500}" {n}' for n in range(2, 2_000))
    assert store._db is not None
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 4}")  # SQLite then behaves as on a full disk
    for _ in range(2):
        with pytest.raises(StoreFull, match="full"):
            await store.write(parse_lines(lines, precision="ms"))
    assert await store.count("m", "v", EVER) == 1
    store._db.execute("PRAGMA max_page_count = 1000000")
    await store.write(parse_lines(lines, precision="ms"))
    assert len(await store.latest()) == 1


async def test_a_full_disk_is_507_over_http(client: Any) -> None:
    await client.write("m,node=a v=1 1")
    db = client.cloud.services.store._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + 4}")
    lines = "\n".join(f'm,node=a text="{"x" * 500}" {n}' for n in range(2, 2_000))
    answer = await client.ask("POST", "/api/v2/write", data=lines.encode())
    assert answer.status == 507
    assert "full" in answer.json["message"]
    assert (await client.get("/api/v1/health"))["status"] == "ok"


async def test_one_refused_point_keeps_the_batch_out_and_leaves_no_trace(store: EmbeddedStore) -> None:
    await store.write(parse_lines("m,node=a v=1 1", precision="ms"))
    with pytest.raises(StoreRejected, match="point 3: field 'v' of m,node=a is bool, stored as float"):
        await store.write(parse_lines("new,node=b x=1 1\nm,node=c y=1 2\nm,node=a v=t 3", precision="ms"))
    assert [reading.node for reading in await store.latest()] == ["a"]
    await store.write(parse_lines("new,node=b x=1i 1\nm,node=c y=1i 2", precision="ms"))
    assert len(await store.latest()) == 3


async def test_an_unsigned_number_that_does_not_fit_is_refused(store: EmbeddedStore) -> None:
    await store.write(parse_lines("m,node=a v=9223372036854775807u 1"))
    with pytest.raises(StoreRejected, match="64"):
        await store.write(parse_lines("m,node=a v=18446744073709551615u 2"))


async def test_a_field_that_stands_twice_counts_once(store: EmbeddedStore) -> None:
    await store.write(parse_lines("m,node=a v=1,v=2 1"))
    (reading,) = await store.latest()
    assert reading.values == {"v": 2.0}


async def test_a_long_range_without_a_step_is_cut_off_above_the_limit(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.stores.embedded.RAW_LIMIT", 100)
    await store.write(parse_lines("\n".join(f"m,node=a v=1 {n}" for n in range(200)), precision="ms"))
    assert len(await store.readings("m", "a", "v", EVER)) == 101


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    store = EmbeddedStore(tmp_path / "store.db", timezone=ZONE)
    with pytest.raises(StoreRejected, match="format 99"):
        await store.open()
    await store.close()


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database" * 1_000)
    store = EmbeddedStore(tmp_path / "store.db", timezone=ZONE)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.open()
    await store.close()


async def test_the_event_loop_runs_on_while_the_store_writes(store: EmbeddedStore) -> None:
    points = parse_lines("\n".join(f"m,node=n{n % 50} v={n} {n}" for n in range(20_000)))
    writing = asyncio.create_task(store.write(points))
    turns = 0
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    await writing
    assert turns > 10
