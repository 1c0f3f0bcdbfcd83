"""The tables of the registry: what stands in the street, and what the gateways last said about it."""

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

COUNTS = ("produced", "stored", "queued", "dropped", "quarantined", "missing")
"""The ledger's columns: produced = stored + queued + dropped + quarantined + missing."""


class Base(DeclarativeBase):
    """All tables of the registry."""


class VersionRow(Base):
    """Which migrations this registry has taken; see cloud.registry.migrations. There is one."""

    __tablename__ = "schema_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


class NodeRow(Base):
    """A registered node; see edge.model.node.Node."""

    __tablename__ = "node"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), index=True)
    label_en: Mapped[str]
    label_zh: Mapped[str]
    site: Mapped[str]
    district: Mapped[str]
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    gateway: Mapped[str | None] = mapped_column(String(32), index=True)
    stages: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))


class LedgerCounts:
    """Readings by what became of them."""

    produced: Mapped[int] = mapped_column(BigInteger, default=0)
    stored: Mapped[int] = mapped_column(BigInteger, default=0)
    queued: Mapped[int] = mapped_column(BigInteger, default=0)
    dropped: Mapped[int] = mapped_column(BigInteger, default=0)
    quarantined: Mapped[int] = mapped_column(BigInteger, default=0)
    missing: Mapped[int] = mapped_column(BigInteger, default=0)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in COUNTS}


class GatewayRow(LedgerCounts, Base):
    """A gateway's newest report: its ledger's totals and its health."""

    __tablename__ = "gateway"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    time_ms: Mapped[int] = mapped_column(BigInteger)
    health: Mapped[dict[str, object]] = mapped_column(JSON)


class NodeLedgerRow(LedgerCounts, Base):
    """One node's counts at one gateway."""

    __tablename__ = "node_ledger"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.id"), primary_key=True)
    node: Mapped[str] = mapped_column(String(32), primary_key=True)


class QuarantineRow(Base):
    """A payload that a gateway could not take, with its reason and its bytes."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("gateway", "entry"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.id"))
    entry: Mapped[int] = mapped_column(BigInteger)
    time_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    node: Mapped[str | None] = mapped_column(String(32), index=True)
    reason: Mapped[str]
    detail: Mapped[str]
    topic: Mapped[str]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    readings: Mapped[int] = mapped_column(BigInteger)


class MapRow(Base):
    """The city's map as GeoJSON; there is one."""

    __tablename__ = "map"

    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, object]] = mapped_column(JSON)
