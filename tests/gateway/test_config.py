"""The sample configuration is loaded as it stands, and mistakes are named."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from edge.model.errors import ConfigError
from gateway.config import GatewayConfig, load_config
from gateway.sources.config import Device, SourceConfig, read_sources

SAMPLE = Path(__file__).parents[2] / "gateway/gateway.sample.toml"


def test_the_sample_loads_and_shows_the_defaults() -> None:
    config = load_config(SAMPLE)
    for item in dataclasses.fields(GatewayConfig):
        if item.name not in ("gateway", "sources"):
            assert getattr(config, item.name) == item.default_factory()  # type: ignore[misc]
    assert config.sources == ()


def test_the_sample_shows_every_key() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    config = load_config(SAMPLE)
    for item in dataclasses.fields(GatewayConfig):
        for key in () if item.name == "sources" else dataclasses.fields(getattr(config, item.name)):
            assert re.search(rf"^(# )?{key.name} = ", text, re.MULTILINE), f"{item.name}.{key.name}"


def test_the_sample_shows_every_key_of_a_source_in_tables_that_are_read() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    shown = re.sub(r"^# ?", "", text[text.index("# [[source]]") :], flags=re.MULTILINE)
    sources = tomllib.loads(shown)["source"]
    assert [source.protocol for source in read_sources(sources, "sample")] == [
        "dlt645",
        "hj212",
        "lorawan-uplinks",
    ]
    keys = {key for source in sources for key in source}
    assert keys == {item.name for item in dataclasses.fields(SourceConfig)} - {"adapter", "devices"} | {
        "device"
    }
    own = {key for source in sources for device in source["device"] for key in device}
    assert own >= {item.name for item in dataclasses.fields(Device)} - {"own", "options"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "gateway is missing"),
        ('[gateway]\nid = "GW 1"\ndata_dir = "x"', "not a node id"),
        ('[gateway]\nid = "gw-01"\ndata_dir = "x"\n[mqt]', "unknown key 'mqt'"),
        ('[gateway]\nid = "gw-01"\ndata_dir = "x"\n[store]\napi = "v4"', "is none of 'v1', 'v2', 'v3'"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_config(tmp_path / "gateway.toml")
