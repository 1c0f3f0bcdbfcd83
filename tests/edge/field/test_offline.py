"""Identities made in advance: one a board, never given twice, and told to the cloud later."""

from __future__ import annotations

from pathlib import Path

import pytest
from field_rig import offline_bundle

from edge.field.diagnosis import FieldError, Symptom
from edge.field.identity import join
from edge.field.offline import OfflineBundle
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


def test_an_identity_that_was_asked_for_is_not_given_to_two_boards(tmp_path: Path) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    assert bundle.take("aaaa", {"kind": "weather", "id": "spare-1"}) == "spare-1"
    with pytest.raises(FieldError):
        bundle.take("bbbb", {"kind": "weather", "id": "spare-1"})
    with pytest.raises(FieldError):
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


def test_another_file_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK nonsense")
    with pytest.raises(ConfigError, match="no bundle of identities"):
        OfflineBundle(tmp_path / "x.zip")
