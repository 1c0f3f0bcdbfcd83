"""What a check finds: a fault, with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that Grafana, or a store, would not do as it is meant."""

    file: str
    where: str
    """The panel, variable, rule or route in the file."""
    what: str
    remedy: str

    def to_dict(self) -> dict[str, str]:
        """Return it as `--json` writes it."""
        return asdict(self)


Faults = Iterator[Fault]
