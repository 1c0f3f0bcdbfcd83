"""What a model may look at: one node at one moment, and chance that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.model.node import Node
from simulators.physics import rain
from simulators.physics.chance import course, draw, key


@dataclass(frozen=True, slots=True)
class Scene:
    """A node at `t_s` (epoch seconds); `period_s` is how long its reading speaks for."""

    seed: int
    node: Node
    traits: Mapping[str, Any]
    t_s: float
    period_s: float

    @property
    def lat(self) -> float:
        """Degrees north; the district's middle for a node without a place."""
        return 31.295 if self.node.lat is None else self.node.lat

    @property
    def lon(self) -> float:
        """Degrees east; the district's middle for a node without a place."""
        return 121.525 if self.node.lon is None else self.node.lon

    @property
    def local_hour(self) -> float:
        """Hours since midnight, China Standard Time."""
        return (self.t_s / 3600 + 8) % 24

    @property
    def weekend(self) -> bool:
        """Whether it is Saturday or Sunday there."""
        return int((self.t_s / 86400 + 8 / 24 + 3) % 7) >= 5

    def trait(self, name: str, default: float) -> float:
        """Return a number from the city file."""
        return float(self.traits.get(name, default))

    def fixed(self, name: str, low: float, high: float) -> float:
        """Return a number that belongs to the node for ever, such as the size of a house."""
        return low + (high - low) * draw(key(self.seed, self.node.id, name), 0)

    def wander(self, name: str, period_s: float) -> float:
        """Return a random course of the node's own in [-1, 1]."""
        return course(key(self.seed, self.node.id, name), self.t_s, period_s)

    def shared(self, name: str, period_s: float) -> float:
        """Return a random course in [-1, 1] that the whole district shares, such as the weather."""
        return course(key(self.seed, name), self.t_s, period_s)

    def noise(self, name: str) -> float:
        """Return independent noise in [-1, 1] of this very reading."""
        return 2 * draw(key(self.seed, self.node.id, name), round(self.t_s * 1000)) - 1

    def happens(self, name: str, slot_s: float, probability: float) -> bool:
        """Return whether something holds during the present slot of `slot_s`."""
        return draw(key(self.seed, self.node.id, name), int(self.t_s // slot_s)) < probability

    def rain_rate_mm_h(self) -> float:
        """Return the rain that falls here now."""
        return rain.rain_rate_mm_h(self.seed, self.lat, self.lon, self.t_s)

    def wetness_mm(self, memory_s: float = 10_800.0) -> float:
        """Return how much rain of the last hours is still here."""
        return rain.wetness_mm(self.seed, self.lat, self.lon, self.t_s, memory_s)


Values = dict[str, float | None]
