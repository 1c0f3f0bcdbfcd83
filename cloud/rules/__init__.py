"""Rules of the city: what no single gateway can see, because it spans several."""

from cloud.rules.city import CityRules

__all__ = ["CityRules"]
