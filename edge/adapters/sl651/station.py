"""What a known station needs beside its id: its own keys in a [[source.device]] table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from edge.model.errors import ConfigError

_IDENTIFIER = re.compile(r"[0-9A-F]{2}([0-9A-F]{2})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """A hydrological station.

    `password` is its four hex digits; "" lets any in. `zone` is that of its clock. `base_m` is what relative
    stages (F5) stand on. `missing` are numbers that mean no value here ("9999.999"). `block_time` says which of
    an hour's values the time of a block is that of. `stay` keeps a station on line after a report. `set_clock`
    lets us set its clock. `history` are the identifiers to ask for when something is missing, each with its
    definition byte where that is not the usual one ("271B"); `pace_min` is how many minutes lie between its
    timed or uniform reports, as far as they are asked for.
    """

    password: str = ""
    zone: str = "Asia/Shanghai"
    base_m: float | None = None
    missing: tuple[str, ...] = ()
    block_time: Literal["first", "last"] = "first"
    stay: bool = True
    set_clock: bool = False
    history: tuple[str, ...] = ("39", "F4", "F5")
    pace_min: int = 60

    def __post_init__(self) -> None:
        if self.password and not re.fullmatch(r"[0-9A-Fa-f]{4}", self.password):
            raise ConfigError(f"password {self.password!r} is not four hex digits")
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError):
            raise ConfigError(f"no time zone {self.zone!r}", remedy='such as "Asia/Shanghai"') from None
        if not 1 <= self.pace_min <= 1440:
            raise ConfigError(f"pace_min: {self.pace_min} is not within 1 to 1440")
        for number in self.missing:
            if not re.fullmatch(r"-?\d+(\.\d+)?", number):
                raise ConfigError(f"missing: {number!r} is not a number")
        for identifier in self.history:
            if not _IDENTIFIER.fullmatch(identifier):
                raise ConfigError(
                    f"history: {identifier!r} is not an identifier", remedy='such as "39", "3923" or "F4"'
                )

    @property
    def no_values(self) -> frozenset[float]:
        """The numbers that mean no value."""
        return frozenset(map(float, self.missing))
