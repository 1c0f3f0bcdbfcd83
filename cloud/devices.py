"""From the configuration to the parts that look after devices: identities, commands, firmware."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from cloud.board import Board
from cloud.commands.queue import CommandQueue
from cloud.config import CloudConfig
from cloud.ota.bundle import load_keys
from cloud.ota.depot import Depot
from cloud.ota.rollouts import Rollouts
from cloud.provision.config import ProvisionConfig
from cloud.provision.provisioner import Provisioner
from cloud.registry import Registry


class Devices(TypedDict):
    """What `Services` holds of devices."""

    provision: ProvisionConfig
    provisioner: Provisioner
    commands: CommandQueue
    depot: Depot
    rollouts: Rollouts


def build_devices(config: CloudConfig, registry: Registry, board: Board, now_ms: Callable[[], int]) -> Devices:
    """Return the parts. Raises ConfigError when a key for firmware cannot be read."""
    keys = load_keys([Path(name) for name in config.provision.update_keys])
    return Devices(
        provision=config.provision,
        provisioner=Provisioner(
            registry,
            config.authority_folder,
            config.crl_file,
            passphrase=config.ca_passphrase,
            now_ms=now_ms,
        ),
        commands=CommandQueue(registry, now_ms=now_ms),
        depot=Depot(registry, config.firmware_folder, keys, now_ms=now_ms),
        rollouts=Rollouts(registry, board, now_ms=now_ms),
    )
