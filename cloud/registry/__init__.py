"""The registry of nodes and gateways."""

from cloud.registry.registry import Registry, RegistryError, merge_node, node_of
from cloud.registry.reports import Counts, GatewayReport, GatewayStatus, Ledger, QuarantineEntry

__all__ = [
    "Counts",
    "GatewayReport",
    "GatewayStatus",
    "Ledger",
    "QuarantineEntry",
    "Registry",
    "RegistryError",
    "merge_node",
    "node_of",
]
