"""What becomes of readings, whatever the store does: one suite for all, through journal and forwarder."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import Rig, birth, data
from stores_peers.gate import Fault, until
from stores_peers.place import INFLUXES, Place

from gateway.account import Counts
from gateway.arrival import Arrival
from gateway.books import block_crc
from gateway.forward import ForwardConfig, Forwarder
from gateway.sinks import line_http
from gateway.sinks.line_http import LineHttpSink

pytestmark = pytest.mark.real
START_MS = round(time.time()) * 1000 - 3_600_000
COUNT = 9
DAY_MS = 86_400_000
POISON_WORDS = re.compile("unable to parse|Could not parse|not a number|line 1, column")


def fresh_rig(folder: Path) -> Rig:
    """Return a gateway's inner parts whose clock is this machine's: stores go by theirs."""
    rig = Rig(folder, "ys-07")
    rig.now_s = time.time()
    return rig


def arrived(arrival: Arrival) -> Arrival:
    """Return a message as one that comes now."""
    return Arrival(arrival.topic, arrival.payload, round(time.time() * 1000))


def expected(*indices: int) -> list[tuple[int, float]]:
    """Return what the store has of readings by their number."""
    return [(START_MS + i * 1000, i / 1000 + 1) for i in indices]


async def take_readings(rig: Rig, batteries: Collection[int] = (), count: int = COUNT) -> None:
    """Journal so many readings; those of `batteries` carry a second value."""
    rows: list[list[int | None]] = [[i * 1000, 1000 + i, 370 if i in batteries else None] for i in range(count)]
    await rig.take(arrived(birth()), arrived(data("ys-07", 0, *rows, t0_ms=START_MS)))


@asynccontextmanager
async def forwarding(rig: Rig, place: Place, **options: Any) -> AsyncIterator[Forwarder]:
    """Run the real forwarder on the real sink."""
    sink = LineHttpSink(place.config)
    config = ForwardConfig(retry_delay_s=0.01, longest_delay_s=0.05, **options)
    forwarder = Forwarder(rig.journal, rig.ledger, sink, config, time.time)
    job = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job
        await sink.close()


async def drain(rig: Rig, place: Place, **options: Any) -> None:
    """Forward until nothing waits."""
    async with forwarding(rig, place, **options), asyncio.timeout(20):
        await rig.journal.drained.wait()


async def spoil(rig: Rig, folder: Path, indices: set[int]) -> Rig:
    """Make lines that are no line protocol, as a bug would, in the journal itself; return the gateway anew."""
    rig.journal.close()
    with sqlite3.connect(folder / "journal.db") as db:
        ((block, body, manifest_crc),) = db.execute("SELECT id, lines, manifest_crc FROM block").fetchall()
        lines = body.split(b"\n")
        for index in indices:
            lines[index] = lines[index].replace(b"level_m=1.", b"level_m=1.5.")
        body = b"\n".join(lines)
        db.execute(
            "UPDATE block SET lines = ?, crc = ? WHERE id = ?", (body, block_crc(manifest_crc, body), block)
        )
    return fresh_rig(folder)


async def quarantine(rig: Rig) -> list[tuple[int, str, str]]:
    """Return (time in ms, reason, detail) of what lies in quarantine, in the order of time."""
    kept = await rig.journal.quarantine_after(0, 100)
    return sorted(
        (int(entry["payload"].rpartition(b" ")[2]) // 10**6, entry["reason"], entry["detail"]) for entry in kept
    )


async def test_good_lines_are_stored_once_and_by_one_request(place: Place, tmp_path: Path) -> None:
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    await drain(rig, place)
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)
    assert len(place.gate.bodies) == 1
    assert await place.rows() == expected(*range(COUNT))


@pytest.mark.parametrize("bad", [{4}, {0, 8}, set(range(COUNT))], ids=["in the middle", "at both ends", "all"])
async def test_poison_is_found_and_set_aside_with_the_store_s_words(
    place: Place, tmp_path: Path, bad: set[int]
) -> None:
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    rig = await spoil(rig, tmp_path, bad)
    await drain(rig, place)
    good = sorted(set(range(COUNT)) - bad)
    if not place.tells:  # it said yes to all, and made zeros of them: why it is never the only store
        assert [level == 0 for _, level in await place.rows()] == [index in bad for index in range(COUNT)]
        assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)
        return
    assert await place.rows() == expected(*good)
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=len(good), quarantined=len(bad))
    kept = await quarantine(rig)
    assert [time_ms for time_ms, _, _ in kept] == [START_MS + index * 1000 for index in sorted(bad)]
    assert {reason for _, reason, _ in kept} == {"store_rejected"}
    assert all(words.startswith("400: ") and POISON_WORDS.search(words) for _, _, words in kept), kept
    assert len(place.gate.bodies) <= 2 * COUNT


async def test_a_value_of_another_type_keeps_only_its_own_line_out(place: Place, tmp_path: Path) -> None:
    rig = fresh_rig(tmp_path)
    sink = LineHttpSink(place.config)
    await sink.write(f'water_level,node=other battery_v="full" {START_MS}000000'.encode())
    await sink.close()
    await take_readings(rig, batteries={3, 5})
    await drain(rig, place)
    if not place.tells:  # text is 0 to it
        assert await place.rows() == expected(*range(COUNT))
        return
    assert await place.rows() == expected(0, 1, 2, 4, 6, 7, 8)
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=7, quarantined=2)
    kept = await quarantine(rig)
    assert [time_ms for time_ms, _, _ in kept] == [START_MS + 3000, START_MS + 5000]
    assert all("type" in words or "stored as str" in words for _, _, words in kept), kept


async def test_what_is_older_than_the_store_keeps_is_never_sent(place: Place, tmp_path: Path) -> None:
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    await rig.take(arrived(data("ys-07", COUNT, [0, 1, 1], t0_ms=START_MS - 8 * DAY_MS)))
    await drain(rig, place, retention_days=7)
    assert await place.rows() == expected(*range(COUNT))
    ((time_ms, reason, _),) = await quarantine(rig)
    assert (time_ms, reason) == (START_MS - 8 * DAY_MS, "beyond_retention")
    assert not any(str(START_MS - 8 * DAY_MS).encode() in body for body in place.gate.bodies)


async def test_a_store_that_keeps_less_than_the_gateway_believes(place: Place, tmp_path: Path) -> None:
    """1.x and 2.x name the line; 3.x says 204 and drops it, which `cityneuron store check` warns of."""
    if place.influxdb is not None:
        place.influxdb.query("city", 'ALTER RETENTION POLICY "autogen" ON "city" DURATION 7d')
    if place.contract is not None:
        place.contract.buckets["city"] = 7.0
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    await rig.take(arrived(data("ys-07", COUNT, [0, 1000, None], t0_ms=START_MS - 400 * DAY_MS)))
    await drain(rig, place)
    kept, rows = await quarantine(rig), await place.rows()
    assert rows[-COUNT:] == expected(*range(COUNT))
    if place.name.startswith(("influxdb-1", "influxdb-2")):
        assert len(rows) == COUNT
        ((_, reason, words),) = kept
        assert reason == "store_rejected" and "beyond retention" in words
    else:
        assert len(rows) == COUNT + (place.name == "embedded")  # for ever
        assert kept == []


TROUBLES = {
    "401": Fault(status=401),
    "403": Fault(status=403),
    "404": Fault(status=404),
    "429": Fault(status=429, headers={"Retry-After": "1"}),
    "500": Fault(status=500, body='{"error":"timeout"}'),
    "503": Fault(status=503, headers={"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"}),
    "a 200 of something that is no store": Fault(status=200, body="<html>Sign in</html>"),
    "cut in the body": Fault(cut=True),
    "cut in the body once all is stored": Fault(cut=True, stored=True),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_of_the_store_delays_readings_and_loses_none(
    place: Place, tmp_path: Path, trouble: str
) -> None:
    fault = TROUBLES[trouble]
    place.gate.fault = Fault(
        status=fault.status,
        body=fault.body or place.words.get(fault.status, ""),
        headers=fault.headers,
        cut=fault.cut,
        stored=fault.stored,
    )
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    async with forwarding(rig, place) as forwarder, asyncio.timeout(20):
        await place.gate.troubled.wait()
        assert rig.counts("ys-07") == Counts(produced=COUNT, queued=COUNT)
        await until(lambda: forwarder.trouble)
        place.gate.mend()
        await rig.journal.drained.wait()
    assert forwarder.trouble == ""
    assert await place.rows() == expected(*range(COUNT))
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)
    assert await quarantine(rig) == []
    first_s, *_, last_s = place.gate.asked_s
    assert trouble != "429" or last_s - first_s > 0.9, "not before the store asked for it"


async def test_a_store_that_is_too_slow_is_asked_again(place: Place, tmp_path: Path) -> None:
    place.gate.fault = Fault(slow=True)
    place.config = replace(place.config, timeout_s=0.2)
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    async with forwarding(rig, place) as forwarder, asyncio.timeout(20):
        await until(lambda: "Timeout" in forwarder.trouble)
        place.config = replace(place.config, timeout_s=5.0)
        place.gate.mend()
        await rig.journal.drained.wait()
    assert await place.rows() == expected(*range(COUNT))
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)


async def test_a_body_that_is_too_large_is_divided(place: Place, tmp_path: Path) -> None:
    place.gate.most_lines, place.gate.too_large = (
        2,
        Fault(status=500 if "influxdb-3" in place.name else 413, body=place.words.get(413, "")),
    )
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    await drain(rig, place)
    assert await place.rows() == expected(*range(COUNT))
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)


async def test_the_gateway_itself_bounds_its_bodies(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.x breaks the connection at 25 MB instead of saying 413: the same body would be sent for ever."""
    monkeypatch.setattr(line_http, "MOST_BODY_BYTES", 200)
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    await drain(rig, place)
    assert max(map(len, place.gate.bodies)) <= 200
    assert await place.rows() == expected(*range(COUNT))
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)


@pytest.mark.parametrize("place", INFLUXES, indirect=True)
async def test_a_key_that_is_wrong_and_a_database_that_is_missing_are_mended_without_a_loss(
    place: Place, tmp_path: Path
) -> None:
    """The servers' own words, not the gate's."""
    rig = fresh_rig(tmp_path)
    await take_readings(rig)
    if place.contract is not None:
        tokens, place.contract.tokens = place.contract.tokens, set()
    else:
        assert place.influxdb is not None
        place.influxdb.query("", 'DROP DATABASE "city"')
    async with forwarding(rig, place) as forwarder, asyncio.timeout(20):
        await until(lambda: forwarder.trouble)
        if place.contract is not None:
            assert " 401: " in forwarder.trouble
            place.contract.tokens = tokens
        else:
            assert place.influxdb is not None and "database not found" in forwarder.trouble
            place.influxdb.query("", 'CREATE DATABASE "city"')
        await rig.journal.drained.wait()
    assert await place.rows() == expected(*range(COUNT))
    assert rig.counts("ys-07") == Counts(produced=COUNT, stored=COUNT)
