"""The cloud's configuration: one TOML file, read once into frozen values."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.alerts.config import AlertsConfig, read_alerts
from cloud.ca import PASSPHRASE_VARIABLE
from cloud.levels import KeepConfig, Level, RollupConfig, SeriesConfig, read_levels
from cloud.provision.config import ProvisionConfig, read_provision
from edge.config import load_toml, read_secret
from edge.model.errors import ConfigError

TOKEN_VARIABLE = "CITYNEURON_TOKEN"  # the name of a variable, no secret
STORE_TOKEN_VARIABLE = "CITYNEURON_STORE_TOKEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreConfig:
    """Which store: `kind` is a key of cloud.stores.STORES; the rest is for a database of its own.

    level: of what it holds; a level that is not raw has a database or a file beside that of the raw values.
    """

    kind: str = "embedded"
    url: str = ""
    database: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)
    poll_s: float = 2.0
    newest_within_h: float = 0.0
    level: Level = Level.RAW

    @classmethod
    def parse(cls, text: str, *, secret: str = "") -> "StoreConfig":
        """Read "embedded" or "http(s)://[user:password@]host:port/?db=NAME"; raise ConfigError."""
        if text == "embedded":
            return cls()
        parts = urlsplit(text)
        database = parse_qs(parts.query).get("db", [""])[0]
        if parts.scheme not in ("http", "https") or not parts.hostname or not database:
            raise ConfigError(
                f"store {_without_password(text)!r} is no store",
                remedy='use "embedded" or "http://HOST:PORT/?db=NAME"',
            )
        host = parts.netloc.rpartition("@")[2]
        return cls(
            kind="influxql",
            url=urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")),
            database=database,
            username=unquote(parts.username or ""),
            secret=unquote(parts.password or "") or secret,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudConfig:
    """cloud.toml. `token` is what writers must show; it is never in the file, see `load`."""

    host: str = "127.0.0.1"
    port: int = 8080
    data_dir: Path = Path("city-data")
    store: StoreConfig = field(default_factory=StoreConfig)
    registry: str = field(default="", repr=False)
    token: str = field(repr=False)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    name_en: str = "City Neuron"
    name_zh: str = "城市神经元"
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    provision: ProvisionConfig = field(default_factory=ProvisionConfig)
    ca_passphrase: str = field(default="", repr=False)
    series: SeriesConfig = field(default_factory=SeriesConfig)
    rollup: RollupConfig = field(default_factory=RollupConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)

    @property
    def registry_url(self) -> str:
        """The SQLAlchemy URL of the registry."""
        return self.registry or f"sqlite:///{self.data_dir / 'cloud' / 'registry.db'}"

    @property
    def authority_folder(self) -> Path:
        """Where the certificate authority lies."""
        return self.provision.ca_dir or self.data_dir / "cloud" / "ca"

    @property
    def crl_file(self) -> Path:
        """Where the broker finds the list of revoked certificates."""
        return self.provision.crl_file or self.authority_folder / "crl.pem"

    @property
    def firmware_folder(self) -> Path:
        """The depot of firmware."""
        return self.data_dir / "cloud" / "firmware"

    @property
    def store_path(self) -> Path:
        """The file of the embedded store."""
        return self.data_dir / "cloud" / f"store{self.store.level.suffix}.db"

    def at(self, level: Level) -> "CloudConfig":
        """Return the configuration whose store is that of a level."""
        store = self.store
        return replace(self, store=replace(store, level=level, database=store.database + level.suffix))


_TYPES: dict[str, type] = {
    "host": str,
    "port": int,
    "data_dir": str,
    "store": str,
    "registry": str,
    "poll_s": float,
    "newest_within_h": float,
    "token_file": str,
    "store_token_file": str,
    "timezone": str,
    "name_en": str,
    "name_zh": str,
    "alerts": dict,
    "provision": dict,
    "series": dict,
    "rollup": dict,
    "keep": dict,
}


def load(path: Path, environment: Mapping[str, str] = os.environ) -> CloudConfig:
    """Read cloud.toml. Secrets come from the environment, or from files that only their owner can read."""
    table = load_toml(path)
    _check(path, table)
    base = path.parent
    store_secret = environment.get(STORE_TOKEN_VARIABLE) or _secret(base, table.get("store_token_file"))
    store = StoreConfig.parse(table.get("store", "embedded"), secret=store_secret)
    store = replace(
        store,
        poll_s=float(table.get("poll_s", store.poll_s)),
        newest_within_h=float(table.get("newest_within_h", store.newest_within_h)),
    )
    token = environment.get(TOKEN_VARIABLE) or _secret(base, table.get("token_file"))
    if not token:
        raise ConfigError(f"{path}: no token", remedy=f"set token_file, or the variable {TOKEN_VARIABLE}")
    levels = read_levels(table, str(path))
    plain = {name: table[name] for name in ("host", "port", "name_en", "name_zh") if name in table}
    return CloudConfig(
        **plain,
        data_dir=base / table.get("data_dir", "city-data"),
        store=store,
        registry=table.get("registry", ""),
        token=token,
        alerts=read_alerts(table.get("alerts", {}), str(path), base),
        timezone=zone(table.get("timezone", "Asia/Shanghai")),
        provision=read_provision(table.get("provision", {}), str(path), base),
        ca_passphrase=environment.get(PASSPHRASE_VARIABLE, ""),
        series=levels.series,
        rollup=levels.rollup,
        keep=levels.keep,
    )


def without_file(data_dir: Path, environment: Mapping[str, str] = os.environ) -> CloudConfig:
    """Return the configuration of a cloud that has only a data folder, for work beside it: it serves nobody."""
    return CloudConfig(data_dir=data_dir, token="", ca_passphrase=environment.get(PASSPHRASE_VARIABLE, ""))


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; raise ConfigError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"timezone {name!r} is not known", remedy="use an IANA name such as Asia/Shanghai"
        ) from error


def _check(path: Path, table: Mapping[str, Any]) -> None:
    for name, value in table.items():
        expected = _TYPES.get(name)
        if expected is None:
            raise ConfigError(f"{path}: key {name!r} is not known", remedy=f"known are: {', '.join(_TYPES)}")
        fits = isinstance(value, (int, float) if expected is float else expected) and not isinstance(
            value, bool
        )
        if not fits:
            wanted = "a table" if expected is dict else expected.__name__
            raise ConfigError(f"{path}: {name} must be {wanted}, not {type(value).__name__}")
    if not 0 <= table.get("port", 0) <= 65_535:
        raise ConfigError(f"{path}: port {table['port']} is no port", remedy="use 1 to 65535")
    if not 0.1 <= table.get("poll_s", 1) <= 3_600:
        raise ConfigError(f"{path}: poll_s {table['poll_s']} is out of range", remedy="use 0.1 to 3600")
    if not 0 <= table.get("newest_within_h", 0) <= 87_600:
        raise ConfigError(f"{path}: newest_within_h is out of range", remedy="use 0 (no limit) to 87600")


def _secret(base: Path, name: str | None) -> str:
    return read_secret(base / name) or "" if name else ""


def _without_password(text: str) -> str:
    head, at, tail = text.rpartition("@")
    return f"{head.partition('://')[0]}://...@{tail}" if at else text
