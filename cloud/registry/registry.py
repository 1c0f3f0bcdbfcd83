"""The registry: nodes, gateways, their ledgers, the quarantine and the map, in one SQL database."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from cloud.errors import CloudError
from cloud.registry.migrations import migrate
from cloud.registry.models import COUNTS, GatewayRow, MapRow, NodeLedgerRow, NodeRow, QuarantineRow
from cloud.registry.reports import Counts, GatewayReport, GatewayStatus, Ledger, QuarantineEntry
from edge.model.node import Node, NodeId

_T = TypeVar("_T")
_MAP_ID = 1


class RegistryError(CloudError):
    """The registry's database cannot do what it was asked to."""


class Registry:
    """Async front of the registry's database; every call is one transaction in the registry's own thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registry")
        self._engine: Engine | None = None

    async def open(self) -> None:
        """Connect, and bring the tables to today's shape."""
        await self._in_thread(self._connect)

    async def close(self) -> None:
        """Finish what is running and disconnect."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._engine is not None:
            self._engine.dispose()

    async def nodes(self, *, kind: str | None = None) -> list[Node]:
        """Return the registered nodes, by id."""
        query = select(NodeRow).order_by(NodeRow.id)
        if kind is not None:
            query = query.where(NodeRow.kind == kind)
        return await self.transact(lambda session: [node_of(row) for row in session.scalars(query)])

    async def node(self, ident: str) -> Node | None:
        """Return one node, None if it is not registered."""
        return await self.transact(
            lambda session: node_of(row) if (row := session.get(NodeRow, ident)) else None
        )

    async def nodes_of(self, gateway: str) -> list[Node]:
        """Return the nodes a gateway serves: its own, and those that belong to every gateway."""
        query = (
            select(NodeRow).where((NodeRow.gateway == gateway) | NodeRow.gateway.is_(None)).order_by(NodeRow.id)
        )
        return await self.transact(lambda session: [node_of(row) for row in session.scalars(query)])

    async def upsert(self, nodes: Iterable[Node]) -> list[Node]:
        """Register nodes or correct them; return those that changed."""
        return await self.transact(lambda session: [node for node in nodes if merge_node(session, node)])

    async def registered(self) -> int:
        """Return how many nodes are registered."""
        return await self.transact(
            lambda session: session.scalar(select(func.count()).select_from(NodeRow)) or 0
        )

    async def report(self, report: GatewayReport) -> None:
        """Take a gateway's report; of one that is older than the newest, only the quarantine."""
        await self.transact(lambda session: _report(session, report))

    async def gateways(self) -> list[GatewayStatus]:
        """Return the newest report of each gateway, by id."""
        return await self.transact(_gateways)

    async def ledger(self) -> Ledger:
        """Return the ledger: over all gateways, by node, by gateway."""
        return await self.transact(_ledger)

    async def quarantine(
        self, *, limit: int = 100, node: str | None = None
    ) -> tuple[int, list[QuarantineEntry]]:
        """Return how many entries there are (of this node), and the newest of them."""
        return await self.transact(lambda session: _quarantine(session, limit, node))

    async def map(self) -> dict[str, object] | None:
        """Return the map, None before one was set."""
        return await self.transact(
            lambda session: row.content if (row := session.get(MapRow, _MAP_ID)) else None
        )

    async def set_map(self, content: dict[str, object]) -> None:
        """Replace the map."""

        def replace(session: Session) -> None:
            session.merge(MapRow(id=_MAP_ID, content=content))

        await self.transact(replace)

    def _connect(self) -> None:
        try:
            self._engine = create_engine(self._url)
            if self._engine.dialect.name == "sqlite":
                event.listen(self._engine, "connect", _durable)
                event.listen(self._engine, "begin", _begin)
            migrate(self._engine)
        except (SQLAlchemyError, ImportError) as error:
            raise _translated(self._url, error) from error

    async def transact(self, work: Callable[[Session], _T]) -> _T:
        """Do this work as one transaction, in the registry's thread; return what it returns."""

        def transaction() -> _T:
            if self._engine is None:
                raise RegistryError("the registry is not open")
            try:
                with Session(self._engine, expire_on_commit=False) as session, session.begin():
                    return work(session)
            except SQLAlchemyError as error:
                raise _translated(self._url, error) from error

        return await self._in_thread(transaction)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _durable(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # `_begin` begins
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    """Begin for real: Python's driver would begin at the first change of a row, and not for tables at all."""
    connection.exec_driver_sql("BEGIN")


def _translated(url: str, error: Exception) -> RegistryError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    place = url.rpartition("@")[2]  # no password in a message
    return RegistryError(f"the registry {place}: {cause}", remedy="check the disk, the file and its owner")


def node_of(row: NodeRow) -> Node:
    """Return the node of a row."""
    return Node(
        id=NodeId(row.id),
        kind=row.kind,
        label_en=row.label_en,
        label_zh=row.label_zh,
        site=row.site,
        district=row.district,
        lat=row.lat,
        lon=row.lon,
        gateway=row.gateway,
        stages=row.stages or {},
    )


def merge_node(session: Session, node: Node) -> bool:
    """Register a node or correct it, within the caller's transaction; return whether it changed."""
    row = NodeRow(
        id=node.id,
        kind=node.kind,
        label_en=node.label_en,
        label_zh=node.label_zh,
        site=node.site,
        district=node.district,
        lat=node.lat,
        lon=node.lon,
        gateway=node.gateway,
        stages=dict(node.stages) or None,
    )
    merged = session.merge(row)
    return merged in session.new or session.is_modified(merged)


def _report(session: Session, report: GatewayReport) -> None:
    known = session.get(GatewayRow, report.gateway)
    if known is None:
        known = GatewayRow(id=report.gateway, time_ms=report.time_ms, health={}, **dict.fromkeys(COUNTS, 0))
        session.add(known)
    if known.time_ms <= report.time_ms:
        known.time_ms = report.time_ms
        known.health = known.health if report.health is None else dict(report.health)
        for name, count in (report.total or {}).items():
            setattr(known, name, count)
        for node, counts in report.nodes.items():
            session.merge(NodeLedgerRow(gateway=report.gateway, node=node, **counts))
    session.flush()
    known_entries = set(
        session.scalars(
            select(QuarantineRow.entry).where(
                QuarantineRow.gateway == report.gateway,
                QuarantineRow.entry.in_([entry.entry for entry in report.quarantine]),
            )
        )
    )
    for entry in report.quarantine:
        if entry.entry not in known_entries:
            known_entries.add(entry.entry)
            session.add(
                QuarantineRow(
                    gateway=entry.gateway,
                    entry=entry.entry,
                    time_ms=entry.time_ms,
                    node=entry.node,
                    reason=entry.reason,
                    detail=entry.detail,
                    topic=entry.topic,
                    payload=entry.payload,
                    readings=entry.readings,
                )
            )


def _gateways(session: Session) -> list[GatewayStatus]:
    return [
        GatewayStatus(gateway=row.id, time_ms=row.time_ms, total=row.counts(), health=row.health)
        for row in session.scalars(select(GatewayRow).order_by(GatewayRow.id))
    ]


def _ledger(session: Session) -> Ledger:
    gateways = _gateways(session)
    nodes: dict[str, Counts] = {}
    for row in session.scalars(select(NodeLedgerRow).order_by(NodeLedgerRow.node)):
        known = nodes.setdefault(row.node, dict.fromkeys(COUNTS, 0))
        for name, count in row.counts().items():
            known[name] += count
    return Ledger(
        total={name: sum(gateway.total[name] for gateway in gateways) for name in COUNTS},
        nodes=nodes,
        gateways=tuple(gateways),
    )


def _quarantine(session: Session, limit: int, node: str | None) -> tuple[int, list[QuarantineEntry]]:
    total = select(func.count()).select_from(QuarantineRow)
    query = select(QuarantineRow).order_by(QuarantineRow.time_ms.desc(), QuarantineRow.id.desc()).limit(limit)
    if node is not None:
        total, query = total.where(QuarantineRow.node == node), query.where(QuarantineRow.node == node)
    rows: Sequence[QuarantineRow] = session.scalars(query).all()
    entries = [
        QuarantineEntry(
            gateway=row.gateway,
            entry=row.entry,
            time_ms=row.time_ms,
            node=row.node,
            reason=row.reason,
            detail=row.detail,
            topic=row.topic,
            payload=row.payload,
            readings=row.readings,
        )
        for row in rows
    ]
    return session.scalar(total) or 0, entries
