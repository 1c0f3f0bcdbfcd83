"""What the gateway knows of one logger: its `[[source.device]]` table."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.adapters.hj212.crc import Profile
from edge.adapters.hj212.factors import Concentration
from edge.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """A station: its password (PW), its local time, the units that it sends, and a CRC that it gets wrong.

    The defaults are what city stations send: dust and gases in ug/m3, carbon monoxide in mg/m3.
    """

    password: str
    time_zone: str = "Asia/Shanghai"
    dust: Concentration = "ug/m3"
    gases: Concentration = "ug/m3"
    carbon_monoxide: Concentration = "mg/m3"
    crc: Profile = ""

    def __post_init__(self) -> None:
        """Raise ConfigError for a time zone that nobody knows."""
        zone(self.time_zone)


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name; ConfigError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"no time zone {name!r}", remedy='for example "Asia/Shanghai"') from None
