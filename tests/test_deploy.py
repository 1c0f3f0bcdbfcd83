"""What users deploy: the files are whole, fit one another and are closed by default."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import servers
import yaml  # type: ignore[import-untyped]

from cloud import config as cloud_config
from dashboards.panels import SOURCE, SOURCES
from gateway import config as gateway_config

DEPLOY = servers.DEPLOY
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
UNITS = sorted((DEPLOY / "systemd").glob("cityneuron-*.service"))


# --- compose.yaml


def default(text: str) -> str:
    """What compose makes of ${NAME:-default} with an empty environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_pinned_image_a_health_check_and_no_root(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", service["image"])
    assert service["healthcheck"]["test"]
    uid, _, _ = service["user"].partition(":")
    assert int(uid) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_publishes_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert default(port).startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_is_there_and_what_it_keeps_has_a_name(name: str) -> None:
    kept = []
    for volume in SERVICES[name]["volumes"]:
        source, target, *_ = default(volume).split(":")
        if source.startswith("."):
            assert (DEPLOY / source).exists(), volume
            assert volume.endswith(":ro"), volume
        else:
            assert source in COMPOSE["volumes"], volume
            kept.append(target)
    assert kept, "a service without a named volume forgets everything when it is made anew"


def test_secrets_come_from_the_file_that_init_makes_and_none_has_a_default() -> None:
    made = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", (DEPLOY / "init.sh").read_text()))
    for name, service in SERVICES.items():
        for key, value in service["environment"].items() if "environment" in service else ():
            if re.search("PASSWORD|TOKEN", key):
                variable = re.fullmatch(r"\$\{(\w+):\?[^}]+\}", value)
                assert variable, f"{name}: {key} must fail when it is not set"
                assert variable[1] in made, f"{name}: init.sh makes no {variable[1]}"


# --- the scripts


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A copy of deploy/ that scripts may write to."""
    return Path(shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns(".env")))


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, env={"PATH": os.environ["PATH"], **environment}, check=False
    )


def test_init_makes_random_secrets_for_its_owner_only_and_keeps_those_that_are_there(deploy: Path) -> None:
    assert run(deploy / "init.sh").returncode == 0
    env_file = deploy / ".env"
    first = env_file.read_text()
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    values = [line.partition("=")[2] for line in first.splitlines()]
    assert len(values) >= 6
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in values)
    assert len(set(values)) == len(values)
    run(deploy / "init.sh")
    assert env_file.read_text() == first
    env_file.unlink()
    run(deploy / "init.sh")
    assert not set(values) & {line.partition("=")[2] for line in env_file.read_text().splitlines()}


@pytest.mark.parametrize(
    "template", ["mosquitto/mosquitto.conf", "mosquitto/tls.conf", "influxdb/influxdb.conf"]
)
def test_users_get_the_configuration_that_the_tests_get(template: str) -> None:
    text = (DEPLOY / template).read_text(encoding="utf-8")
    values = {name: f"/a b&c/{name.lower()}" for name in re.findall(r"\$\{(\w+)\}", text)}
    rendered = run(DEPLOY / "render.sh", DEPLOY / template, **values)
    assert rendered.stdout == servers.render(DEPLOY / template, **values)


def test_a_value_that_is_not_set_is_an_error_and_no_empty_text() -> None:
    result = run(DEPLOY / "render.sh", DEPLOY / "mosquitto" / "mosquitto.conf", MQTT_PORT="1")
    assert result.returncode != 0
    assert "MQTT_BIND is not set" in result.stderr


@pytest.mark.parametrize("name", ["", "A-node", "gateway_account", "ab", "node;reboot"])
def test_an_account_is_refused_to_what_is_no_node(name: str) -> None:
    result = run(DEPLOY / "node-account.sh", name)
    assert result.returncode == 1
    assert "usage" in result.stderr


def test_secrets_reach_a_container_as_files_and_leave_its_environment(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "cityneuron"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@"; env\n')
    program.chmod(0o755)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    result = run(
        DEPLOY / "entrypoint.sh",
        "gateway",
        "run",
        PATH=f"{program.parent}:{os.environ['PATH']}",
        CITY_SECRETS_DIR=str(secrets),
        MQTT_PASSWORD="w0rd $x'\"",
    )
    assert result.stdout.startswith("gateway run\n")
    assert "w0rd" not in result.stdout
    (path,) = secrets.iterdir()
    assert (path.name, path.read_text()) == ("mqtt-password", "w0rd $x'\"\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- configurations of our own services


@pytest.mark.parametrize("where", ["compose", "systemd"])
def test_the_gateway_and_the_cloud_take_the_configurations(where: str, tmp_path: Path) -> None:
    gateway = gateway_config.load_config(DEPLOY / where / "gateway.toml")
    assert gateway.mqtt.username == "gateway_account"
    assert gateway.nodes.admit_any is False
    copy = tmp_path / "cloud.toml"  # its secrets lie elsewhere: stand them beside it
    text = (DEPLOY / where / "cloud.toml").read_text(encoding="utf-8")
    for name in re.findall(r'_?token_file = "([^"]+)"', text):
        secret = tmp_path / Path(name).name
        secret.touch(mode=0o600)
        secret.write_text("word\n")
        text = text.replace(name, str(secret))
    copy.write_text(text, encoding="utf-8")
    cloud = cloud_config.load(copy, {})
    assert (cloud.store.kind, cloud.store.database, cloud.store.username) == ("influxql", "city", "cloud")
    assert (cloud.token, cloud.store.secret) == ("word", "word")
    assert gateway.store.database == cloud.store.database


def test_secrets_of_the_container_lie_where_its_configurations_look() -> None:
    written = {"mqtt-password", "store-password", "city-token"}
    for name in ("gateway", "cloud"):
        text = (DEPLOY / "compose" / f"{name}.toml").read_text()
        asked = {Path(path) for path in re.findall(r'(?:token|password)_file = "([^"]+)"', text)}
        assert {path.name for path in asked} <= written
        assert {str(path.parent) for path in asked} == {"/run/cityneuron"}
        variables = {path.name.replace("-", "_").upper() for path in asked}
        assert variables == set(SERVICES[name]["environment"])


def test_grafana_finds_the_store_and_the_boards_where_the_boards_expect_them() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "cityneuron.yaml").read_text())["datasources"]
    assert [source["uid"] for source in sources] == list(SOURCES)
    assert {"type": sources[0]["type"], "uid": sources[0]["uid"]} == SOURCE
    databases = [source["jsonData"]["dbName"] for source in sources]
    assert databases == ["city", "city_hours", "city_days"]
    assert [source["isDefault"] for source in sources] == [True, False, False]
    for source in sources:  # they differ in what they are called and which database they read, and in no more
        own = {"uid": "", "name": "", "isDefault": "", "jsonData": ""}
        assert {**source, **own} == {**sources[0], **own}
    variables = re.findall(r"\$([A-Z_]+)", (provisioning / "datasources" / "cityneuron.yaml").read_text())
    assert set(variables) <= set(SERVICES["grafana"]["environment"])
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "cityneuron.yaml").read_text())["providers"]
    assert f"../dashboards/generated:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]


@pytest.mark.parametrize("name", ["gateway", "cloud"])
def test_the_commands_that_start_our_services_exist(name: str) -> None:
    unit = (DEPLOY / "systemd" / f"cityneuron-{name}.service").read_text(encoding="utf-8")
    (started,) = re.findall(r"^ExecStart=\S+ (.+)$", unit, re.MULTILINE)
    lines = [started.split(), SERVICES[name]["command"]]
    _, program, *words = SERVICES[name]["healthcheck"]["test"]
    if program == "cityneuron":
        lines.append(words)
    for words in lines:
        options = [word for word in words if word.startswith("--")]
        command = words[: words.index(options[0])]
        shown = run(sys.executable, servers.PROJECT / "cityneuron.py", *command, "--help", COLUMNS="200")
        assert shown.returncode == 0, shown.stderr
        assert all(option in shown.stdout for option in options)


# --- systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_fenced_in_and_comes_back_after_a_failure(unit: Path) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit, encoding="utf-8")
    service = parser["Service"]
    assert service["User"] == "cityneuron"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["Restart"] == "always"
    config = DEPLOY / "systemd" / Path(service["ExecStart"].split()[-1]).name
    assert config.exists()
    (data_dir,) = re.findall(r'^data_dir = "([^"]+)"', config.read_text(), re.MULTILINE)
    assert data_dir in [f"/var/lib/{name}" for name in service["StateDirectory"].split()]


def test_the_list_of_revoked_goes_from_where_the_cloud_writes_it_to_where_the_broker_reads_it(
    tmp_path: Path,
) -> None:
    cloud_toml = (DEPLOY / "systemd" / "cloud.toml").read_text()
    (data_dir,) = re.findall(r'^data_dir = "([^"]+)"', cloud_toml, re.MULTILINE)
    written = str(cloud_config.CloudConfig(data_dir=Path(data_dir), token="").crl_file)
    watch = (DEPLOY / "systemd" / "mosquitto-revoked.path").read_text()
    assert f"PathChanged={written}\n" in watch
    copy, reload = re.findall(
        r"^ExecStart=(.+)$", (DEPLOY / "systemd" / "mosquitto-revoked.service").read_text(), re.MULTILINE
    )
    *_, source, target = copy.split()
    readme = (DEPLOY / "README.md").read_text()
    assert source == written and f"MQTT_CRL_FILE={target}" in readme and "reload" in reload
    names = ("mosquitto-revoked.path", "mosquitto-revoked.service")
    (tmp_path / "mosquitto.service").write_text("[Service]\nExecStart=/bin/true\n")
    copies = [shutil.copy(DEPLOY / "systemd" / name, tmp_path) for name in names]
    result = run(servers.program("systemd-analyze"), "verify", "--man=no", *copies)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_list_of_revoked_of_the_containers_is_one_volume() -> None:
    broker, cloud = SERVICES["mosquitto"], SERVICES["cloud"]
    toml = (DEPLOY / "compose" / "cloud.toml").read_text()
    (written,) = re.findall(r'^crl_file = "([^"]+)"', toml, re.MULTILINE)
    assert f"revoked:{Path(written).parent}" in cloud["volumes"]
    read = Path(broker["environment"]["MQTT_CRL_FILE"])
    assert f"revoked:{read.parent}:ro" in broker["volumes"] and read.name == Path(written).name
    assert f"./tls:{broker['environment']['MQTT_TLS_DIR']}:ro" in broker["volumes"]
    assert f" {Path(written).parent}\n" in (DEPLOY / "Dockerfile").read_text(), "made there for its user"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    command = servers.PROJECT / ".venv" / "bin" / "cityneuron"
    text = re.sub(r"/opt/cityneuron/.venv/bin/cityneuron", str(command), unit.read_text(encoding="utf-8"))
    copy = tmp_path / unit.name
    copy.write_text(text, encoding="utf-8")
    result = run(servers.program("systemd-analyze"), "verify", "--man=no", copy)
    assert (result.returncode, result.stderr) == (0, "")
