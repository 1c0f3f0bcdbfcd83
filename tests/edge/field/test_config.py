"""Options, field.toml and a running city: whom the tools talk to, and where secrets may come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.field.config import find_place, load_field
from edge.field.make import held_keys
from edge.folder import DataFolder
from edge.model.errors import ConfigError


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("CITYNEURON_CLOUD", "CITYNEURON_TOKEN", "CITYNEURON_DATA", "CITYNEURON_FIELD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_anything_the_remedy_says_what_to_write_where(home: Path) -> None:
    place = find_place()
    with pytest.raises(ConfigError) as caught:
        place.need_cloud()
    assert "field.toml" in caught.value.remedy
    with pytest.raises(ConfigError):
        place.need_broker()


def test_field_toml_is_read_and_options_go_before_it(home: Path) -> None:
    token = home / "token"
    token.write_text("abc")
    token.chmod(0o600)
    file = home / "field.toml"
    file.write_text(f'cloud = "http://a:1"\ntoken_file = "{token}"\nwho = "wang"\nbroker = "mqtt://b:1883"\n')
    place = find_place(config=file)
    assert (place.need_cloud(), place.token, place.who, place.need_broker().host) == (
        "http://a:1",
        "abc",
        "wang",
        "b",
    )
    assert find_place(config=file, cloud="http://c:2/", who="li").need_cloud() == "http://c:2"
    file.write_text('colour = "red"\n')
    with pytest.raises(ConfigError, match="unknown key 'colour'"):
        load_field(file)


def test_a_city_that_runs_here_is_found_by_its_folder(home: Path) -> None:
    folder = DataFolder(home / "city")
    folder.path.mkdir()
    token = folder.token()
    with folder.announced("mqtt://127.0.0.1:1883", "http://127.0.0.1:8080"):
        place = find_place(data=home / "city")
        assert (place.cloud, place.broker, place.token) == (
            "http://127.0.0.1:8080",
            "mqtt://127.0.0.1:1883",
            token,
        )
        other = find_place(data=home / "city", cloud="http://elsewhere:1")
        assert other.token == "", "the token of one cloud is not shown to another"


def test_a_token_that_others_may_read_is_not_used(home: Path) -> None:
    token = home / "token"
    token.write_text("abc")
    token.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        find_place(token_file=token)


def test_update_keys_are_two_at_most(home: Path) -> None:
    assert held_keys([]) == b""
    with pytest.raises(ConfigError, match="no public key"):
        held_keys([home / "nowhere.pub"])
