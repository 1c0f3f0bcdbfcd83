"""Every store that a gateway can write to, behind a gate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import servers
from stores_peers.place import INFLUXES, Place, make


@pytest.fixture(params=["embedded", *INFLUXES, "victoria-metrics"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A store, by the age of its server and the `api` by which it is written to."""
    async with AsyncExitStack() as stack:
        yield await make(request.param, stack, request, tmp_path)


@pytest.fixture
def victoria_metrics(tmp_path: Path) -> Iterator[servers.VictoriaMetrics]:
    """A running VictoriaMetrics."""
    server = servers.VictoriaMetrics(tmp_path / "victoria-metrics")
    try:
        server.start()
        yield server
    finally:
        server.kill()
