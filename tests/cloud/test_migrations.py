"""A registry of an earlier version becomes today's, with all that stood in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import servers
from sqlalchemy import create_engine, inspect, text

from cloud.registry import Registry, migrations
from cloud.registry.migrations import MIGRATIONS, RegistryTooNew

VERSION_0 = """
CREATE TABLE node (
    id VARCHAR(32) NOT NULL, kind VARCHAR(32) NOT NULL, label_en VARCHAR NOT NULL, label_zh VARCHAR NOT NULL,
    site VARCHAR NOT NULL, district VARCHAR NOT NULL, lat FLOAT, lon FLOAT, gateway VARCHAR(32),
    PRIMARY KEY (id));
CREATE INDEX ix_node_kind ON node (kind);
CREATE INDEX ix_node_gateway ON node (gateway);
CREATE TABLE gateway (
    id VARCHAR(32) NOT NULL, time_ms BIGINT NOT NULL, health JSON NOT NULL, produced BIGINT NOT NULL,
    stored BIGINT NOT NULL, queued BIGINT NOT NULL, dropped BIGINT NOT NULL, quarantined BIGINT NOT NULL,
    missing BIGINT NOT NULL, PRIMARY KEY (id));
CREATE TABLE node_ledger (
    gateway VARCHAR(32) NOT NULL REFERENCES gateway (id), node VARCHAR(32) NOT NULL, produced BIGINT NOT NULL,
    stored BIGINT NOT NULL, queued BIGINT NOT NULL, dropped BIGINT NOT NULL, quarantined BIGINT NOT NULL,
    missing BIGINT NOT NULL, PRIMARY KEY (gateway, node));
CREATE TABLE quarantine (
    id INTEGER NOT NULL, gateway VARCHAR(32) NOT NULL REFERENCES gateway (id), entry BIGINT NOT NULL,
    time_ms BIGINT NOT NULL, node VARCHAR(32), reason VARCHAR NOT NULL, detail VARCHAR NOT NULL,
    topic VARCHAR NOT NULL, payload BLOB NOT NULL, readings BIGINT NOT NULL, PRIMARY KEY (id),
    UNIQUE (gateway, entry));
CREATE INDEX ix_quarantine_node ON quarantine (node);
CREATE INDEX ix_quarantine_time_ms ON quarantine (time_ms);
CREATE TABLE map (id INTEGER NOT NULL, content JSON NOT NULL, PRIMARY KEY (id));
INSERT INTO node VALUES ('water-1', 'water_level', 'Stage', '水位', 's', 'yangpu', 31.2, 121.5, 'gw-1');
INSERT INTO gateway VALUES ('gw-1', 7, '{}', 5, 5, 0, 0, 0, 0);
"""
"""The tables as they were before they had versions, with a node and a gateway in them."""


def columns(url: str) -> dict[str, list[str]]:
    engine = create_engine(url)
    seen = inspect(engine)
    found = {
        table: sorted(f"{column['name']} {column['nullable']}" for column in seen.get_columns(table))
        for table in seen.get_table_names()
    }
    engine.dispose()
    return found


def version(url: str) -> object:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT version FROM schema_version"))
    engine.dispose()
    return found


async def opened(url: str) -> Registry:
    registry = Registry(url)
    try:
        await registry.open()
    finally:
        await registry.close()
    return registry


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a registry as it was before versions."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql")
        engine = create_engine(url)
        with engine.begin() as connection:
            for statement in VERSION_0.replace("BLOB", "BYTEA").split(";"):
                if statement.strip():
                    connection.exec_driver_sql(statement)
        engine.dispose()
        return url
    path = tmp_path / "old.db"
    database = sqlite3.connect(path)
    database.executescript(VERSION_0)
    database.close()
    return f"sqlite:///{path}"


@pytest.fixture
def new(old: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of the same sort."""
    if old.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'new.db'}"
    server: servers.PostgreSQL = request.getfixturevalue("postgresql_server")
    return server.database()


async def test_an_old_registry_gets_the_tables_of_a_new_one_and_keeps_its_rows(old: str, new: str) -> None:
    await opened(new)
    registry = Registry(old)
    await registry.open()
    assert [node.id for node in await registry.nodes()] == ["water-1"]
    assert (await registry.ledger()).total["stored"] == 5
    await registry.close()
    assert columns(old) == columns(new)
    assert version(old) == version(new) == len(MIGRATIONS)


async def test_a_registry_is_opened_as_often_as_one_likes(old: str) -> None:
    for _ in range(3):
        await opened(old)
    assert version(old) == len(MIGRATIONS)


async def test_a_step_that_fails_leaves_everything_as_it_was(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(connection: object) -> None:
        MIGRATIONS[1](connection)  # type: ignore[arg-type]
        raise OSError("the power is cut")

    monkeypatch.setattr(migrations, "MIGRATIONS", (MIGRATIONS[0], torn))
    with pytest.raises(OSError, match="power"):
        await opened(old)
    assert version(old) == 1
    assert "alert" not in columns(old)
    monkeypatch.undo()
    await opened(old)
    assert version(old) == len(MIGRATIONS)
    assert "alert" in columns(old)


async def test_a_registry_of_a_later_program_is_left_alone(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await opened(old)
    monkeypatch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:1])
    with pytest.raises(RegistryTooNew, match=f"version {len(MIGRATIONS)}") as caught:
        await opened(old)
    assert caught.value.remedy
