"""Identities made in advance: one a board, never given twice, and told to the cloud later."""

from __future__ import annotations

from pathlib import Path

import pytest
import servers
from field_rig import CloudStandIn, offline_bundle

from edge.field.cloud import CloudApi
from edge.field.diagnosis import FieldError, Symptom
from edge.field.identity import join
from edge.field.offline import OfflineBundle
from edge.field.sync import tell_cloud
from edge.model.errors import ConfigError


def test_each_board_gets_one_identity_and_the_same_again(tmp_path: Path) -> None:
    path = offline_bundle(tmp_path / "spare.zip")
    first = OfflineBundle(path).take("aaaa", {"kind": "weather"})
    again = OfflineBundle(path)
    assert again.take("aaaa", {"kind": "weather"}) == first
    assert again.take("bbbb", {"kind": "weather"}) != first
    assert again.left == 0
    with pytest.raises(FieldError) as caught:
        again.take("cccc", {"kind": "weather"})
    assert caught.value.symptom is Symptom.NO_IDENTITY_LEFT


def test_a_line_that_broke_off_spoils_neither_the_list_nor_what_follows(tmp_path: Path) -> None:
    path = offline_bundle(tmp_path / "spare.zip")
    OfflineBundle(path).take("aaaa", {"who": "w"})
    with path.with_name("spare.zip.taken").open("a") as file:
        file.write('{"node": "spare-1", "ser')  # the laptop's battery went: no board has it
    assert OfflineBundle(path).take("bbbb", {"who": "w"}) == "spare-1"
    assert {row.serial: row.node for row in OfflineBundle(path).taken().values()} == {
        "aaaa": "spare-0",
        "bbbb": "spare-1",
    }


def test_an_identity_that_was_asked_for_is_not_given_to_two_boards(tmp_path: Path) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    assert bundle.take("aaaa", {"kind": "weather", "id": "spare-1"}) == "spare-1"
    with pytest.raises(FieldError, match="the board aaaa already") as caught:
        bundle.take("bbbb", {"kind": "weather", "id": "spare-1"})
    assert caught.value.symptom is Symptom.IDENTITY_USED
    with pytest.raises(FieldError, match="no identity left for elsewhere"):
        bundle.take("bbbb", {"kind": "weather", "id": "elsewhere"})


def test_it_answers_as_the_cloud_would_and_its_key_fits(tmp_path: Path) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    node = bundle.take("aaaa", {"kind": "weather"})
    told = bundle.provisioned(node, {"kind": "weather"})
    assert (told.broker_host, told.ntp_hosts) == ("b", ("n",))
    assert join(node, bundle.key(node), told.certificate, told.ca).node == node


def test_what_was_told_to_the_cloud_is_remembered(tmp_path: Path) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    bundle.take("aaaa", {"kind": "weather"})
    (row,) = bundle.taken().values()
    assert not row.synced
    bundle.synced(row)
    (row,) = OfflineBundle(bundle.path).taken().values()
    assert row.synced and row.registration["id"] == row.node


async def test_what_the_cloud_refuses_of_one_board_keeps_no_other_waiting(
    tmp_path: Path, api: CloudApi, cloud: CloudStandIn
) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip", 3))
    wish = {"kind": "weather", "who": "wang", "serial": "aaaa"}
    bundle.take("aaaa", wish, "fitted: bme280:i2c0")
    bundle.take("bbbb", {**wish, "serial": "bbbb"})
    cloud.serials["elsewhere"] = "spare-0"  # a copy of the bundle was used for another board
    done = await tell_cloud(bundle, api)
    assert [row.node for row in done.taken] == ["spare-1"]
    ((row, why),) = done.refused
    assert (row.serial, why.symptom) == ("aaaa", Symptom.BOARD_REFUSED)
    assert "spare-0 is the device elsewhere" in why.cause and "provision this board again" in why.remedies[0]

    assert bundle.take("aaaa", wish, "fitted: bme280:i2c0") == "spare-2", "it gets another identity"
    again = OfflineBundle(bundle.path)
    assert [row.node for row in (await tell_cloud(again, api)).taken] == ["spare-2"]
    assert cloud.notes["spare-2"][0]["text"] == "fitted: bme280:i2c0", "who replaces it needs no notebook"
    assert (await tell_cloud(again, api)).taken == [] and again.left == 0


async def test_who_was_refused_and_is_let_in_after_all_keeps_its_identity(
    tmp_path: Path, api: CloudApi, cloud: CloudStandIn
) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    bundle.take("aaaa", {"kind": "weather", "who": "wang", "serial": "aaaa"})
    cloud.conflict = "the device aaaa was replaced at water-1 and is barred"
    assert "barred" in (await tell_cloud(bundle, api)).refused[0][1].cause
    cloud.conflict = ""
    assert [row.node for row in (await tell_cloud(bundle, api)).taken] == ["spare-0"]
    assert bundle.take("aaaa", {"kind": "weather"}) == "spare-0"


async def test_a_cloud_that_is_away_ends_the_telling_and_nothing_is_forgotten(tmp_path: Path) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    bundle.take("aaaa", {"kind": "weather"})
    async with CloudApi(f"http://127.0.0.1:{servers.free_port()}", "") as nobody:
        with pytest.raises(FieldError) as caught:
            await tell_cloud(bundle, nobody)
    assert caught.value.symptom is Symptom.CLOUD_AWAY
    assert [row.synced for row in bundle.taken().values()] == [False]


def test_another_file_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK nonsense")
    with pytest.raises(ConfigError, match="no bundle of identities"):
        OfflineBundle(tmp_path / "x.zip")
