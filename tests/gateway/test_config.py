"""The sample configuration is loaded as it stands, and mistakes are named."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from edge.model.errors import ConfigError
from gateway.config import GatewayConfig, load_config
from gateway.north.config import NorthConfig
from gateway.north.stations import StationConfig
from gateway.sources.config import Device, SourceConfig, read_sources

SAMPLE = Path(__file__).parents[2] / "gateway/gateway.sample.toml"


def test_the_sample_loads_and_shows_the_defaults() -> None:
    config = load_config(SAMPLE)
    for item in dataclasses.fields(GatewayConfig):
        if item.name not in ("gateway", "sources", "north"):
            assert getattr(config, item.name) == item.default_factory()  # type: ignore[misc]
    assert config.sources == config.north == ()


def test_the_sample_shows_every_key() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    config = load_config(SAMPLE)
    for item in dataclasses.fields(GatewayConfig):
        for key in () if item.name in ("sources", "north") else dataclasses.fields(getattr(config, item.name)):
            assert re.search(rf"^(# )?{key.name} = ", text, re.MULTILINE), f"{item.name}.{key.name}"


def test_the_sample_shows_every_key_of_a_source_in_tables_that_are_read() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    shown = text[text.index("# [[source]]") : text.index("# Further brokers")]
    shown = re.sub(r"^# ?", "", shown, flags=re.MULTILINE)
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


def test_the_sample_of_a_north_shows_every_key_and_its_default(tmp_path: Path) -> None:
    _, _, sample = SAMPLE.read_text(encoding="utf-8").partition("# [[north]]\n")
    sample, platform = re.split(r"\n# An .*\n# \[\[north\]\]\n", sample)
    table = re.sub(r"^# ?", "", sample, flags=re.MULTILINE)
    (tmp_path / "gateway.toml").write_text(f'[gateway]\nid = "gw-01"\ndata_dir = "x"\n[[north]]\n{table}')
    (north,) = load_config(tmp_path / "gateway.toml").north
    for key in dataclasses.fields(NorthConfig):
        assert key.name == "station" or re.search(rf"^# {key.name} = ", sample, re.MULTILINE), key.name
        if key.name not in ("name", "url") and not key.name.endswith("_file"):
            assert getattr(north, key.name) == key.default
    upward = re.sub(r"^# ?", "", platform, flags=re.MULTILINE)
    (tmp_path / "gateway.toml").write_text(f'[gateway]\nid = "gw-01"\ndata_dir = "x"\n[[north]]\n{upward}')
    (station,) = load_config(tmp_path / "gateway.toml").north[0].station
    for item in dataclasses.fields(StationConfig):
        assert re.search(rf"^# {item.name} = ", platform, re.MULTILINE), item.name
        if item.default is not dataclasses.MISSING:
            assert getattr(station, item.name) == item.default


def test_the_samples_of_the_page_load(tmp_path: Path) -> None:
    page = (SAMPLE.parents[1] / "docs/north.md").read_text(encoding="utf-8")
    tables = "\n".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    (tmp_path / "gateway.toml").write_text(f'[gateway]\nid = "gw-01"\ndata_dir = "x"\n{tables}')
    names = [north.name for north in load_config(tmp_path / "gateway.toml").north]
    assert names == ["province", "waterworks", "bureau/air-dinghai", "bureau/noise-hongkou"]


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
