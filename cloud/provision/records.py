"""The registry's rows of devices, within a transaction of the caller."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cloud.ca import Identity
from cloud.errors import Conflict
from cloud.provision.device import Born, barred, named_already, serial_key
from cloud.registry.device_tables import BarredRow, CertificateRow, DeviceRow, NodeStepRow

NOTE = "note"
MOST_NOTES = 100
NAMES_AT_ONCE = 500


def device(session: Session, node: str) -> DeviceRow:
    """Return the device of a node; a new row if nothing is known of it."""
    row = session.get(DeviceRow, node)
    if row is None:
        row = DeviceRow(node=node, trial=False)
        session.add(row)
        session.flush()
    return row


def on_trial(session: Session) -> set[str]:
    """Return the nodes whose newest birth was of firmware on trial."""
    return set(session.scalars(select(DeviceRow.node).where(DeviceRow.trial)))


def node_of_serial(session: Session, serial: str) -> str | None:
    """Return the node that a device is, None if it is none. Raises Conflict if it is barred."""
    key = serial_key(serial)
    gone = session.get(BarredRow, key)
    if gone is not None:
        raise barred(serial, gone.node)
    return session.scalar(select(DeviceRow.node).where(DeviceRow.serial_key == key))


def require_free(session: Session, serial: str, node: str) -> None:
    """Raise Conflict if the device is another node, or barred."""
    known = node_of_serial(session, serial)
    if known is not None and known != node:
        raise named_already(serial, known)


def valid(session: Session, node: str) -> Sequence[CertificateRow]:
    """Return the node's certificates that are not revoked, the newest first."""
    query = (
        select(CertificateRow)
        .where(CertificateRow.node == node, CertificateRow.revoked_ms.is_(None))
        .order_by(CertificateRow.made_ms.desc(), CertificateRow.reserved)
    )
    return session.scalars(query).all()


def keep(session: Session, identity: Identity, now_ms: int, *, reserved: bool = False) -> None:
    """Keep a certificate."""
    session.add(
        CertificateRow(
            fingerprint=identity.fingerprint,
            number=identity.number,
            node=identity.node,
            key_digest=identity.key_digest,
            pem=identity.pem,
            made_ms=now_ms,
            not_after_ms=identity.not_after_ms,
            reserved=reserved,
        )
    )


def revoke(session: Session, node: str, now_ms: int) -> int:
    """Revoke all certificates of a node; return how many there were."""
    changed = (
        update(CertificateRow)
        .where(CertificateRow.node == node, CertificateRow.revoked_ms.is_(None))
        .values(revoked_ms=now_ms)
    )
    return int(session.connection().execute(changed).rowcount)


def revoked(session: Session, now_ms: int) -> list[tuple[str, int]]:
    """Return (number, revoked_ms) of what is revoked and would be valid otherwise."""
    query = (
        select(CertificateRow.number, CertificateRow.revoked_ms)
        .where(CertificateRow.revoked_ms.is_not(None), CertificateRow.not_after_ms > now_ms)
        .order_by(CertificateRow.revoked_ms, CertificateRow.number)
    )
    return [(number, moment) for number, moment in session.execute(query) if moment is not None]


def bar(session: Session, serial: str, node: str, now_ms: int) -> None:
    """Refuse a device from now on."""
    session.merge(BarredRow(serial_key=serial_key(serial), node=node, time_ms=now_ms))


def admit(session: Session, serial: str) -> str | None:
    """Let a barred device in again; return the node at which it was replaced, None if it is not barred."""
    row = session.get(BarredRow, serial_key(serial))
    if row is None:
        return None
    session.delete(row)
    return row.node


def step(session: Session, node: str, now_ms: int, who: str, what: str, text: str) -> None:
    """Add a step to the audit."""
    session.add(NodeStepRow(node=node, time_ms=now_ms, who=who, step=what, text=text))


def steps(session: Session, node: str, *, what: str | None = None) -> list[NodeStepRow]:
    """Return what was done to a node, or the notes about it: the newest, in the order of time."""
    query = select(NodeStepRow).where(NodeStepRow.node == node)
    if what is not None:
        query = query.where(NodeStepRow.step == what)
    return list(session.scalars(query.order_by(NodeStepRow.id.desc()).limit(MOST_NOTES)))[::-1]


def births(session: Session, gateway: str, born: Sequence[Born]) -> None:
    """Take births; an older one never replaces a newer one."""
    for first in range(0, len(born), NAMES_AT_ONCE):
        part = born[first : first + NAMES_AT_ONCE]
        query = select(DeviceRow).where(DeviceRow.node.in_({birth.node for birth in part}))
        known = {row.node: row for row in session.scalars(query)}
        for birth in part:
            row = known.get(birth.node)
            if row is None:
                row = known[birth.node] = DeviceRow(node=birth.node)
                session.add(row)
            elif row.born_ms is not None and row.born_ms > birth.time_ms:
                continue
            row.firmware, row.hardware, row.born_serial = birth.firmware, birth.hardware, birth.serial
            row.boot, row.trial, row.born_ms, row.heard_by = birth.boot, birth.trial, birth.time_ms, gateway
        session.flush()


def pre_made(session: Session, node: str, key_digest: str) -> CertificateRow | None:
    """Return the pre-made certificate of this key, None if there is none.

    Raises Conflict where the id waits for another key: it belongs to whoever holds the offline bundle.
    """
    reserved = [row for row in valid(session, node) if row.reserved]
    for row in reserved:
        if row.key_digest == key_digest:
            return row
    if reserved and device(session, node).serial_key is None:
        raise Conflict(
            f"{node} is reserved for work without a link", remedy="use its key from the bundle, or another id"
        )
    return None
