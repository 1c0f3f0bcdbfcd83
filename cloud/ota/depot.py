"""The depot: bundles of firmware, each a file named by its SHA-256 in a folder, listed in the registry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.ca import write_whole
from cloud.errors import Conflict, NotFound, StoreUnavailable
from cloud.ota.bundle import Bundle, read_bundle
from cloud.registry import Registry
from cloud.registry.device_tables import FirmwareRow


class Depot:
    """Takes bundles in and finds them again."""

    def __init__(
        self, registry: Registry, folder: Path, keys: Sequence[RSAPublicKey], *, now_ms: Callable[[], int]
    ) -> None:
        self._registry, self._folder, self._keys, self._now_ms = registry, folder, keys, now_ms

    async def add(self, content: bytes) -> Bundle:
        """Keep a bundle; the same again changes nothing. Raises InvalidRequest, Conflict."""
        bundle = await asyncio.to_thread(read_bundle, content, self._keys)
        try:
            await asyncio.to_thread(self._write, bundle.digest, content)
        except OSError as error:
            raise StoreUnavailable(
                f"the depot {self._folder}: {error.strerror}", remedy="make room on the disk, then try again"
            ) from error
        await self._registry.transact(lambda session: _add(session, bundle, self._now_ms()))
        return bundle

    async def all(self) -> list[dict[str, object]]:
        """Return what lies in the depot, the newest first."""
        query = select(FirmwareRow).order_by(FirmwareRow.made_ms.desc(), FirmwareRow.digest)
        return await self._registry.transact(
            lambda session: [
                {
                    "version": row.version,
                    "board": row.board,
                    "digest": row.digest,
                    "size": row.size,
                    "made_ms": row.made_ms,
                    "verified": row.verified,
                }
                for row in session.scalars(query)
            ]
        )

    async def path(self, digest: str) -> Path:
        """Return the file of a bundle. Raises NotFound."""
        known = await self._registry.transact(lambda session: session.get(FirmwareRow, digest) is not None)
        path = self._folder / digest
        if not known or not await asyncio.to_thread(path.is_file):
            raise NotFound(f"there is no bundle {digest}", remedy="see GET /api/v1/firmware")
        return path

    def _write(self, digest: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / digest).exists():
            write_whole(self._folder / digest, content)


def find(session: Session, version: str, board: str) -> FirmwareRow:
    """Return the bundle of a version for a board, within the caller's transaction. Raises NotFound."""
    query = select(FirmwareRow).where(FirmwareRow.version == version, FirmwareRow.board == board)
    row = session.scalar(query)
    if row is None:
        raise NotFound(
            f"there is no version {version} for {board} in the depot", remedy="upload it: POST /api/v1/firmware"
        )
    return row


def _add(session: Session, bundle: Bundle, now_ms: int) -> None:
    query = select(FirmwareRow).where(FirmwareRow.version == bundle.version, FirmwareRow.board == bundle.board)
    known = session.scalar(query)
    if known is not None and known.digest != bundle.digest:
        raise Conflict(
            f"another bundle is version {bundle.version} for {bundle.board} already",
            remedy="give every build a version of its own",
        )
    if known is None:
        session.add(
            FirmwareRow(
                digest=bundle.digest,
                version=bundle.version,
                board=bundle.board,
                size=bundle.size,
                made_ms=now_ms,
                verified=bundle.verified,
            )
        )
