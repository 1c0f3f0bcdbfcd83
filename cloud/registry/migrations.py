"""How an older registry becomes today's: numbered steps, each taken once, each in one transaction.

A new registry gets today's tables at once. Add a step at the end for every later change of the tables, and
never change one that was released: somebody's registry has taken it already.
"""

from collections.abc import Callable
from typing import cast

from sqlalchemy import Connection, Engine, Table, insert, inspect, text

from cloud.errors import CloudError
from cloud.registry.alert_tables import AlertRow, AlertStepRow, MaintenanceRow, OutboxRow, WatchRow
from cloud.registry.device_tables import (
    BarredRow,
    CertificateRow,
    CommandRow,
    DeviceRow,
    FirmwareRow,
    NodeStepRow,
    RolloutNodeRow,
    RolloutRow,
)
from cloud.registry.level_tables import DueRow, PositionRow, RolledRow
from cloud.registry.models import Base, VersionRow

Migration = Callable[[Connection], None]


class RegistryTooNew(CloudError):
    """The registry was written by a later version of this program."""


def migrate(engine: Engine) -> None:
    """Bring the registry's tables to today's shape; raise RegistryTooNew if they are of tomorrow."""
    with engine.begin() as connection:
        version = _version(connection)
        if version is None:
            Base.metadata.create_all(connection)
            connection.execute(insert(VersionRow).values(id=1, version=len(MIGRATIONS)))
            return
    if version > len(MIGRATIONS):
        raise RegistryTooNew(
            f"the registry has version {version}, this program knows {len(MIGRATIONS)}",
            remedy="start the newer program, or restore a backup of the registry",
        )
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        with engine.begin() as connection:
            step(connection)
            connection.execute(text("UPDATE schema_version SET version = :n"), {"n": number})


def _version(connection: Connection) -> int | None:
    """Return the version of the tables; None where there are none, 0 for those of before versions."""
    tables = inspect(connection).get_table_names()
    if VersionRow.__tablename__ in tables:
        found = connection.scalar(text("SELECT version FROM schema_version"))
        return None if found is None else int(found)
    if "node" not in tables:
        return None
    Base.metadata.create_all(connection, [cast(Table, VersionRow.__table__)])
    connection.execute(insert(VersionRow).values(id=1, version=0))
    return 0


def _stages(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE node ADD COLUMN stages JSON"))


def _alerts(connection: Connection) -> None:
    rows = (AlertRow, AlertStepRow, MaintenanceRow, OutboxRow)
    Base.metadata.create_all(connection, [cast(Table, row.__table__) for row in rows])


def _watches(connection: Connection) -> None:
    Base.metadata.create_all(connection, [cast(Table, WatchRow.__table__)])


def _devices(connection: Connection) -> None:
    rows = (
        DeviceRow, CertificateRow, BarredRow, NodeStepRow, CommandRow, FirmwareRow, RolloutRow, RolloutNodeRow,
    )  # fmt: skip
    Base.metadata.create_all(connection, [cast(Table, row.__table__) for row in rows])


def _levels(connection: Connection) -> None:
    rows = (PositionRow, RolledRow, DueRow)
    Base.metadata.create_all(connection, [cast(Table, row.__table__) for row in rows])


MIGRATIONS: tuple[Migration, ...] = (_stages, _alerts, _watches, _devices, _levels)
