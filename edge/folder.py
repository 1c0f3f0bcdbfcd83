"""The data folder of a city: what lies where, whether it can be used, and who runs in it now."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.model.errors import CityError

FORMAT = 1
LEAST_FREE_BYTES = 64 * 1024 * 1024


class FolderError(CityError):
    """The data folder cannot be used."""


@dataclass(frozen=True, slots=True)
class RunningCity:
    """Where the city is that runs in a folder."""

    pid: int
    broker: str
    cloud: str


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder of `cityneuron up`; its parts are made when they are needed."""

    path: Path

    @property
    def gateway(self) -> Path:
        """The gateway's own folder."""
        return self.path / "gateway"

    @property
    def boot(self) -> Path:
        """The file with the count of starts of the simulated nodes."""
        return self.path / "fleet" / "boot"

    @property
    def token_file(self) -> Path:
        """The file of the token that writers show to the cloud."""
        return self.path / "token"

    @property
    def log(self) -> Path:
        """The log of all parts."""
        return self.path / "city.log"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Take the folder for this process: version, room and nobody else in it, or FolderError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._check_version()
            with (self.path / "lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise FolderError(
                        f"another city runs in {self.path}", remedy="end it, or name another folder with --data"
                    ) from None
                yield
        except OSError as error:
            raise FolderError(
                f"cannot use {error.filename or self.path}: {error.strerror or error}",
                remedy="correct that, or name another folder with --data",
            ) from error

    def token(self) -> str:
        """Return the token, made at the first start."""
        if not self.token_file.exists():
            write_secret(self.token_file, secrets.token_urlsafe(32))
        return self.token_file.read_text(encoding="ascii").strip()

    @contextmanager
    def announced(self, broker: str, cloud: str) -> Iterator[None]:
        """Tell other commands where this city is, while it runs."""
        run = self.path / "run.json"
        run.write_text(json.dumps({"pid": os.getpid(), "broker": broker, "cloud": cloud}), encoding="utf-8")
        try:
            yield
        finally:
            run.unlink(missing_ok=True)

    def running(self) -> RunningCity | None:
        """Return where the city is that runs here, None when none does."""
        try:
            row = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
            found = RunningCity(int(row["pid"]), str(row["broker"]), str(row["cloud"]))
            os.kill(found.pid, 0)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE_BYTES:
            raise FolderError(
                f"the disk of {self.path} is full: {free >> 20} MB free, {LEAST_FREE_BYTES >> 20} needed",
                remedy="make room, or name another folder with --data",
            )

    def _check_version(self) -> None:
        version = self.path / "version"
        if not version.exists():
            version.write_text(f"{FORMAT}\n", encoding="ascii")
        found = version.read_text(encoding="ascii", errors="replace").strip()
        if not found.isdigit() or int(found) > FORMAT:
            raise FolderError(
                f"{self.path} was written by a newer version (format {found[:20]}, this one knows {FORMAT})",
                remedy="update City Neuron, or name another folder with --data",
            )


def write_secret(path: Path, text: str) -> Path:
    """Write a secret such that only its owner may read it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path
