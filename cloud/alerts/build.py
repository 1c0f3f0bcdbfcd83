"""From the configuration to the parts: channels, labels of rules, the desk and the sender."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import tzinfo
from typing import Any

from cloud.alerts.config import AlertsConfig
from cloud.alerts.desk import Desk, plain_label
from cloud.alerts.facts import LOST, Facts, Labels
from cloud.alerts.sender import Sender
from cloud.alerts.wording import Wording
from cloud.registry import Registry
from edge.channels import Channel, load_channels
from edge.rules import Rule, load_rules


def channels_of(config: AlertsConfig) -> tuple[Channel, ...]:
    """Return the channels of the configuration; raise ConfigError if one is named that there is not."""
    channels = load_channels(config.channels_file) if config.channels_file is not None else ()
    config.check_channels({channel.name for channel in channels})
    return channels


def labels_of(rules: Collection[Rule]) -> Labels:
    """Return the names that people have for rules; a rule that is known only to its gateway keeps its own."""
    known = {rule.name: (rule.label_en, rule.label_zh) for rule in rules}
    known.setdefault(LOST, ("Gateway lost", "网关失联"))
    return lambda rule: known.get(rule) or plain_label(rule)


def build_alerts(
    config: AlertsConfig,
    zone: tzinfo,
    registry: Registry,
    *,
    now_ms: Callable[[], int],
    now_s: Callable[[], float] = time.monotonic,
    show: Callable[[list[dict[str, Any]]], None] = lambda _alerts: None,
    channels: Collection[Channel] | None = None,
) -> tuple[Desk, Sender]:
    """Return the desk and the sender of a city; `channels` in place of those of the configuration."""
    channels = channels_of(config) if channels is None else channels
    rules = load_rules(config.rules_files)
    labels = labels_of(rules)
    facts = Facts(config=config, zone=zone, levels={channel.name: channel.level for channel in channels})
    units = {rule.name: rule.unit for rule in rules}
    desk = Desk(registry, facts, now_ms=now_ms, show=show, labels=labels, units=units)
    known = {rule.name: rule for rule in rules}
    wording = Wording(zone=zone, labels=labels, nodes=desk.facts.nodes, rules=known, url=config.url)
    return desk, Sender(desk, channels, wording, now_ms=now_ms, now_s=now_s)
