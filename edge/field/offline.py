"""Identities made in advance, for places without a link: taken one by one, and told to the cloud later.

The bundle (a ZIP, `cityneuron cloud ca issue-offline N`) is never written to. What was taken stands in a list
beside it, a line each, on disk before the board gets anything: no identity is given twice.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.field.cloud import Provisioned
from edge.field.diagnosis import Symptom, diagnose
from edge.field.lines import add_line, read_lines
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """An identity that a board was given, and what the cloud is to be told of it.

    `note`: how it is fitted. `refused`: the cloud knows better; the board gets another identity when it is
    provisioned again.
    """

    node: str
    serial: str
    registration: Mapping[str, Any]
    note: str = ""
    synced: bool = False
    refused: bool = False


class OfflineBundle:
    """A bundle and the list of what was taken from it. Raises ConfigError where it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._list = path.with_name(f"{path.name}.taken")
        try:
            with zipfile.ZipFile(path) as bundle:
                self._head: dict[str, Any] = json.loads(bundle.read("bundle.json"))
                self._ca = bundle.read(self._head["ca"]).decode()
            self._rows = {str(row["id"]): row for row in self._head["nodes"]}
        except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"{path} is no bundle of identities: {error}",
                remedy="make one: cityneuron cloud ca issue-offline N",
            ) from None

    def taken(self) -> dict[str, Taken]:
        """Return what was taken, by serial number."""
        return {row.serial: row for row in self._noted()}

    def _noted(self) -> list[Taken]:
        """Return the lines of the list."""
        return [Taken(**row) for row in read_lines(self._list)]

    @property
    def left(self) -> int:
        """How many identities are still free."""
        return len(self._rows) - len({row.node for row in self._noted()})

    def take(self, serial: str, registration: Mapping[str, Any], note: str = "") -> str:
        """Return the node id of a board: the one it has, the one asked for, or the next. Raises FieldError."""
        used = {row.node: row.serial for row in self._noted()}
        known = self.taken().get(serial)
        wanted = registration.get("id")
        if known is not None and not known.refused:
            node = known.node
        elif wanted:
            node = str(wanted)
            if node in used:
                raise diagnose(Symptom.IDENTITY_USED, node=node, serial=used[node], bundle=self.path.name)
        else:
            node = next((ident for ident in self._rows if ident not in used), "")
        if node not in self._rows:
            raise diagnose(Symptom.NO_IDENTITY_LEFT, bundle=self.path.name, node=wanted or "another board")
        self._note(Taken(node=node, serial=serial, registration={**registration, "id": node}, note=note))
        return node

    def provisioned(self, node: str, registration: Mapping[str, Any]) -> Provisioned:
        """Return what the cloud would have answered."""
        broker = self._head.get("broker") or {}
        return Provisioned(
            node={**registration, "id": node},
            certificate=self._read(self._rows[node]["certificate"]),
            ca=self._ca,
            broker_host=str(broker.get("host") or ""),
            broker_port=int(broker.get("port") or 8883),
            broker_tls=bool(broker.get("tls", True)),
            ntp_hosts=tuple(self._head.get("ntp_hosts") or ()),
        )

    def key(self, node: str) -> ec.EllipticCurvePrivateKey:
        """Return the key of an identity."""
        key = load_pem_private_key(self._read(self._rows[node]["key"]).encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{self.path}: the key of {node} is no EC key")
        return key

    def synced(self, row: Taken) -> None:
        """Note that the cloud knows of one."""
        self._note(replace(row, synced=True, refused=False))

    def refused(self, row: Taken) -> None:
        """Note that the cloud does not take one: nobody gets this identity, and its board another."""
        if not row.refused:
            self._note(replace(row, refused=True))

    def _read(self, name: str) -> str:
        with zipfile.ZipFile(self.path) as bundle:
            return bundle.read(name).decode()

    def _note(self, row: Taken) -> None:
        add_line(self._list, {**asdict(row), "registration": dict(row.registration)})
