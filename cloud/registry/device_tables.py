"""The tables of devices: identities, what was done to a node, commands, firmware and its roll-outs."""

from sqlalchemy import JSON, BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from cloud.registry.models import Base


class DeviceRow(Base):
    """The device that is a node: what provisioning knows of it, and what its newest birth said.

    `serial` is as people wrote it, `serial_key` what it is compared by; both None before provisioning.
    `heard_by` is the gateway that heard the newest birth.
    """

    __tablename__ = "device"

    node: Mapped[str] = mapped_column(String(32), primary_key=True)
    serial: Mapped[str | None] = mapped_column(String(64))
    serial_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    provisioned_ms: Mapped[int | None] = mapped_column(BigInteger)
    firmware: Mapped[str | None] = mapped_column(String(64))
    hardware: Mapped[str | None] = mapped_column(String(64))
    born_serial: Mapped[str | None] = mapped_column(String(64))
    boot: Mapped[int | None] = mapped_column(BigInteger)
    trial: Mapped[bool] = mapped_column(default=False)
    born_ms: Mapped[int | None] = mapped_column(BigInteger)
    heard_by: Mapped[str | None] = mapped_column(String(32))


class CertificateRow(Base):
    """A certificate that the authority signed. `reserved`: made for work without a link, not yet taken in."""

    __tablename__ = "certificate"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    node: Mapped[str] = mapped_column(String(32), index=True)
    key_digest: Mapped[str] = mapped_column(String(64))
    pem: Mapped[str]
    made_ms: Mapped[int] = mapped_column(BigInteger)
    not_after_ms: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[bool] = mapped_column(default=False)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)


class BarredRow(Base):
    """A device that was replaced: its serial gets no identity until somebody admits it again."""

    __tablename__ = "barred"

    serial_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    node: Mapped[str] = mapped_column(String(32))
    time_ms: Mapped[int] = mapped_column(BigInteger)


class NodeStepRow(Base):
    """What was done to a node, by whom and when; a note is a step as well. Steps are only ever added."""

    __tablename__ = "node_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(32), index=True)
    time_ms: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str]
    step: Mapped[str] = mapped_column(String(32))
    text: Mapped[str]


class CommandRow(Base):
    """A command to a node; see cloud.commands.command.Command."""

    __tablename__ = "command"
    __table_args__ = (Index("command_of_node", "node", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    node: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(32))
    args: Mapped[dict[str, object]] = mapped_column(JSON)
    who: Mapped[str]
    made_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), index=True)
    detail: Mapped[object | None] = mapped_column(JSON(none_as_null=True))
    sent_ms: Mapped[int | None] = mapped_column(BigInteger)
    replied_ms: Mapped[int | None] = mapped_column(BigInteger)


class FirmwareRow(Base):
    """A bundle in the depot, whose bytes lie in a file named by its digest."""

    __tablename__ = "firmware"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str] = mapped_column(String(64))
    board: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    made_ms: Mapped[int] = mapped_column(BigInteger)
    verified: Mapped[bool]


class RolloutRow(Base):
    """A roll-out of a bundle; see cloud.ota.plan.Rollout. `steps`: who began, stopped and resumed it."""

    __tablename__ = "rollout"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(64))
    board: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    url: Mapped[str]
    force: Mapped[bool]
    rings: Mapped[list[int]] = mapped_column(JSON)
    ring: Mapped[int]
    who: Mapped[str]
    made_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), index=True)
    why: Mapped[str]
    steps: Mapped[list[dict[str, object]]] = mapped_column(JSON)


class RolloutNodeRow(Base):
    """A node in a roll-out; see cloud.ota.plan.Member."""

    __tablename__ = "rollout_node"

    rollout: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)
    place: Mapped[int]
    ring: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    why: Mapped[str]
    command: Mapped[int | None] = mapped_column(BigInteger)
    began_ms: Mapped[int | None] = mapped_column(BigInteger)
