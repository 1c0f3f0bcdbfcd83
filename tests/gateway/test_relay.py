"""Commands to nodes and their replies: said when a node is heard, until it answers; told to the cloud once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway_rig import NOW_MS, Rig, birth, data

from edge.protocol.command import Reply, Status, decode_command, encode_reply
from edge.protocol.topics import Leaf, topic
from gateway import relay
from gateway.arrival import Arrival

MINUTE_MS = 60_000


class Heard:
    """A source that notes down which commands were said to whom."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, int]] = []

    def settle(self, arrivals: list[Arrival]) -> None:
        pass

    def send(self, to: str, payload: bytes) -> None:
        if to.endswith("/cmd"):
            self.commands.append((to.split("/")[2], decode_command(payload).id))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path, "ys-07", "ys-08")
    made.source = Heard()  # type: ignore[assignment]
    return made


def command(ident: int, node: str = "ys-07", **changes: Any) -> dict[str, Any]:
    """Return a command as the cloud tells it."""
    row = {"id": ident, "node": node, "name": "sample", "args": {}, "expires_ms": NOW_MS + 10 * MINUTE_MS}
    return row | changes


def reply(ident: int, status: Status = Status.DONE, node: str = "ys-07", detail: Any = None) -> Arrival:
    """Return a reply as it arrives."""
    return Arrival(topic(node, Leaf.REPLY), encode_reply(Reply(ident, status, detail)), NOW_MS)


async def said(rig: Rig, *arrivals: Arrival) -> list[tuple[str, int]]:
    """Return what nodes were told because of these messages."""
    rig.source.commands.clear()  # type: ignore[attr-defined]
    await rig.take(*arrivals)
    return list(rig.source.commands)  # type: ignore[attr-defined]


async def waiting(rig: Rig) -> list[relay.Answer]:
    return await rig.journal.run(lambda db: relay.waiting(db, 100))


async def test_a_node_is_told_when_it_is_heard_and_nobody_else(rig: Rig) -> None:
    rig.committer.relay.renew([command(1), command(2), command(3, "ys-08")])
    assert await said(rig, birth("ys-07")) == [("ys-07", 1), ("ys-07", 2)]


async def test_it_is_told_again_after_a_while_until_it_answers(rig: Rig) -> None:
    rig.committer.relay.renew([command(1)])
    assert await said(rig, birth()) == [("ys-07", 1)]
    assert await said(rig, data("ys-07", 0, [0, 3_100])) == []
    rig.now_s += 11
    assert await said(rig, data("ys-07", 1, [0, 3_100])) == [("ys-07", 1)]
    rig.now_s += 11
    await rig.take(reply(1))
    assert await said(rig, data("ys-07", 2, [0, 3_100])) == []


async def test_what_the_cloud_lists_again_before_it_heard_the_reply_is_not_said_again(rig: Rig) -> None:
    rig.committer.relay.renew([command(1)])
    await rig.take(birth(), reply(1))
    rig.committer.relay.renew([command(1)])
    assert await said(rig, data("ys-07", 0, [0, 3_100])) == []


async def test_a_command_past_its_end_is_not_said(rig: Rig) -> None:
    rig.committer.relay.renew([command(1, expires_ms=NOW_MS - 1)])
    assert await said(rig, birth()) == []


async def test_a_command_that_cannot_be_said_does_not_hold_up_the_others(rig: Rig) -> None:
    rig.committer.relay.renew([command(1, args={"table": "x" * 2_000}), command(2)])
    assert await said(rig, birth()) == [("ys-07", 2)]


async def test_a_reply_outlives_a_restart_until_the_cloud_has_it(rig: Rig, tmp_path: Path) -> None:
    await rig.take(reply(1, Status.FAILED, detail={"error": "no lamp"}))
    rig.journal.close()
    again = Rig(tmp_path, "ys-07")
    (answer,) = await waiting(again)
    assert answer.to_dict() == {
        "node": "ys-07", "id": 1, "status": 4, "detail": {"error": "no lamp"}, "time_ms": NOW_MS,
    }  # fmt: skip
    await again.journal.write(lambda db: relay.remove(db, [answer]))
    assert await waiting(again) == []


async def test_the_final_word_stands_whatever_comes_after(rig: Rig) -> None:
    await rig.take(reply(1, Status.ACCEPTED), reply(1, Status.DONE, detail=5), reply(1, Status.ACCEPTED))
    assert [(answer.reply.status, answer.reply.detail) for answer in await waiting(rig)] == [(Status.DONE, 5)]


async def test_a_final_word_that_comes_while_the_first_is_told_is_not_lost(rig: Rig) -> None:
    await rig.take(reply(1, Status.ACCEPTED))
    told = await waiting(rig)
    await rig.take(reply(1, Status.DONE))
    await rig.journal.write(lambda db: relay.remove(db, told))
    assert [answer.reply.status for answer in await waiting(rig)] == [Status.DONE]


async def test_a_reply_that_is_none_goes_to_quarantine_and_a_strangers_is_not_kept(rig: Rig) -> None:
    await rig.take(Arrival(topic("ys-07", Leaf.REPLY), b"\xff", NOW_MS), reply(1, node="stranger"))
    assert await waiting(rig) == []
    kept = await rig.journal.quarantine_after(0, 10)
    assert [(entry["node"], entry["reason"]) for entry in kept] == [("ys-07", "not_cbor")]


async def test_the_cloud_is_told_of_each_birth_and_of_what_was_said(rig: Rig) -> None:
    rig.committer.relay.has_cloud = True
    rig.committer.relay.renew([command(1)])
    await rig.take(birth(boot=30_001))
    births, sent = rig.committer.relay.news(100)
    assert [born.boot for born in births] == [30_001]
    assert [(row["node"], row["id"]) for row in sent] == [("ys-07", 1)]

    await rig.take(birth(boot=40_001))  # while the report is under way
    rig.committer.relay.told(births, sent)
    births, sent = rig.committer.relay.news(100)
    assert [born.boot for born in births] == [40_001] and sent == []
