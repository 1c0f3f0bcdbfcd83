"""The HTTP sink: on a real InfluxDB 1.x, and on a server that answers as 2.x and 3.x do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from servers import InfluxDB

from edge.model.errors import ConfigError
from gateway.bisection import bisect
from gateway.sinks import SinkRejected, SinkUnavailable
from gateway.sinks.line_http import LineHttpSink, StoreConfig


class Answers:
    """A store that gives the answers it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 204, "", dict[str, str]()
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.bodies.append(await request.read())
        return web.Response(status=self.status, text=self.body or None, headers=self.headers)


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    found = Answers()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/"))
        yield found


@pytest.mark.real
async def test_lines_reach_a_real_influxdb_and_a_bad_one_is_named(influxdb: InfluxDB) -> None:
    sink = LineHttpSink(StoreConfig(url=influxdb.url, api="v1"))
    await sink.write(b"m,node=a x=1.5 1000000000\nm,node=a x=2.5 2000000000")
    lines = [f"m,node=a x={i} {3 + i}000000000" for i in range(20)]
    lines[7] = 'm,node=a x="text" 99000000000'
    refused = await bisect(sink, "\n".join(lines).encode())
    assert list(refused) == [7] and "field type conflict" in refused[7]
    await sink.close()
    ((series),) = influxdb.query("city", "SELECT COUNT(x), SUM(x) FROM m")["results"][0]["series"]
    assert series["values"][0][1:] == [21, 4.0 + sum(range(20)) - 7]


@pytest.mark.real
async def test_a_database_that_is_not_there_is_the_store_s_trouble_not_the_lines(influxdb: InfluxDB) -> None:
    sink = LineHttpSink(StoreConfig(url=influxdb.url, api="v1", database="nowhere"))
    with pytest.raises(SinkUnavailable, match="create the database"):
        await sink.write(b"m x=1 1")
    influxdb.stop()
    with pytest.raises(SinkUnavailable, match="does not answer"):
        await sink.write(b"m x=1 1")
    await sink.close()


async def test_a_token_and_the_bucket_go_with_each_request(answers: Answers, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o600)
    sink = LineHttpSink(StoreConfig(url=answers.url, bucket="b", organisation="o", token_file=token, gzip=True))
    await sink.write(b"\n".join([b"m x=1 1"] * 1000))
    await sink.close()
    (asked,) = answers.asked
    assert asked.path == "/api/v2/write"
    assert dict(asked.query) == {"org": "o", "bucket": "b", "precision": "ns"}
    assert asked.headers["Authorization"] == "Token secret"
    assert asked.headers["Content-Encoding"] == "gzip"


async def test_a_user_and_password_go_as_basic_authentication(answers: Answers, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame")
    secret.chmod(0o600)
    sink = LineHttpSink(StoreConfig(url=answers.url, api="v1", username="gw", password_file=secret))
    await sink.write(b"m x=1 1")
    await sink.close()
    (asked,) = answers.asked
    assert (asked.path, asked.headers["Authorization"]) == ("/write", "Basic Z3c6b3BlbiBzZXNhbWU=")


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_answer_about_the_lines_is_a_rejection(answers: Answers, status: int) -> None:
    answers.status, answers.body = status, '{"code":"invalid","message":"unable to parse"}'
    sink = LineHttpSink(StoreConfig(url=answers.url))
    with pytest.raises(SinkRejected, match="unable to parse"):
        await sink.write(b"m x= 1")
    await sink.close()


@pytest.mark.parametrize(("status", "advice"), [(401, "token"), (403, "access"), (404, "create"), (503, "log")])
async def test_an_answer_about_the_store_is_waited_out(answers: Answers, status: int, advice: str) -> None:
    answers.status = status
    sink = LineHttpSink(StoreConfig(url=answers.url))
    with pytest.raises(SinkUnavailable, match=advice):
        await sink.write(b"m x=1 1")
    await sink.close()


async def test_by_its_own_api_3_x_is_asked_to_take_all_or_nothing_and_to_its_disk(answers: Answers) -> None:
    sink = LineHttpSink(StoreConfig(url=answers.url, api="v3", database="d"))
    await sink.write(b"m x=1 1")
    await sink.close()
    (asked,) = answers.asked
    assert asked.path == "/api/v3/write_lp"
    assert dict(asked.query) == {
        "db": "d",
        "precision": "nanosecond",
        "accept_partial": "false",
        "no_sync": "false",
    }


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"database is required"}',
        '{"error":"invalid character in database name: must be ASCII"}',
        '{"error":"partial write of line protocol occurred","data":[{"line_number":1,'
        '"error_message":"Adding a new database would exceed limit of 5 databases"}]}',
    ],
)
async def test_a_refusal_of_the_request_is_no_refusal_of_the_lines(answers: Answers, body: str) -> None:
    answers.status, answers.body = 400, body
    sink = LineHttpSink(StoreConfig(url=answers.url))
    with pytest.raises(SinkUnavailable, match="database"):
        await sink.write(b"m x=1 1")
    await sink.close()


async def test_only_204_says_that_lines_are_stored(answers: Answers) -> None:
    answers.status, answers.body = 200, "<html>Sign in</html>"
    sink = LineHttpSink(StoreConfig(url=answers.url))
    with pytest.raises(SinkUnavailable, match="does the url lead to a store"):
        await sink.write(b"m x=1 1")
    await sink.close()


@pytest.mark.parametrize(("api", "empty"), [("v1", "database"), ("v2", "bucket"), ("v2", "organisation")])
def test_a_name_that_the_api_needs_must_not_be_empty(api: Literal["v1", "v2"], empty: str) -> None:
    with pytest.raises(ConfigError, match=f"{empty} is empty"):
        LineHttpSink(StoreConfig(api=api, **{empty: ""}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "wait_s"), [("1.5", 1.5), ("86400", 300.0), ("-3", None), ("soon", None), ("", None)]
)
async def test_patience_has_its_limits(answers: Answers, said: str, wait_s: float | None) -> None:
    answers.status, answers.headers = 503, {"Retry-After": said}
    sink = LineHttpSink(StoreConfig(url=answers.url))
    with pytest.raises(SinkUnavailable) as caught:
        await sink.write(b"m x=1 1")
    assert caught.value.retry_after_s == wait_s
    await sink.close()


async def test_a_store_that_asks_for_patience_gets_it(answers: Answers) -> None:
    answers.status, answers.headers = 429, {"Retry-After": "17"}
    sink = LineHttpSink(StoreConfig(url=answers.url))
    with pytest.raises(SinkUnavailable) as caught:
        await sink.write(b"m x=1 1")
    assert caught.value.retry_after_s == 17.0
    await sink.close()
