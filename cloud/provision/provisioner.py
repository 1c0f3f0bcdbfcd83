"""Gives devices their identities: each request is one transaction, and may be repeated after any failure.

A device is its serial number. The same device gets the same node and a new certificate, and the old one is
revoked; another device takes a node over only by `replace`, which bars the old one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey as PublicKey
from sqlalchemy.orm import Session

from cloud.ca import Authority, NoAuthority, requested_key, write_whole
from cloud.errors import CloudError, Conflict, NotFound
from cloud.provision import records
from cloud.provision.device import Born, Granted, serial_key, taken, told
from cloud.registry import Registry, merge_node, node_of
from cloud.registry.device_tables import DeviceRow
from cloud.registry.models import NodeRow
from edge.model.node import Node

_log = logging.getLogger(__name__)
_PLACE = ("lat", "lon", "site", "district")


class ListNotWritten(CloudError):
    """The list of revoked certificates did not reach the disk; what was revoked is still let in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A device that wants an identity; what is None stays as it is where the node is known already."""

    serial: str
    kind: str
    csr: str
    who: str
    node: str | None = None
    label: Mapping[str, str] | None = None
    site: str | None = None
    district: str | None = None
    lat: float | None = None
    lon: float | None = None
    gateway: str | None = None


class Provisioner:
    """What the cloud knows of devices, and its hand on the authority."""

    def __init__(
        self, registry: Registry, folder: Path, crl: Path, *, passphrase: str, now_ms: Callable[[], int]
    ) -> None:
        self._registry, self._folder, self._crl = registry, folder, crl
        self._passphrase, self._now_ms = passphrase, now_ms
        self._authority: Authority | None = None
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Write the list of revoked certificates anew: the last one may have met a full disk.

        What is wrong with the authority keeps nobody from reading the city: it is told when it is asked for.
        """
        if not (self._folder / "root.key").exists():
            return
        try:
            await self.write_revocations()
        except (NoAuthority, ListNotWritten) as error:
            _log.warning("the list of revoked certificates was not written: %s", error)

    def authority(self) -> Authority:
        """Return the authority, which may have been made since the start. Raises NoAuthority."""
        if self._authority is None:
            self._authority = Authority.open(self._folder, passphrase=self._passphrase)
        return self._authority

    async def provision(self, asked: Asked) -> tuple[Node, Granted]:
        """Make a device a node. Raises Conflict, InvalidRequest, NoAuthority."""
        authority, key, now_ms = self.authority(), requested_key(asked.csr), self._now_ms()

        def work(session: Session) -> tuple[Node, Granted]:
            ident = _ident(session, asked)
            node = _placed(session, ident, asked)
            granted = _grant(session, authority, ident, key, now_ms)
            merge_node(session, node)
            device = records.device(session, ident)
            device.serial, device.serial_key = asked.serial, serial_key(asked.serial)
            device.provisioned_ms = now_ms
            records.step(session, ident, now_ms, asked.who, "provision", asked.serial)
            return node, granted

        return await self._granted(work)

    async def replace(self, ident: str, serial: str, csr: str, who: str) -> tuple[Node, Granted]:
        """Put another device in a node's place; the old one is barred. Raises as `provision`, and NotFound."""
        authority, key, now_ms = self.authority(), requested_key(csr), self._now_ms()

        def work(session: Session) -> tuple[Node, Granted]:
            node = _known(session, ident)
            records.require_free(session, serial, ident)
            granted = _grant(session, authority, ident, key, now_ms)
            device = records.device(session, ident)
            if device.serial_key != serial_key(serial):
                if device.serial is not None:
                    records.bar(session, device.serial, ident, now_ms)
                device.firmware = device.hardware = device.born_serial = None
                device.boot = device.born_ms = None
                device.trial = False
            text = f"{device.serial or 'no device'} -> {serial}"
            device.serial, device.serial_key, device.provisioned_ms = serial, serial_key(serial), now_ms
            records.step(session, ident, now_ms, who, "replace", text)
            return node, granted

        return await self._granted(work)

    async def device(self, ident: str, rollout: Mapping[str, object] | None) -> dict[str, object]:
        """Return a node's device as the API tells it. Raises NotFound."""

        def work(session: Session) -> dict[str, object]:
            node = _known(session, ident)
            certificates = records.valid(session, ident)
            row = session.get(DeviceRow, ident)
            notes = records.steps(session, ident, what=records.NOTE)
            return told(row, certificates[0] if certificates else None, notes, node.gateway, rollout)

        return await self._registry.transact(work)

    async def on_trial(self) -> set[str]:
        """Return the nodes that run firmware which has not proved itself there yet."""
        return await self._registry.transact(records.on_trial)

    async def audit(self, ident: str) -> list[dict[str, object]]:
        """Return what was done to a node. Raises NotFound."""

        def work(session: Session) -> list[dict[str, object]]:
            _known(session, ident)
            return [
                {"time_ms": row.time_ms, "who": row.who, "step": row.step, "text": row.text}
                for row in records.steps(session, ident)
            ]

        return await self._registry.transact(work)

    async def note(self, ident: str, who: str, text: str) -> None:
        """Keep a note. Raises NotFound."""

        def work(session: Session) -> None:
            _known(session, ident)
            records.step(session, ident, self._now_ms(), who, records.NOTE, text)

        await self._registry.transact(work)

    async def correct(self, ident: str, changes: Mapping[str, Any], who: str) -> Node:
        """Correct a node's place or names. Raises NotFound."""

        def work(session: Session) -> Node:
            before = _known(session, ident)
            label = {"en": before.label_en, "zh": before.label_zh, **changes.get("label", {})}
            place = {name: changes[name] for name in _PLACE if name in changes}
            node = Node.from_dict({**before.to_dict(), **place, "label": label})
            if merge_node(session, node):
                records.step(session, ident, self._now_ms(), who, "place", _difference(before, node))
            return node

        return await self._registry.transact(work)

    async def births(self, gateway: str, born: Sequence[Born]) -> None:
        """Take births that a gateway heard."""
        if born:
            await self._registry.transact(lambda session: records.births(session, gateway, born))

    async def write_revocations(self) -> None:
        """Write the list of revoked certificates for the broker. Raises ListNotWritten."""
        async with self._writing:
            now_ms = self._now_ms()
            gone = await self._registry.transact(lambda session: records.revoked(session, now_ms))
            content = self.authority().revocations(gone, now_ms)
            try:
                await asyncio.to_thread(write_whole, self._crl, content)
            except OSError as error:
                raise ListNotWritten(
                    f"{self._crl}: {error.strerror}; what was revoked is still let in",
                    remedy="make room or correct the folder's owner, then try again",
                ) from error

    async def _granted(self, work: Callable[[Session], tuple[Node, Granted]]) -> tuple[Node, Granted]:
        node, granted = await self._registry.transact(work)
        if granted.revoked:
            await self.write_revocations()
        return node, granted


def _grant(session: Session, authority: Authority, node: str, key: PublicKey, now_ms: int) -> Granted:
    """Return the certificate of a key: a new one, unless the key lies in an offline bundle."""
    identity = authority.sign(node, key, now_ms)
    made = records.pre_made(session, node, identity.key_digest)
    if made is not None:
        return Granted(certificate=made.pem, ca=authority.root_pem, revoked=0)
    revoked = records.revoke(session, node, now_ms)
    records.keep(session, identity, now_ms)
    return Granted(certificate=identity.pem, ca=authority.root_pem, revoked=revoked)


def _known(session: Session, ident: str) -> Node:
    row = session.get(NodeRow, ident)
    if row is None:
        raise NotFound(f"node {ident!r} is not registered", remedy="provision it: cityneuron node provision")
    return node_of(row)


def _ident(session: Session, asked: Asked) -> str:
    """Return the node that the device is or becomes."""
    known = records.node_of_serial(session, asked.serial)
    if known is not None:
        records.require_free(session, asked.serial, asked.node or known)
        return known
    if asked.node is None:
        return _free_id(session, asked.kind, asked.serial)
    device = records.device(session, asked.node)
    if device.serial is not None:
        raise taken(asked.node, device.serial)
    return asked.node


def _free_id(session: Session, kind: str, serial: str) -> str:
    """Return an id made of the kind and the end of the serial number, longer where that is taken."""
    key = serial_key(serial)
    for digits in (6, 8, 12):
        ident = f"{kind.replace('_', '-')}-{key[-digits:]}"
        if session.get(NodeRow, ident) is None and not records.valid(session, ident):
            return ident
    raise Conflict(f"{ident} and shorter ids are taken", remedy="choose an id for this device")


def _placed(session: Session, ident: str, asked: Asked) -> Node:
    """Return the node as it will stand in the registry: what the request says, over what is known."""
    row = session.get(NodeRow, ident)
    known = node_of(row) if row is not None else None
    if known is not None and known.kind != asked.kind:
        raise Conflict(
            f"{ident} is a {known.kind}, not a {asked.kind}",
            remedy="choose another id, or correct the node's kind first: POST /api/v1/nodes",
        )
    facts = known.to_dict() if known is not None else {"id": ident, "kind": asked.kind}
    said = {name: getattr(asked, name) for name in (*_PLACE, "gateway", "label")}
    return Node.from_dict({**facts, **{name: value for name, value in said.items() if value is not None}})


def _difference(before: Node, after: Node) -> str:
    old, new = before.to_dict(), after.to_dict()
    return "; ".join(f"{name} {old.get(name)} -> {new[name]}" for name in new if old.get(name) != new[name])
