"""What a gateway reports to the cloud, and how the ledger and the quarantine are told to people."""

from collections.abc import Mapping
from dataclasses import dataclass

Counts = dict[str, int]
"""Readings by what became of them; the keys are those of models.COUNTS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantineEntry:
    """One quarantined payload; `entry` is its number at its gateway."""

    gateway: str
    entry: int
    time_ms: int
    node: str | None
    reason: str
    detail: str
    topic: str
    payload: bytes
    readings: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayReport:
    """A gateway's report: its totals, the nodes whose counts changed, new quarantine entries, its health.

    A part that is None is as it was in the report before.
    """

    gateway: str
    time_ms: int
    total: Counts | None
    nodes: Mapping[str, Counts]
    quarantine: tuple[QuarantineEntry, ...]
    health: Mapping[str, object] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayStatus:
    """The newest report of a gateway, as the registry keeps it."""

    gateway: str
    time_ms: int
    total: Counts
    health: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """The whole ledger: over all gateways, by node, by gateway."""

    total: Counts
    nodes: Mapping[str, Counts]
    gateways: tuple[GatewayStatus, ...]
