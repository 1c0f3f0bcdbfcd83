"""Node ids, topics, configuration tables and errors."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import cloud
import dashboards
import edge
import gateway
import simulators
from edge.config import load_toml, read_secret, read_table
from edge.model.errors import CityError, ConfigError, IdentityError
from edge.model.node import Node, node_id
from edge.protocol.topics import Leaf, parse_topic, topic


@pytest.mark.parametrize("text", ["ys-07", "abc", "a23456789012345678901234567890bb"])
def test_a_node_id_is_what_the_rule_says(text: str) -> None:
    assert node_id(text) == text
    assert parse_topic(topic(text, Leaf.DATA)) == (text, Leaf.DATA)


@pytest.mark.parametrize(
    "text", ["", "ab", "Ys-07", "7ys", "-ys", "ys/07", "ys+", "ys#", "ys\x00", "ys-07\n", "水位站", "a" * 33]
)
def test_no_other_text_is_a_node_id(text: str) -> None:
    with pytest.raises(IdentityError):
        node_id(text)


@pytest.mark.parametrize(
    "text", ["cn/v1/ys-07", "cn/v2/ys-07/data", "cn/v1/ys-07/data/x", "cn/v1/ys-07/nope", "x"]
)
def test_a_topic_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(IdentityError):
        parse_topic(text)


def test_naughty_strings_are_no_node_ids_unless_they_obey_the_rule(shared_data: Path) -> None:
    for text in json.loads((shared_data / "naughty-strings/strings.json").read_text(encoding="utf-8")):
        try:
            found = node_id(text)
        except IdentityError:
            continue
        assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_node_comes_out_as_it_went_in() -> None:
    node = Node(
        id=node_id("ys-07"), kind="water_level", label_en="Lock", label_zh="船闸", site="s", district="d",
        lat=31.27, lon=121.5, gateway="gw-01",
    )  # fmt: skip
    assert Node.from_dict(node.to_dict()) == node


@pytest.mark.parametrize(
    "row",
    [{}, {"id": "x1-", "kind": 3}, {"id": "abc", "kind": "noise", "lat": 91}, {"id": "abc", "kind": "k\n"}],
)
def test_a_wrong_node_names_itself(row: dict[str, object]) -> None:
    with pytest.raises(CityError):
        Node.from_dict(row)


@dataclass(frozen=True)
class Table:
    """A table for the tests below."""

    name: str
    period_s: float = 1.0
    file: Path | None = None


def test_a_table_becomes_a_dataclass() -> None:
    assert read_table(Table, {"name": "a", "period_s": 2, "file": "/x"}, "t") == Table("a", 2.0, Path("/x"))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "name is missing"),
        ({"name": "a", "perod_s": 1}, "unknown key 'perod_s'"),
        ({"name": 1}, "is not str"),
        ({"name": "a", "period_s": True}, "is not float"),
    ],
)
def test_a_mistake_in_a_table_is_named(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_table(Table, table, "gateway.toml: x")


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("a = = 1")
    for name in ("bad.toml", "none.toml"):
        with pytest.raises(ConfigError, match=name):
            load_toml(tmp_path / name)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret(secret)
    secret.chmod(0o600)
    assert read_secret(secret) == "s3cret"


def test_every_error_of_the_project_shares_one_base() -> None:
    found = 0
    for package in (edge, gateway, cloud, simulators, dashboards):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for name, item in inspect.getmembers(module, inspect.isclass):
                if (
                    item.__module__ == module.__name__
                    and issubclass(item, Exception)
                    and not name.startswith("_")
                ):
                    assert issubclass(item, CityError), f"{info.name}.{name}"
                    found += 1
    assert found > 5
