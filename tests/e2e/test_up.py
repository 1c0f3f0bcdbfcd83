"""`cityneuron up` as a newcomer uses it: it lives, it ends cleanly, it goes on, and it says what is wrong."""

import base64
import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from city_rig import CITYNEURON, living, up
from devices_rig import wanted
from paho.mqtt import publish
from servers import InfluxDB, Mosquitto

from edge.broker import BrokerAddress
from edge.folder import FORMAT

pytestmark = [pytest.mark.real, pytest.mark.alone, pytest.mark.timeout(600)]

COUNTS = ("produced", "stored", "queued", "dropped", "quarantined", "missing")


def run(data: Path, *options: str) -> dict[str, Any]:
    """Run a city for a while and return its account: the last line of standard output."""
    done = subprocess.run(up(data, "--json", *options), capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.decode().splitlines()[-1])  # type: ignore[no-any-return]


def account(data: Path) -> dict[str, Any]:
    """Return what `cityneuron ledger --json` says of a city that has ended."""
    done = subprocess.run([CITYNEURON, "ledger", "--json", "--data", data], capture_output=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def get(url: str) -> Any:
    """Return what the API says."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def until_quarantined(url: str) -> Any:
    """Return what the cloud tells of the quarantine, once there is something in it."""
    began_s = time.monotonic()
    while not (told := get(f"{url}/api/v1/quarantine"))["total"]:
        assert time.monotonic() - began_s < 60, "it never came there"
    return told


def provisioned(url: str, token: str) -> Any:
    """Make a device a node of the city; return the answer."""
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    body = json.dumps(wanted()).encode()
    request = urllib.request.Request(f"{url}/api/v1/provision", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def tells_the_time(host: str) -> bool:
    """Ask a time server as a node does: a node that is provisioned here must not depend on the internet."""
    name, port = host.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(30)
        client.connect((name, int(port)))
        client.send(b"\x23" + bytes(39) + b"question")
        return client.recv(96)[24:32] == b"question"


def test_a_city_runs_accounts_for_all_and_goes_on_with_its_data(tmp_path: Path) -> None:
    first = run(tmp_path, "--for", "25")  # a loaded machine starts slowly
    assert set(first) >= {"nodes", *COUNTS, "latency_p50_s", "latency_p99_s"}
    assert first["nodes"] > 300 and first["produced"] > 10_000
    assert first["stored"] == first["produced"] and first["queued"] == first["missing"] == first["dropped"] == 0
    assert 0 < first["latency_p50_s"] <= first["latency_p99_s"]
    second = run(tmp_path, "--for", "4")
    assert second["stored"] == second["produced"] > first["produced"]
    ledger = account(tmp_path)
    assert {name: ledger["total"][name] for name in COUNTS} == {name: second[name] for name in COUNTS}
    assert len(ledger["nodes"]) == second["nodes"] and all(row["balanced"] for row in ledger["nodes"])
    assert not (tmp_path / "run.json").exists()


def test_ctrl_c_ends_it_cleanly_and_the_wall_shows_it_living(tmp_path: Path) -> None:
    with living(tmp_path) as (city, where):
        assert get(f"{where['cloud']}/api/v1/health")["status"] == "ok"
        nodes = get(f"{where['cloud']}/api/v1/nodes")["nodes"]
        assert len(nodes) > 300
        with urllib.request.urlopen(where["cloud"], timeout=30) as page:
            assert b"<html" in page.read()
        assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
        broker = BrokerAddress.parse(where["broker"])
        told = provisioned(where["cloud"], (tmp_path / "token").read_text().strip())
        assert told["broker"] == {"host": broker.host, "port": broker.port, "tls": False}
        assert told["ntp_hosts"] and all(tells_the_time(host) for host in told["ntp_hosts"])
        city.send_signal(signal.SIGINT)
        out, _ = city.communicate(timeout=60)
        assert city.returncode == 0, out.decode()
        assert "produced" in out.decode() and "Traceback" not in out.decode()
    assert account(tmp_path)["total"]["balanced"]


def test_what_is_quarantined_is_told_by_the_command_and_by_the_cloud(tmp_path: Path) -> None:
    with living(tmp_path) as (_, where):
        broker = BrokerAddress.parse(where["broker"])
        message = ("cn/v1/ys-07/data", b"<script>alert(1)</script>", 1)
        publish.multiple([message], hostname=broker.host, port=broker.port, client_id="mallory")
        told = until_quarantined(where["cloud"])
        (entry,) = told["entries"]
        assert (entry["node"], entry["reason"], entry["readings"]) == ("ys-07", "not_cbor", 1)
        assert base64.b64decode(entry["payload_base64"]) == message[1]
        command = [CITYNEURON, "quarantine", "list", "--json", "--data", tmp_path]
        listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert listed["count"] == 1 and bytes.fromhex(listed["entries"][0]["payload"]) == message[1]
        (row,) = [row for row in account(tmp_path)["nodes"] if row["node"] == "ys-07"]
        assert row["quarantined"] == 1 and row["balanced"]


def test_a_city_on_given_servers_writes_to_them(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB
) -> None:
    found = run(tmp_path, "--for", "6", "--broker", mosquitto.url, "--store", influxdb.url)
    assert found["stored"] == found["produced"] > 10_000
    kinds = [row[0] for row in influxdb.query("city", "SHOW MEASUREMENTS")["results"][0]["series"][0]["values"]]
    assert {"water_level", "streetlight", "gateway"} <= set(kinds)


def refused(data: Path, *options: str, port: int = 0, before: Sequence[str | Path] = ()) -> str:
    """Return the words of a city that does not start."""
    command = [*before, CITYNEURON, "up", "--data", data, "--port", str(port), "--for", "1", *options]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    words = done.stderr.decode()
    assert words.startswith("error: ") and "Traceback" not in words and len(words.splitlines()) <= 2
    return words


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} on 127.0.0.1 is in use" in refused(tmp_path, port=port)


def test_a_folder_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{FORMAT + 1}\n")
    assert "written by a newer version" in refused(tmp_path)


def test_two_cities_do_not_share_a_folder(tmp_path: Path) -> None:
    with living(tmp_path):
        assert "another city runs in" in refused(tmp_path)


def test_a_store_that_is_not_there_is_named(tmp_path: Path, free_port: int) -> None:
    assert "does not answer" in refused(tmp_path, "--store", f"http://127.0.0.1:{free_port}")


def test_a_broker_that_is_not_there_is_named(tmp_path: Path, free_port: int) -> None:
    words = refused(tmp_path, "--broker", f"mqtt://127.0.0.1:{free_port}")
    assert "cannot reach the broker" in words and "check --broker" in words


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot use" in refused(tmp_path / "file" / "data")


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'  # in a mount namespace of its own
    assert "is full" in refused(tmp_path, before=["unshare", "-Urm", "sh", "-c", mount, tmp_path])
