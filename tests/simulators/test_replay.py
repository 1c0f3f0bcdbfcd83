"""Replays over a real broker: the whole file arrives, in order, and the result says so in full."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import servers
import typer
from peer import Peer
from typer.testing import CliRunner

from edge.broker import BrokerAddress
from edge.folder import DataFolder
from edge.model.errors import ConfigError
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from simulators import cli
from simulators.recording import load_map, parse_map
from simulators.registration import RegistrationError, register, running_in
from simulators.replay import Replay
from simulators.rows import Recording

MAPS = Path(__file__).resolve().parents[2] / "simulators" / "maps"
SIMPLE = {
    "time": {"column": "t", "utc_offset": "UTC"},
    "node": {"id": "gauge"},
    "reading": [{"kind": "water_level", "column": [{"name": "v", "quantity": "level_m"}]}],
}


@pytest.fixture
async def peer(mosquitto: servers.Mosquitto) -> AsyncIterator[Peer]:
    async with Peer(mosquitto.host, mosquitto.port) as peer:
        yield peer


def short(tmp_path: Path, rows: str) -> Recording:
    path = tmp_path / "rows.csv"
    path.write_text(f"t,v\n{rows}", encoding="utf-8")
    return Recording(path, parse_map(SIMPLE, "simple.toml"))


async def test_a_dust_sensor_is_replayed_whole(
    shared_data: Path, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    file = shared_data / "air-sds011-aberdeen" / "sds011_15462_2019-03-01_2019-03-20.csv.gz"
    recording = Recording(file, load_map(MAPS / "air-sds011-aberdeen.toml"))
    seen = []
    run = Replay(recording, recording.survey(), BrokerAddress.parse(mosquitto.url), boot=9)
    result = await run.run(drain_s=20, progress=lambda result: seen.append(result.counts.acknowledged))
    assert result.complete
    assert result.counts.acknowledged == 11_173
    assert peer.numbers("sds011-15462") == [(9, seq) for seq in range(11_173)]
    assert peer.leaves["sds011-15462"] == {"replay"}
    assert seen[-1] == 11_173
    first = peer.rows["sds011-15462", 9, 0]
    assert first == (1_551_398_607_000, 0, (1567, 340))


async def test_a_broker_restart_in_the_middle_loses_nothing(
    shared_data: Path, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    file = shared_data / "air-sds011-aberdeen" / "sds011_15462_2019-03-01_2019-03-20.csv.gz"
    recording = Recording(file, load_map(MAPS / "air-sds011-aberdeen.toml"))
    cut = threading.Event()

    def pull_the_plug(_: object) -> None:
        if len(peer.rows) > 2_000 and not cut.is_set():
            cut.set()
            mosquitto.kill()
            mosquitto.start()

    run = Replay(recording, recording.survey(), BrokerAddress.parse(mosquitto.url), boot=9)
    result = await run.run(drain_s=30, progress=pull_the_plug)
    assert cut.is_set()
    assert result.complete
    assert len(peer.rows) == 11_173


async def test_rows_out_of_order_say_that_their_time_is_estimated(
    tmp_path: Path, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    rows = (
        "2026-01-01 00:00,1\n2026-01-01 00:10,2\n2026-01-01 00:05,3\n2026-01-01 00:05,4\n2026-01-01 00:20,5\n"
    )
    recording = short(tmp_path, rows)
    result = await Replay(recording, recording.survey(), BrokerAddress.parse(mosquitto.url), boot=1).run(
        drain_s=30
    )
    assert result.out_of_order == 2
    clocks = [peer.rows["gauge", 1, seq][1] for seq in range(5)]
    assert clocks == [Clock.SYNCED, Clock.SYNCED, Clock.ESTIMATED, Clock.ESTIMATED, Clock.SYNCED]


async def test_a_speed_keeps_the_recorded_pace(
    tmp_path: Path, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    recording = short(tmp_path, "".join(f"2026-01-01 00:00:{second:02},1\n" for second in range(0, 60, 10)))
    run = Replay(recording, recording.survey(), BrokerAddress.parse(mosquitto.url), boot=1, speed=100)
    result = await run.run(drain_s=30)
    assert result.complete
    assert 0.5 <= result.seconds < 50


async def test_a_replay_that_nobody_acknowledges_ends_and_says_so(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    recording = short(tmp_path, "2026-01-01,1\n")
    result = await Replay(recording, recording.survey(), BrokerAddress.parse(mosquitto.url)).run(drain_s=0.5)
    assert not result.complete
    assert result.to_dict()["unacknowledged"] == 1


def test_a_speed_must_be_above_zero(tmp_path: Path) -> None:
    recording = short(tmp_path, "2026-01-01,1\n")
    with pytest.raises(ConfigError, match="speed"):
        Replay(recording, recording.survey(), BrokerAddress.parse("mqtt://127.0.0.1"), speed=0)


# --- registering --------------------------------------------------------------------------------------------


class Cloud:
    """A cloud of two endpoints; its gateway learns of new nodes at the second look."""

    def __init__(self, *, learns: bool = True, token: str = "secret") -> None:
        self.nodes: list[dict[str, Any]] = []
        self.looks = 0
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.headers.get("Authorization") != f"Token {token}":
                    self.answer(401, {"error": {"message": "a token is needed", "remedy": ""}})
                else:
                    cloud.nodes += body["nodes"]
                    self.answer(200, {"nodes": body["nodes"]})

            def do_GET(self) -> None:
                if self.path.endswith("/nodes"):
                    self.answer(200, {"nodes": cloud.nodes})
                    return
                cloud.looks += 1
                known = len(cloud.nodes) if learns and cloud.looks > 1 else 0
                row = {"gateway": "gw-1", "state": "ok", "time_ms": 4e12, "health": {"nodes": known}}
                self.answer(200, {"gateways": [row]})

            def answer(self, status: int, body: object) -> None:
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Cloud:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


GAUGE = Node(id=node_id("gauge"), kind="water_level", label_en="g", label_zh="g", site="s", district="d")


async def test_nodes_are_registered_before_the_gateway_hears_of_them(cloud: Cloud) -> None:
    await register(cloud.url, "secret", [GAUGE])
    assert [row["id"] for row in cloud.nodes] == ["gauge"]
    assert cloud.looks == 2


async def test_a_wrong_token_is_one_line_of_advice(cloud: Cloud) -> None:
    with pytest.raises(RegistrationError, match=r"401.*a token is needed.*--data"):
        await register(cloud.url, "wrong", [GAUGE])


async def test_a_cloud_that_is_not_there_is_one_line_of_advice(free_port: int) -> None:
    with pytest.raises(RegistrationError, match="cannot be reached"):
        await register(f"http://127.0.0.1:{free_port}", None, [GAUGE])


def test_a_data_folder_tells_where_its_city_runs(tmp_path: Path) -> None:
    assert running_in(tmp_path).broker is None
    (tmp_path / "token").write_text("secret\n")
    with DataFolder(tmp_path).announced("mqtt://127.0.0.1:1", "http://127.0.0.1:2"):
        place = running_in(tmp_path)
    assert (place.broker, place.cloud, place.token) == ("mqtt://127.0.0.1:1", "http://127.0.0.1:2", "secret")


# --- the command line ---------------------------------------------------------------------------------------


def program() -> typer.Typer:
    app = typer.Typer()
    app.command()(cli.replay)
    app.command()(cli.fleet)
    return app


async def test_the_command_prints_its_result_as_json(
    tmp_path: Path, mosquitto: servers.Mosquitto, peer: Peer, cloud: Cloud
) -> None:
    (tmp_path / "token").write_text("secret")
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(gzip.compress(b"t,v\n2026-01-01,1.25\n2026-01-02,0.1|0.2\nnever,1\n"))
    rules = tmp_path / "map.toml"
    rules.write_text(
        '[time]\ncolumn = "t"\nutc_offset = "UTC"\n[node]\nid = "gauge"\n'
        '[[reading]]\nkind = "water_level"\n[[reading.column]]\nname = "v"\nquantity = "level_m"\n'
    )
    words = ["replay", str(file), "--map", str(rules), "--broker", mosquitto.url, "--cloud", cloud.url]
    outcome = await asyncio.to_thread(
        CliRunner().invoke, program(), [*words, "--data", str(tmp_path), "--json"]
    )
    assert outcome.exit_code == 0, outcome.output
    told = json.loads(outcome.stdout.splitlines()[-1])
    assert (told["rows_read"], told["published"], told["acknowledged"], told["untimed"]) == (3, 2, 2, 1)
    assert told["unparsable"] == [{"line": 3, "column": "v", "text": "0.1|0.2", "reason": "not a number"}]
    assert [peer.rows[key][2] for key in sorted(peer.rows)] == [(125,), (None,)]
    assert cloud.nodes[0]["kind"] == "water_level"


async def test_the_command_fails_when_not_all_is_acknowledged(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("t,v\n2026-01-01,1.25\n")
    rules = tmp_path / "map.toml"
    rules.write_text(
        '[time]\ncolumn = "t"\nutc_offset = "UTC"\n[node]\nid = "gauge"\n'
        '[[reading]]\nkind = "water_level"\n[[reading.column]]\nname = "v"\nquantity = "level_m"\n'
    )
    words = ["replay", str(file), "--map", str(rules), "--broker", mosquitto.url, "--no-register"]
    outcome = await asyncio.to_thread(CliRunner().invoke, program(), [*words, "--patience", "0.5"])
    assert outcome.exit_code == 1
    assert "1 readings were not acknowledged" in outcome.output


def test_without_a_running_city_the_command_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("t,v\n")
    words = ["replay", str(file), "--map", str(MAPS / "power-pzem004t.toml"), "--data", str(tmp_path)]
    outcome = CliRunner().invoke(program(), words)
    assert isinstance(outcome.exception, ConfigError)
    assert "--broker" in outcome.exception.remedy
