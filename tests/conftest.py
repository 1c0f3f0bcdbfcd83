"""Fixtures for every test: real servers in temporary folders, and the shared recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import servers
from hypothesis import settings
from unhurried import UnhurriedLoop

settings.register_profile("city", deadline=None)  # speed is measured in bench/, never by a test
settings.load_profile("city")
SHARED_DATA = servers.PROJECT.parent / "shared" / "data"


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], UnhurriedLoop]]:
    """Say in which event loop tests run."""
    return {"unhurried": UnhurriedLoop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse two tests of one id: pytest-xdist would run one of them only, and say nothing."""
    twice = sorted(node_id for node_id, count in Counter(item.nodeid for item in items).items() if count > 1)
    if twice:
        raise pytest.UsageError("more than one test is called " + ", ".join(twice))


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    return servers.free_port()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[servers.Mosquitto]:
    """A running Mosquitto, open to anybody on loopback: host, port, url, stop(), start(), kill(), pid."""
    broker = servers.Mosquitto(tmp_path / "mosquitto")
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def influxdb(tmp_path: Path) -> Iterator[servers.InfluxDB]:
    """A running InfluxDB 1.x with the database `city`: url, query(), rows(), write(), stop(), start()."""
    store = servers.InfluxDB(tmp_path / "influxdb")
    try:
        store.start()
        yield store
    finally:
        store.kill()


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.PostgreSQL]:
    """A running PostgreSQL, for all tests that want one: it takes seconds to make."""
    server = servers.PostgreSQL(tmp_path_factory.mktemp("postgresql"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def postgresql(postgresql_server: servers.PostgreSQL) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgresql_server.database()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and conformance cases beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.fail(
            f"{SHARED_DATA} is missing: these tests read the recordings in shared/data, "
            "a folder beside the project's own",
            pytrace=False,
        )
    return SHARED_DATA
