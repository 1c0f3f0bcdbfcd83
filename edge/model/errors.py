"""The one base of all errors, so that a caller can catch what the project raises and nothing else."""

from __future__ import annotations


class CityError(Exception):
    """Something a person or a caller can act upon: what failed, and what to do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class ConfigError(CityError):
    """A configuration file, option or table row is wrong; the message names the place."""


class IdentityError(CityError):
    """A node id, gateway id or topic is not well formed."""


class WireError(CityError):
    """A payload is not what the native protocol allows; `reason` is its short, countable name."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.detail = message


class SeriesError(CityError):
    """A point cannot be written as, or read from, line protocol."""
