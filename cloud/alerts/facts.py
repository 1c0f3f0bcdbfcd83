"""What the plan goes by beside the alerts themselves: places, policy, channels. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import NamedTuple

from cloud.alerts.alert import Alert
from cloud.alerts.config import AlertsConfig
from cloud.alerts.routes import ANYWHERE, Route
from edge.model.alert import Level
from edge.model.node import Node

LOST = "gateway_lost"
SILENCE = "silence_s"


class Group(NamedTuple):
    """What is told together: one channel, one rule, one district."""

    channel: str
    rule: str
    district: str


class Recent(NamedTuple):
    """What a group was told last: when, the highest level, and how many rises within the window."""

    time_ms: int
    level: Level
    rises: int = 0


class Wanted(NamedTuple):
    """A channel that wants to know of an alert; `held`: not at this hour."""

    channel: str
    held: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything that a plan may look at. levels: the channels and the least level that each is told."""

    config: AlertsConfig
    zone: tzinfo
    levels: Mapping[str, Level] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)

    def node(self, alert: Alert) -> Node | None:
        """Return where an alert is, None if that is not registered."""
        return self.nodes.get(alert.episode.node)

    def gateway(self, alert: Alert) -> str:
        """Return through which gateway the node of an alert is heard."""
        node = self.node(alert)
        return (node.gateway if node is not None else None) or alert.episode.gateway

    def district(self, alert: Alert) -> str:
        """Return in which district an alert is."""
        node = self.node(alert)
        return node.district if node is not None else ANYWHERE

    def is_slow(self, alert: Alert) -> bool:
        """Whether it may wait to be told with others."""
        return alert.episode.quantity in self.config.slow

    def wanted(self, alert: Alert, now_ms: int) -> list[Wanted]:
        """Return the channels that want to know of an alert at the highest level it reached.

        All routes that cover it apply; where none does, every channel is told.
        """
        level, node = alert.episode.highest, self.node(alert)
        routes = [route for route in self.config.routes if route.selector.covers(alert.episode, node)]
        routes = routes or [Route(channels=tuple(self.levels))]
        at = datetime.fromtimestamp(now_ms / 1_000, self.zone)
        held: dict[str, bool] = {}
        for route in routes:
            if level < route.level:
                continue
            later = route.quiet is not None and route.quiet.holds(level, at)
            for channel in route.channels:
                if channel in self.levels and level >= self.levels[channel]:
                    held[channel] = held.get(channel, True) and later
        return [Wanted(channel, later) for channel, later in held.items()]


Labels = Callable[[str], tuple[str, str]]
"""From a rule's name to its English and Chinese label."""
