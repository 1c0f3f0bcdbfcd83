"""A cloud over HTTP, and a workplace with one board, for every test that asks for them."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import servers
from aiohttp import web
from field_rig import CloudStandIn, Workplace, status

from edge.field.cloud import CloudApi


@pytest.fixture
def cloud() -> CloudStandIn:
    """The stand-in; `api` serves it."""
    return CloudStandIn()


@pytest.fixture
async def url(cloud: CloudStandIn) -> AsyncIterator[str]:
    """Where the stand-in answers."""
    runner = web.AppRunner(cloud.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def api(url: str) -> AsyncIterator[CloudApi]:
    """The client, signed in."""
    async with CloudApi(url, CloudStandIn.TOKEN) as opened:
        yield opened


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A bare ESP32, which becomes a node that is well."""
    return Workplace(tmp_path, [status()])


@pytest.fixture(scope="session")
def micropython() -> str:
    """The command of a real MicroPython, fetched when it is first asked for."""
    script = servers.PROJECT / "scripts" / "micropython"
    return subprocess.run([script], capture_output=True, text=True, timeout=300, check=True).stdout.strip()
