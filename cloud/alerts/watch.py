"""The cloud's own watch over gateways: who has not reported for a while is lost, and its nodes with it. Pure.

A gateway cannot tell that it is gone; everything else that happens to nodes, gateways tell as episodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from cloud.alerts.alert import Alert
from cloud.alerts.book import Draft
from cloud.alerts.facts import LOST, SILENCE, Facts
from edge.model.alert import Episode


def watch_gateways(heard_ms: Mapping[str, int], draft: Draft, since_ms: int, facts: Facts) -> list[Episode]:
    """Return the episodes of gateways that are lost, or back.

    heard_ms: when each gateway was heard last. since_ms: since when anybody listens: a cloud that was away has
    not heard anybody, which is no gateway's fault.
    """
    config, now_ms = facts.config, draft.now_ms
    found: list[Episode] = []
    nodes: Counter[str] | None = None
    for gateway, last_ms in heard_ms.items():
        known = _open(draft, gateway)
        if known is not None:
            if last_ms > known.episode.start_ms and now_ms - last_ms < config.lost_after_s * 1_000:
                found.append(_back(known.episode, last_ms))
        elif now_ms - max(last_ms, since_ms) >= config.lost_after_s * 1_000:
            if nodes is None:
                nodes = Counter(node.gateway or "" for node in facts.nodes.values() if node.kind != "gateway")
            found.append(_lost(gateway, last_ms, nodes[gateway], now_ms, facts))
    return found


def _open(draft: Draft, gateway: str) -> Alert | None:
    return next((alert for alert in draft.of((LOST, gateway)) if alert.lasts), None)


def _lost(gateway: str, last_ms: int, nodes: int, now_ms: int, facts: Facts) -> Episode:
    silence_s = (now_ms - last_ms) / 1_000
    return Episode(
        rule=LOST,
        node=gateway,
        start_ms=last_ms,
        quantity=SILENCE,
        level=facts.config.lost_level,
        highest=facts.config.lost_level,
        value=silence_s,
        peak=silence_s,
        peak_ms=now_ms,
        updated_ms=now_ms,
        threshold=facts.config.lost_after_s,
        note={"nodes": nodes},
    )


def _back(episode: Episode, last_ms: int) -> Episode:
    silence_s = (last_ms - episode.start_ms) / 1_000
    return replace(
        episode,
        end_ms=last_ms,
        value=0.0,
        peak=silence_s,
        peak_ms=last_ms,
        updated_ms=last_ms,
        revision=episode.revision + 1,
    )
