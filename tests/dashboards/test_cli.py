"""`cityneuron dashboards`: build, check, and push to what answers as Grafana's HTTP API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dashboards.boards import boards
from dashboards.build import DashboardError
from dashboards.cli import app
from dashboards.push import push


class GrafanaHandler(BaseHTTPRequestHandler):
    """The three calls of Grafana's documented HTTP API that pushing makes."""

    folders: list[dict[str, Any]]
    dashboards: dict[str, dict[str, Any]]

    def do_GET(self) -> None:
        self.answer(200, self.folders)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer secret":
            self.answer(401, {"message": "Invalid API key"})
        elif self.path == "/api/folders":
            self.folders.append(body)
            self.answer(200, body)
        elif self.path == "/api/dashboards/db":
            uid = body["dashboard"]["uid"]
            self.dashboards[uid] = body
            self.answer(200, {"uid": uid, "status": "success", "url": f"/d/{uid}/city"})
        else:
            self.answer(404, {"message": "Not found"})

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def grafana() -> Iterator[tuple[str, type[GrafanaHandler]]]:
    handler = type("Handler", (GrafanaHandler,), {"folders": [], "dashboards": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler
        finally:
            server.shutdown()
            thread.join()


def test_building_writes_the_files_and_checking_then_finds_them_current(tmp_path: Path) -> None:
    runner = CliRunner()
    stale = runner.invoke(app, ["build", "--check", "--out", str(tmp_path)])
    assert isinstance(stale.exception, DashboardError)
    assert stale.exception.remedy == "run: cityneuron dashboards build"
    assert "city.zh.json" in runner.invoke(app, ["build", "--out", str(tmp_path)]).output
    assert runner.invoke(app, ["build", "--check", "--out", str(tmp_path)]).exit_code == 0


def test_pushing_twice_makes_one_folder_and_replaces_the_boards(grafana: Any) -> None:
    url, handler = grafana
    for _ in range(2):
        pushed = [path for _, path in push(url, "secret", "City Neuron")]
        assert pushed == [f"/d/{board.uid}/city" for board in boards()]
    assert handler.folders == [{"title": "City Neuron", "uid": "city-neuron"}]
    assert set(handler.dashboards) == {board.uid for board in boards()}
    assert all(body["overwrite"] and body["folderUid"] == "city-neuron" for body in handler.dashboards.values())


def test_a_wrong_token_an_absent_token_and_an_absent_grafana_each_say_what_to_do(
    grafana: Any, free_port: int
) -> None:
    url, _ = grafana
    with pytest.raises(DashboardError, match="Editor"):
        push(url, "wrong", "City Neuron")
    with pytest.raises(DashboardError, match="GRAFANA_TOKEN"):
        push(url, "", "City Neuron")
    with pytest.raises(DashboardError, match="does not answer"):
        push(f"http://127.0.0.1:{free_port}", "secret", "City Neuron")
