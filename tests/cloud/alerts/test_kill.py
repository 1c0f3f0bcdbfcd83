"""The cloud as users run it, a webhook that hangs, and a kill: the message arrives, once by its key."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from alerts_rig import episode
from servers import free_port as a_free_port

from cloud.services import epoch_ms
from edge.model.alert import Episode, Level

AUTHORIZED = {"Authorization": "Token secret"}


class Hook:
    """A webhook that takes messages, or lets the sender wait for ever."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.hangs = False
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Note what came."""
        body = await request.json()
        self.arrived.put_nowait(body)
        if self.hangs:
            await asyncio.Event().wait()
        self.bodies.append(body)
        return web.json_response({})


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", a_free_port())
    await site.start()
    made.url = f"{site.name}/hook"
    yield made
    await runner.cleanup()


def written(folder: Path, hook: Hook, port: int) -> Path:
    for name, text in (("token", "secret"), ("hook.url", hook.url), ("hook.secret", "hush")):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    (folder / "channels.toml").write_text(
        '[[channel]]\nname = "hook"\ntype = "webhook"\nurl_file = "hook.url"\nsecret_file = "hook.secret"\n'
        'allow_http = true\nlanguage = "en"\n'
    )
    config = folder / "cloud.toml"
    config.write_text(
        f'port = {port}\ndata_dir = "data"\ntoken_file = "token"\n'
        '[alerts]\nchannels_file = "channels.toml"\nurl = "https://wall.example"\n'
    )
    return config


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cloud.cli import app; app()", "run", "--config", str(config),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert b"The wall" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def put(port: int, *episodes: Episode) -> None:
    url = f"http://127.0.0.1:{port}/api/v1/gateways/gw-1/episodes"
    body = {"episodes": [one.to_dict() for one in episodes]}
    async with aiohttp.ClientSession(headers=AUTHORIZED, raise_for_status=True) as session:
        await session.put(url, json=body)


async def test_a_kill_while_a_message_is_under_way_sends_it_again_under_its_key(
    tmp_path: Path, hook: Hook
) -> None:
    port = a_free_port()
    config, event = written(tmp_path, hook, port), episode("stage-1", Level.RED, epoch_ms())
    hook.hangs = True
    async with asyncio.timeout(100):
        async with running(config):
            await put(port, event)
            first = await hook.arrived.get()
        hook.hangs = False
        async with running(config):
            again = await hook.arrived.get()
            await put(port, event)
            await put(port, episode("stage-2", Level.RED, event.start_ms, rule="rain"))
            other = await hook.arrived.get()
    assert first["id"] == again["id"] != other["id"]
    assert again["url"] == "https://wall.example/#alert=1"
    assert [body["id"] for body in hook.bodies] == [again["id"], other["id"]]
