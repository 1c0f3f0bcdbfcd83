"""Two devices with one node id: found out, both named, neither's readings taken for the other's."""

from dataclasses import replace
from pathlib import Path

from gateway_rig import NOW_MS, Rig, birth, data

from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Death, decode_birth, encode_birth, encode_death
from gateway.account import Counts
from gateway.arrival import Arrival

A, B = 10_1111, 10_2222  # boots of two devices: one counter, other digits


def born(serial: str, boot: int, following: int = 0) -> Arrival:
    """Return the birth of a device."""
    arrival = birth(boot=boot, following=following)
    said = replace(decode_birth(arrival.payload), serial=serial)
    return Arrival(arrival.topic, encode_birth(said), NOW_MS)


def death(boot: int) -> Arrival:
    """Return a last will."""
    return Arrival(topic("ys-07", Leaf.DEATH), encode_death(Death(boot)), NOW_MS)


async def twins(folder: Path) -> Rig:
    """Device a works; device b comes under the same name, and both go on."""
    rig = Rig(folder, "ys-07")
    await rig.take(born("a", A), data("ys-07", 0, [0, 1, 2], boot=A))
    await rig.take(born("b", B), data("ys-07", 0, [0, 9, 9], boot=B))
    await rig.take(data("ys-07", 1, [60, 1, 2], boot=A))
    return rig


async def test_the_second_device_of_a_name_is_kept_apart_and_both_are_named(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    dispute = rig.committer.identities.disputes["ys-07"]
    assert (dispute.holder, dispute.newcomer, dispute.twins) == ("a", "b", True)
    assert rig.counts("ys-07") == Counts(produced=3, queued=2, quarantined=1)
    assert all("level_m=0.001" in line for line in await rig.lines())
    (entry,) = await rig.journal.quarantine_after(0, 10)
    assert entry["reason"] == "two_nodes_one_id"
    assert "a and b" in entry["detail"]


async def test_both_devices_are_acknowledged_what_is_on_the_disk(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    told = {ack.boot: ack.upto for _, ack in rig.source.sent}
    assert told == {A: 2, B: 1}


async def test_neither_device_speaks_for_what_the_other_still_holds(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    await rig.take(born("a", A, following=5), born("b", B, following=7))
    assert rig.ledger.streams["ys-07", A].upto() == 2
    assert rig.ledger.streams["ys-07", B].upto() == 1


async def test_a_replaced_device_leaves_its_name_with_its_last_will(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("a", A), born("b", B), data("ys-07", 0, [0, 9, 9], boot=B))
    assert rig.counts("ys-07").quarantined == 1
    await rig.take(death(A))
    await rig.committer.settle_disputes()
    await rig.committer.retake(1000)
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)
    assert rig.committer.identities.disputes == {}


async def test_a_replaced_device_that_said_nothing_loses_its_name_by_its_silence(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("a", A), born("b", B), data("ys-07", 0, [0, 9, 9], boot=B))
    rig.now_s += 170
    await rig.committer.settle_disputes()
    assert rig.committer.identities.disputes
    rig.now_s += 20  # three periods of a minute, and more
    await rig.committer.settle_disputes()
    await rig.committer.retake(1000)
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)


async def test_after_the_first_device_said_good_bye_another_is_welcome_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("a", A), death(A), born("b", B), data("ys-07", 0, [0, 9, 9], boot=B))
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)


async def test_a_device_that_gave_up_the_name_ends_the_dispute(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    rig.now_s += 1700
    await rig.take(replace(data("ys-07", 2, [120, 1, 2], boot=A), time_ms=round(rig.now_s * 1000)))
    rig.now_s += 170
    await rig.committer.settle_disputes()
    assert rig.committer.identities.disputes == {}
    assert rig.counts("ys-07") == Counts(produced=4, queued=3, quarantined=1)
    assert await rig.marked() == [], "whose readings those were is for people to say"


async def test_the_holder_of_a_name_is_known_after_a_restart(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    rig.journal.close()
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("b", B, following=1))  # as the broker retained it
    await rig.take(data("ys-07", 2, [120, 1, 2], boot=A), data("ys-07", 1, [120, 9, 9], boot=B))
    dispute = rig.committer.identities.disputes["ys-07"]
    assert (dispute.holder, dispute.newcomer, dispute.twins) == ("a", "b", True)
    assert rig.counts("ys-07") == Counts(produced=5, queued=3, quarantined=2)


async def test_a_device_known_only_by_what_the_broker_kept_gets_no_name(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    await rig.take(death(B))
    rig.journal.close()
    rig = Rig(tmp_path, "ys-07")
    await rig.take(replace(born("b", B), retained=True), death(A))  # the first one's power was cut
    await rig.committer.settle_disputes()
    await rig.take(born("a", A + 10_000), data("ys-07", 0, [0, 1, 2], boot=A + 10_000))
    rig.now_s += 10_000
    await rig.committer.settle_disputes()
    assert rig.committer.identities.disputes == {}
    await rig.committer.retake(1000)
    assert rig.counts("ys-07") == Counts(produced=4, queued=3, quarantined=1)


async def test_what_a_stranger_repeats_of_a_device_that_left_is_no_sign_of_its_life(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    said = data("ys-07", 0, [0, 9, 9], boot=B)
    rig = Rig(tmp_path, "ys-07")
    kept = born("b", B)
    kept.retained = True
    await rig.take(kept, said, death(A))
    await rig.committer.settle_disputes()
    assert rig.committer.identities.disputes["ys-07"].newcomer_heard_s is None
    await rig.take(born("a", A, following=2), data("ys-07", 2, [120, 1, 2], boot=A))
    assert rig.counts("ys-07") == Counts(produced=4, queued=3, quarantined=1)


async def test_a_newcomer_that_says_good_bye_ends_the_dispute(tmp_path: Path) -> None:
    rig = await twins(tmp_path)
    await rig.take(death(B))
    assert rig.committer.identities.disputes == {}
    await rig.take(data("ys-07", 2, [120, 1, 2], boot=A))
    assert rig.counts("ys-07") == Counts(produced=4, queued=3, quarantined=1)


async def test_a_device_that_comes_back_is_no_longer_gone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("a", A), death(A), born("a", A + 10_000), born("b", B))
    assert rig.committer.identities.disputes["ys-07"].holder == "a"


async def test_a_device_whose_link_broke_and_that_is_heard_again_is_not_gone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("a", A), death(A), data("ys-07", 0, [0, 1, 2], boot=A), born("b", B))
    assert rig.committer.identities.disputes["ys-07"].holder == "a"


async def test_a_node_that_boots_twice_with_one_counter_loses_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(born("a", B, following=1), data("ys-07", 0, [0, 1, 2], [60, 1, 2], boot=B))
    await rig.take(born("a", A), data("ys-07", 0, [120, 1, 2], boot=A))  # its digits are lower this time
    assert rig.counts("ys-07") == Counts(produced=3, queued=3)
    assert rig.ledger.streams["ys-07", B].upto() == 2


async def test_a_device_without_a_serial_is_believed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth(boot=A), data("ys-07", 0, [0, 1, 2], boot=A))
    await rig.take(birth(boot=B), data("ys-07", 0, [60, 1, 2], boot=B))
    assert rig.counts("ys-07") == Counts(produced=2, queued=2)
