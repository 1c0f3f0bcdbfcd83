"""The gateway's whole intake without a disk: a message is taken, taken again, and what it left is tried again.

An input is a byte that chooses the leaf, and the payload. A birth of the node stands before it.
"""

from __future__ import annotations

import asyncio
import atexit
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from gateway_rig import NOW_MS, NOW_S, FakeSource, birth, registered

from edge.model.quality import Clock
from edge.protocol.lines import parse_lines
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Death, Pack, encode_death, encode_pack
from gateway.account import Accounts
from gateway.arrival import Arrival
from gateway.block import Kept, Quarantined
from gateway.commit import Committer
from gateway.episodes import Episodes
from gateway.journal import Change
from gateway.ledger import Ledger
from gateway.roster import Roster
from gateway.stages.states import QualityStates
from gateway.watchers import Watchers

NODE = "ys-07"
LEAVES = (Leaf.DATA, Leaf.BIRTH, Leaf.REPLAY, Leaf.DEATH, Leaf.REPLY)
_ROSTER = Roster([registered(NODE)])
_BIRTH = birth(NODE).payload
"""What the node said of itself before: columns of gateway_rig, schema 1."""


class NoDisk:
    """Stands where the journal stands, and forgets everything but the last change."""

    def __init__(self) -> None:
        self.change = Change()
        self.kept: list[Kept] = []

    def births(self) -> list[bytes]:
        """Return the births on the disk."""
        return [_BIRTH]

    async def marked(self, most: int) -> list[Kept]:
        """Return what was put aside to be tried again."""
        return self.kept

    async def commit(self, change: Change) -> None:
        """Keep the change for the judge."""
        self.change = change


def seeds() -> tuple[bytes, ...]:
    """Return messages of every leaf, good and half good."""
    packs = [
        Pack(1, 1, 0, NOW_MS, Clock.SYNCED, [[0, 3120, 1250], [1000, None, 1251], [2000, 10**9, -5]]),
        Pack(1, 120_417, 7, NOW_MS, Clock.UNKNOWN, [[0, 3120, 1250], ["no reading"], [0, 1, 2, 3]]),
        Pack(1, 2, 2**32 - 5, NOW_MS, Clock.ESTIMATED, [[-1000, 3120, None]]),
        Pack(9, 1, 0, NOW_MS, Clock.SYNCED, [[0, 1]]),
    ]
    rows = json.loads((Path(__file__).parent.parent / "vectors/native.json").read_text(encoding="utf-8"))
    births = [bytes.fromhex(row["hex"]) for row in rows if row["message"] == "birth"]
    return (
        *(bytes([leaf]) + encode_pack(pack) for leaf in (0, 2) for pack in packs),
        *(b"\x01" + payload for payload in (_BIRTH, *births)),
        b"\x03" + encode_death(Death(1)),
    )


def take(message: bytes, expect: Callable[[bool, str], None]) -> str:
    """Take a message as the gateway does; `expect` is told each promise. Returns what became of it."""
    leaf = LEAVES[message[0] % len(LEAVES)] if message else Leaf.DATA
    arrival = Arrival(topic(NODE, leaf), message[1:], NOW_MS)
    disk, source, ledger = NoDisk(), FakeSource(), Ledger()
    committer = Committer(
        disk,  # type: ignore[arg-type]
        ledger,
        _ROSTER,
        Episodes("gw-01"),
        Watchers(()),
        QualityStates(),
        now=lambda: NOW_S,
    )
    _now(committer.take([arrival], source))
    first = disk.change
    _check(first, ledger, expect)
    entered = sum(entry.readings for entry in first.manifest)
    kept = sum(entry.readings for entry in first.quarantined if entry.boot is not None)
    expect(
        entered + kept == sum(stream.seen.count() for stream in ledger.streams.values()), "nothing is forgotten"
    )
    expect(source.settled == [arrival], "a message is settled once")

    _now(committer.take([arrival], source))
    again = disk.change
    expect(
        not again.lines and not [e for e in again.quarantined if e.boot is not None], "a repeat changes nothing"
    )

    disk.kept = [_kept(entry, index) for index, entry in enumerate(first.quarantined)]
    _now(committer.retake(1000))
    _check(disk.change, None, expect)
    if first.quarantined:
        return f"{first.quarantined[0].reason}: {first.quarantined[0].detail}"
    return "accepted"


def _check(change: Change, ledger: Ledger | None, expect: Callable[[bool, str], None]) -> None:
    entered = sum(entry.readings for entry in change.manifest)
    expect(entered == len(change.lines) == len(change.times_ms), "a line for every reading that was entered")
    for line in change.lines:
        expect(len(parse_lines(line)) == 1, "what is written is one line of line protocol")
    for entry in change.quarantined:
        for text in (entry.reason, entry.detail, entry.topic, entry.node):
            text.encode()  # what a database can keep
    if ledger is not None:
        queued = {NODE: entered}
        for counts in Accounts(ledger, queued).nodes().values():
            expect(counts.balanced, "the account balances")


def _kept(entry: Quarantined, number: int) -> Kept:
    return Kept(**{name: getattr(entry, name) for name in Quarantined.__slots__}, id=number)


_RUNNER = asyncio.Runner()
atexit.register(_RUNNER.close)


def _now(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine to its end, all in one loop: a million of them are too many for one each."""
    _RUNNER.run(work)
