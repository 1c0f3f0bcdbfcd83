"""The configuration: the sample is valid and complete, and what is wrong is named with key and file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import servers

from cloud.alerts.config import KEYS as ALERTS_KEYS
from cloud.alerts.config import AlertsConfig
from cloud.alerts.routes import SELECTS
from cloud.config import _TYPES, CloudConfig, StoreConfig, load
from cloud.levels import KeepConfig, Level, RollupConfig, SeriesConfig
from cloud.provision.config import ProvisionConfig
from edge.model.errors import ConfigError

SAMPLE = servers.PROJECT / "cloud" / "cloud.sample.toml"
WITH_TOKEN = {"CITYNEURON_TOKEN": "secret"}


def written(folder: Path, text: str) -> Path:
    path = folder / "cloud.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_loads_and_says_what_the_defaults_are() -> None:
    config = load(SAMPLE, WITH_TOKEN)
    default = CloudConfig(token="secret", data_dir=SAMPLE.parent / "city-data", alerts=AlertsConfig())
    assert config == default


def test_the_sample_shows_every_key() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    shown = set(re.findall(r"^(?:# )?([a-z_]+) = ", text, re.MULTILINE))
    assert shown == {
        *_TYPES,
        *ALERTS_KEYS,
        *(field.name for field in fields(ProvisionConfig)),
        *(field.name for each in (SeriesConfig, RollupConfig, KeepConfig) for field in fields(each)),
        *SELECTS,
        "channels",
        "level",
        "quiet",
        "quiet_below",
        "after_min",
    } - {"alerts", "provision", "series", "rollup", "keep"}


def test_every_commented_value_of_the_sample_is_valid(tmp_path: Path) -> None:
    for line in re.findall(r'^# (store = ".*?")', SAMPLE.read_text(encoding="utf-8"), re.MULTILINE):
        config = load(written(tmp_path, line), WITH_TOKEN)
        assert (config.store.kind, config.store.database) == ("influxql", "city")


def test_the_examples_of_routes_and_escalation_are_valid(tmp_path: Path) -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    _, examples = text.split("# [[alerts.route]]")
    routes = re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", "# [[alerts.route]]" + examples, flags=re.MULTILINE)
    alerts = load(written(tmp_path, routes), WITH_TOKEN).alerts
    assert alerts.routes[0].quiet is not None
    assert alerts.escalations[0].channels == ("chief",)
    with pytest.raises(ConfigError, match="no channel 'chief'") as caught:
        alerts.check_channels({"water-duty"})
    assert "water-duty" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('hots = "127.0.0.1"', "'hots' is not known"),
        ("[store]\nkind = 1", "store must be str, not dict"),
        ("port = 70000", "port 70000"),
        ("port = true", "port must be int, not bool"),
        ('port = "80"', "port must be int, not str"),
        ("poll_s = 0", "poll_s 0"),
        ('timezone = "Mars/Olympus"', "Mars/Olympus"),
        ('store = "postgres://user:secret@host/db"', "postgres://...@host/db"),
        ('store = "http://host:8086"', "no store"),
        ("port = ", "cloud.toml"),
        ('token_file = "nowhere"', "nowhere"),
        ("alerts = 1", "alerts must be a table"),
        ("provision = 1", "provision must be a table"),
        ("[provision]\nbroker = 1", "[provision]: unknown key 'broker'"),
        ("[provision]\nbroker_port = 0", "broker_port 0 is no port"),
        ('[provision]\nurl = "https://city"', "is no http address"),
        ("[provision]\nntp_hosts = [1]", "ntp_hosts[0]"),
        ("[alerts]\nsettle = 1", "alerts.settle is not known"),
        ("[alerts]\nsettle_s = -1", "alerts.settle_s -1 is out of range"),
        ('[alerts]\nslow = "silence_s"', "alerts.slow is no list"),
        ("[alerts.route]", "write [[alerts.route]]"),
        ("[[alerts.route]]", "[[alerts.route]] 1: no channels"),
        ('[[alerts.route]]\nchannels = ["a"]\nlevels = 1', "[[alerts.route]] 1: key 'levels' is not known"),
        ('[[alerts.route]]\nchannels = ["a"]\nsystems = ["wtaer"]', "systems has 'wtaer'"),
        ('[[alerts.route]]\nchannels = ["a"]\nlevel = "grey"', "level 'grey' is no level"),
        ('[[alerts.route]]\nchannels = ["a"]\nquiet = "22"', "quiet '22' is no span of hours"),
        ('[[alerts.route]]\nchannels = ["a"]\nquiet_below = "red"', "quiet_below without quiet"),
        ('[[alerts.escalation]]\nchannels = ["a"]', "[[alerts.escalation]] 1: after_min None"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)) as caught:
        load(written(tmp_path, text), WITH_TOKEN if "token_file" not in text else {})
    assert "secret" not in str(caught.value)


def test_without_a_token_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no token"):
        load(written(tmp_path, ""), {})


def test_a_token_file_must_be_its_owners_alone(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    path = written(tmp_path, 'token_file = "token"')
    token.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read") as caught:
        load(path, {})
    assert caught.value.remedy == f"chmod 600 {token}"
    token.chmod(0o600)
    assert load(path, {}).token == "secret"


def test_a_store_is_an_address_with_a_database() -> None:
    store = StoreConfig.parse("https://reader:p%40ss@db.example:8086/influx/?db=city")
    assert store == StoreConfig(
        kind="influxql", url="https://db.example:8086/influx", database="city", username="reader", secret="p@ss"
    )
    assert StoreConfig.parse("http://[::1]:8086/?db=city", secret="t").url == "http://[::1]:8086"


def test_secrets_do_not_show_in_logs() -> None:
    config = CloudConfig(token="hush", store=StoreConfig.parse("http://u:hush@h/?db=d"))
    assert "hush" not in repr(config)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "cloud.toml", {})


def test_the_sample_is_plain_toml() -> None:
    assert tomllib.loads(SAMPLE.read_text(encoding="utf-8"))


def test_what_the_cloud_writes_and_keeps_is_read_and_checked(tmp_path: Path) -> None:
    config = load(written(tmp_path, "[series]\nperiod_s = 30\n[keep]\nraw_days = 400"), WITH_TOKEN)
    assert (config.series.period_s, config.keep.raw_days, config.keep.days_days) == (30.0, 400.0, 0.0)
    for wrong in (
        "[keep]\nraw_days = 3", "[keep]\ndays_days = -1", "[rollup]\nlook_back_days = 0",
        "[rollup]\nspeed = 1", "[series]\nperiod_s = 0", "keep = 3",
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            load(written(tmp_path, wrong), WITH_TOKEN)


def test_each_level_has_a_database_of_its_own() -> None:
    config = CloudConfig(token="secret", store=StoreConfig.parse("http://127.0.0.1:8086/?db=city"))
    assert config.at(Level.HOURS).store.database == "city_hours"
    plain = CloudConfig(token="secret")
    assert [plain.at(level).store_path.name for level in Level] == [
        "store.db",
        "store_hours.db",
        "store_days.db",
    ]
