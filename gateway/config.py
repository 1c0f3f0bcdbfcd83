"""gateway.toml, parsed once into frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.config import load_toml, read_table
from edge.model.errors import ConfigError, IdentityError
from edge.model.node import node_id
from edge.quality import NO_OVERRIDES, Overrides, load_limits
from gateway.forward import ForwardConfig
from gateway.herald import AlertsConfig
from gateway.mirror import MirrorConfig
from gateway.north.config import NorthConfig, by_station, check_norths
from gateway.shed import BacklogConfig
from gateway.sinks.line_http import StoreConfig
from gateway.sources.config import SourceConfig, read_sources
from gateway.sources.mqtt import MqttConfig
from gateway.uplink import CloudConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayIdentity:
    """The [gateway] table: who this gateway is and where its journal lies."""

    id: str
    data_dir: Path
    site: str = "gateway"
    district: str = "city"


@dataclass(frozen=True, kw_only=True, slots=True)
class NodesConfig:
    """The [nodes] table: registered nodes beside those that the cloud tells; whether strangers get in."""

    file: Path | None = None
    admit_any: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityConfig:
    """The [quality] table: a file with what users say of limits beside the catalogue."""

    file: Path | None = None

    def overrides(self) -> Overrides:
        """Return what the file says; ConfigError names the place of a mistake."""
        return load_limits(load_toml(self.file), str(self.file)) if self.file else NO_OVERRIDES


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitConfig:
    """The [commit] table: how much shares one transaction, and how many messages may wait for it."""

    most_messages: int = 2_000
    most_kb: int = 256
    gather_ms: float = 20.0
    inbox_messages: int = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesConfig:
    """The [rules] table: the city's own rules beside those that come with the catalogue."""

    file: Path | None = None
    defaults: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayConfig:
    """The whole of gateway.toml."""

    gateway: GatewayIdentity
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    mirror: MirrorConfig = field(default_factory=MirrorConfig)
    forward: ForwardConfig = field(default_factory=ForwardConfig)
    backlog: BacklogConfig = field(default_factory=BacklogConfig)
    nodes: NodesConfig = field(default_factory=NodesConfig)
    cloud: CloudConfig = field(default_factory=CloudConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    commit: CommitConfig = field(default_factory=CommitConfig)
    rules: RulesConfig = field(default_factory=RulesConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    sources: tuple[SourceConfig, ...] = ()
    north: tuple[NorthConfig, ...] = ()


def load_config(path: Path) -> GatewayConfig:
    """Read gateway.toml; every mistake raises ConfigError with file, table and key."""
    table = load_toml(path)
    sources = read_sources(table.pop("source", []), f"{path}.source")
    config = replace(read_table(GatewayConfig, table, str(path)), sources=sources)
    try:
        node_id(config.gateway.id)
    except IdentityError as error:
        raise ConfigError(f"{path}.gateway.id: {error.message}", remedy=error.remedy) from None
    check_norths(config.north, str(path))
    return replace(config, north=by_station(config.north))
