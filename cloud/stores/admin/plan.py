"""What a city needs of a database server: databases by level with their retention, and who may do what."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.config import read_secret
from edge.folder import write_secret
from edge.model.errors import ConfigError

LEVELS = ("", "_hours", "_days")
"""What follows the database's name: readings as they were sensed, and their roll-ups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who uses the server: `writes` names levels, `reads` too."""

    name: str
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


PEOPLE = (
    Person(name="gateway", writes=("",)),
    Person(name="cloud", writes=LEVELS, reads=LEVELS),
    Person(name="grafana", reads=LEVELS),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What set-up is to make. `keep_days` is by level, 0 for ever; `folder` is where secrets go (mode 0600)."""

    url: str
    database: str = "city"
    organisation: str = "city"
    keep_days: tuple[float, float, float] = (0.0, 0.0, 0.0)
    folder: Path
    admin: str = "admin"
    admin_secret: str = field(default="", repr=False)

    def levels(self) -> Iterator[tuple[str, str, float]]:
        """Yield (level, database, days it is kept)."""
        for level, days in zip(LEVELS, self.keep_days, strict=True):
            yield level, self.database + level, days

    def file_of(self, name: str) -> Path:
        """Return where somebody's secret lies."""
        return self.folder / f"store-{name}"

    def secret_of(self, name: str) -> str | None:
        """Return a secret that is there already."""
        path = self.file_of(name)
        return read_secret(path) if path.exists() else None

    def keep(self, name: str, secret: str) -> str:
        """Write a secret where only its owner can read it; return what was done."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_secret(self.file_of(name), secret)
        except OSError as error:
            raise ConfigError(f"cannot write {self.file_of(name)}: {error.strerror}") from None
        return f"{self.file_of(name)} holds the secret of {name}"


def new_secret() -> str:
    """Return a password nobody can guess."""
    return secrets.token_urlsafe(24)


def days_in_words(days: float) -> str:
    """Say how long something is kept."""
    return f"for {days:g} days" if days else "for ever"
