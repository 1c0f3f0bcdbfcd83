"""Is this value to be trusted? The tests of QARTOD, streaming, a node at a time; pure but for the command."""

from edge.quality.checks import Checks, Profile, Revision, Verdict, age, profile
from edge.quality.limits import NO_OVERRIDES, Limits, Overrides, load_limits

__all__ = [
    "NO_OVERRIDES",
    "Checks",
    "Limits",
    "Overrides",
    "Profile",
    "Revision",
    "Verdict",
    "age",
    "load_limits",
    "profile",
]
