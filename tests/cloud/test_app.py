"""The cloud as a service: it starts, goes on, ends, and says in one line why it cannot."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.app import PortInUse, run_cloud
from cloud.cli import app
from cloud.config import CloudConfig, StoreConfig
from cloud.errors import CloudError
from cloud.services import epoch_ms
from edge.model.errors import CityError


async def test_a_second_start_goes_on_with_the_same_city(run_cloud_in: Any, tmp_path: Path) -> None:
    now_ms = epoch_ms()
    async with run_cloud_in(tmp_path) as first:
        await first.register({"id": "water-1", "kind": "water_level"})
        await first.write(f"water_level,node=water-1 level_m=2 {now_ms}")
    async with run_cloud_in(tmp_path) as second:
        (reading,) = (await second.get("/api/v1/latest"))["latest"]
        assert reading["values"] == {"level_m": 2.0}
        assert (await second.get("/api/v1/nodes/water-1"))["state"] == "ok"


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is in use") as caught:
            await run_cloud(CloudConfig(token="t", port=port, data_dir=tmp_path))
    assert isinstance(caught.value, CityError)
    assert caught.value.remedy


async def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CloudError, match="Not a directory"):
        await run_cloud(CloudConfig(token="t", port=0, data_dir=tmp_path / "file"))


async def test_with_an_influxdb_news_comes_by_asking(run_cloud_in: Any, tmp_path: Path, influxdb: Any) -> None:
    store = StoreConfig(kind="influxql", url=influxdb.url, database="city", poll_s=0.05)
    async with run_cloud_in(tmp_path, store) as client:
        await client.register({"id": "water-1", "kind": "water_level"})
        async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply:
            now_ms = epoch_ms()
            await client.write(f"water_level,node=water-1,site=a level_m=2.5 {now_ms}")
            async with asyncio.timeout(20):
                while not (line := await reply.content.readline()).startswith(b'data: {"readings"'):
                    pass
        assert b'"level_m":2.5' in line
        read = await client.get("/api/v1/readings", node="water-1", quantity="level_m")
        assert read["readings"] == [[now_ms, 2.5]]
        assert (await client.get("/api/v1/health"))["store"] == {"kind": "influxql", "ok": True}


async def test_an_influxdb_that_goes_away_is_told_and_comes_back(
    run_cloud_in: Any, tmp_path: Path, influxdb: Any
) -> None:
    store = StoreConfig(kind="influxql", url=influxdb.url, database="city", poll_s=0.05)
    async with run_cloud_in(tmp_path, store) as client:
        await client.register({"id": "water-1", "kind": "water_level"})
        await asyncio.to_thread(influxdb.stop)
        health = await client.get("/api/v1/health")
        assert (health["status"], health["store"]["ok"]) == ("degraded", False)
        answer = await client.ask("GET", "/api/v1/readings?node=water-1&quantity=level_m")
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        answer = await client.ask("POST", "/write", data=b"m f=1")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        await asyncio.to_thread(influxdb.start)
        async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply, asyncio.timeout(20):
            await client.write(f"water_level,node=water-1 level_m=2.5 {epoch_ms()}")
            while b'"level_m":2.5' not in await reply.content.readline():
                pass


async def test_a_node_that_changes_its_state_is_told(
    run_cloud_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.app.WATCH_STATES_S", 0.02)
    async with run_cloud_in(tmp_path) as client:
        await client.register({"id": "water-1", "kind": "water_level"})
        async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply:
            await client.write(f"water_level,node=water-1 level_m=2.5 {epoch_ms()}")
            async with asyncio.timeout(20):
                while b'"state":"ok"' not in await reply.content.readline():
                    pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_runs_until_a_signal_and_ends_cleanly(
    tmp_path: Path, free_port: int, number: signal.Signals
) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text(f'port = {free_port}\ndata_dir = "data"\ntoken_file = "token"\n')
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("secret")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cloud.cli import app; app()", "run", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == f"The wall: http://127.0.0.1:{free_port}\n".encode()
        process.send_signal(number)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text("prot = 1")
    result = CliRunner().invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 1
    assert "'prot' is not known" in result.output
    assert "Traceback" not in result.output
