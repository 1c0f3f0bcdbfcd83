"""Who may post readings: those who know name and password, whatever else stands in a request."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

from edge import tasks
from gateway.arrival import Inbox
from gateway.sources.config import read_source
from gateway.sources.desk import Desk
from gateway.sources.messages import HttpMessages

LIMIT_S = 30


async def status(port: int, *header: bytes) -> int:
    """Return how a request with a body that is no pack is answered; its header goes out as it is."""
    lines = (b"POST / HTTP/1.1", b"Host: gateway", b"Connection: close", b"Content-Length: 7", *header)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n".join(lines) + b"\r\n\r\nno pack")
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def statuses(source: HttpMessages, *headers: bytes) -> list[int]:
    job = asyncio.create_task(source.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            await source.listening.wait()
            return [await status(source.port, *[header] if header else []) for header in headers]
    finally:
        await tasks.end(job)


def posted(tmp_path: Path, login: bool) -> HttpMessages:
    table = {
        "name": "posted", "protocol": "senml", "transport": "http", "address": "127.0.0.1:0",
        "device": [{"id": "urn:a", "node": "stage-1", "kind": "water_level"}],
    }  # fmt: skip
    if login:
        secret = tmp_path / "secret"
        secret.touch(mode=0o600)
        secret.write_text("pärt")
        table |= {"username": "yard", "password_file": str(secret)}
    config = read_source(table, "source[0]")
    source = HttpMessages(config)
    source.sit(Desk(config, Inbox(10), {}))
    return source


def basic(login: str) -> bytes:
    return b"Authorization: Basic " + b64encode(login.encode())


async def test_name_and_password_let_in_and_nothing_else_does(tmp_path: Path) -> None:
    wrong = [b"", basic("yard:"), basic("yard:part"), basic(":"), b"Authorization: Basic \xff\xfe"]
    assert await statuses(posted(tmp_path, login=True), *wrong, basic("yard:pärt")) == [401] * len(wrong) + [
        400
    ]


async def test_without_a_login_on_loopback_everybody_may_post(tmp_path: Path) -> None:
    assert await statuses(posted(tmp_path, login=False), b"") == [400]
