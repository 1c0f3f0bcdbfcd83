"""What an engineer would otherwise type each time: field.toml, options and a running city, in one place."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, field
from pathlib import Path

from edge.broker import BrokerAddress
from edge.config import load_toml, read_secret, read_table
from edge.folder import DataFolder
from edge.model.errors import ConfigError


def _home(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / usual) / "cityneuron"


def config_file() -> Path:
    """Return where field.toml is unless CITYNEURON_FIELD names another."""
    named = os.environ.get("CITYNEURON_FIELD")
    return Path(named) if named else _home("XDG_CONFIG_HOME", ".config") / "field.toml"


def state_folder() -> Path:
    """Return where identities of boards under way and lists of what is done are kept."""
    return _home("XDG_STATE_HOME", ".local/state")


def firmware_folder() -> Path:
    """Return where MicroPython images that were given once are kept."""
    return _home("XDG_CACHE_HOME", ".cache") / "firmware"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldConfig:
    """The whole of field.toml; all of it is optional.

    cloud: http(s)://host:port. token_file: the cloud's token (0600). broker: mqtt(s)://..., for `tap` and where
    the cloud names none. ca_file: the authority of that broker. wifi_password_file: 0600. update_keys: public
    keys (PEM) whose updates new nodes take, the current one and perhaps the next.
    """

    cloud: str = ""
    token_file: Path | None = None
    broker: str = ""
    ca_file: Path | None = None
    who: str = ""
    wifi_ssid: str = ""
    wifi_password_file: Path | None = None
    update_keys: tuple[str, ...] = ()
    site: str = ""
    district: str = ""
    gateway: str = ""
    state: Path = field(default_factory=state_folder)
    firmware: Path = field(default_factory=firmware_folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Whom the tools talk to, and in whose name."""

    config: FieldConfig
    cloud: str
    token: str
    broker: str
    who: str

    def need_cloud(self) -> str:
        """Return the cloud's address, or raise ConfigError."""
        if not self.cloud:
            raise ConfigError(
                "no cloud is named", remedy=f"--cloud http://HOST:8080, or cloud = '...' in {config_file()}"
            )
        if not self.cloud.startswith(("http://", "https://")):
            raise ConfigError(f"{self.cloud!r} is no address", remedy=f"write it like http://{self.cloud}")
        return self.cloud.rstrip("/")

    def need_broker(self) -> BrokerAddress:
        """Return the broker's address, or raise ConfigError."""
        if not self.broker:
            raise ConfigError(
                "no broker is named", remedy=f"--broker mqtt://HOST:1883, or broker = '...' in {config_file()}"
            )
        return BrokerAddress.parse(self.broker)


def load_field(path: Path | None = None) -> FieldConfig:
    """Read field.toml; where there is none everything is as usual. Raises ConfigError."""
    file = path or config_file()
    if path is None and not file.exists():
        return FieldConfig()
    return read_table(FieldConfig, load_toml(file), file.name)


def find_place(
    *,
    cloud: str | None = None,
    token_file: Path | None = None,
    broker: str | None = None,
    data: Path | None = None,
    who: str | None = None,
    config: Path | None = None,
) -> Place:
    """Return whom to talk to: options first, then field.toml, then the city that runs in the data folder."""
    chosen = load_field(config)
    folder = DataFolder(data or Path(os.environ.get("CITYNEURON_DATA") or "city-data"))
    running = folder.running()
    token = os.environ.get("CITYNEURON_TOKEN") or read_secret(token_file or chosen.token_file)
    if token is None and running is not None and not cloud and not chosen.cloud:
        token = read_secret(folder.token_file)
    return Place(
        config=chosen,
        cloud=cloud or os.environ.get("CITYNEURON_CLOUD") or chosen.cloud or (running.cloud if running else ""),
        token=token or "",
        broker=broker or chosen.broker or (running.broker if running else ""),
        who=who or chosen.who or getpass.getuser(),
    )
