"""The tables of the alerts: what was found, what people did about it, when to be quiet, what is to be told."""

from sqlalchemy import JSON, BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.registry.models import Base


class AlertRow(Base):
    """One episode and its life. `settled`: it is over, and nobody has to be told anything more of it.

    The columns are what is searched for; the whole truth is `episode` (Episode.to_dict) and `life` (who
    acknowledged it, what was told on which channel).
    """

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("rule", "node", "start_ms"),
        Index("alert_of_node", "node", "start_ms"),
        Index("alert_by_end", "settled", "end_ms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rule: Mapped[str] = mapped_column(String(64))
    node: Mapped[str] = mapped_column(String(32))
    start_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    end_ms: Mapped[int | None] = mapped_column(BigInteger)
    closed_ms: Mapped[int | None] = mapped_column(BigInteger)
    level: Mapped[int]
    cause: Mapped[int | None] = mapped_column(index=True)
    settled: Mapped[bool]
    episode: Mapped[dict[str, object]] = mapped_column(JSON)
    life: Mapped[dict[str, object]] = mapped_column(JSON)


class AlertStepRow(Base):
    """One step in the life of an alert: who did what, and when. Steps are only ever added."""

    __tablename__ = "alert_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    alert: Mapped[int] = mapped_column(index=True)
    time_ms: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str]
    step: Mapped[str] = mapped_column(String(32))
    text: Mapped[str]


class MaintenanceRow(Base):
    """A time in which nobody is told of some nodes, a district or a rule; removed ones stay for the audit."""

    __tablename__ = "maintenance"

    id: Mapped[int] = mapped_column(primary_key=True)
    from_ms: Mapped[int] = mapped_column(BigInteger)
    until_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    nodes: Mapped[list[str]] = mapped_column(JSON)
    district: Mapped[str]
    rule: Mapped[str]
    text: Mapped[str]
    who: Mapped[str]
    removed_ms: Mapped[int | None] = mapped_column(BigInteger)
    removed_by: Mapped[str] = mapped_column(default="")


class OutboxRow(Base):
    """A message that has to be sent, written in the transaction that found the reason for it.

    `was`: the level that its readers knew of before, 0 for none; of an escalation its number. `digest` names
    the digest that tells it, where a channel's limit did not allow a message of its own. `done_ms`: the channel
    took it, or will never take it (then `trouble` says why).
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_of_channel", "channel", "done_ms"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    level: Mapped[int]
    was: Mapped[int]
    made_ms: Mapped[int] = mapped_column(BigInteger)
    alerts: Mapped[list[int]] = mapped_column(JSON)
    digest: Mapped[int | None]
    done_ms: Mapped[int | None] = mapped_column(BigInteger)
    trouble: Mapped[str] = mapped_column(default="")


class WatchRow(Base):
    """What the rules of the city know of a node, and what they found that the desk may not have yet."""

    __tablename__ = "watch"

    node: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[dict[str, object]] = mapped_column(JSON)
