"""A computer as a node: the agent, its sampling and its link at work, and the commands that reach them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.agent import (
    AgentConfig,
    NodeAgent,
    Sampled,
    Sampler,
    SystemTime,
    TimeSource,
    Trust,
    sample_forever,
)
from edge.broker import BrokerAddress
from edge.commands import Action, Commands, RefusedError, period_of, read_whole, write_whole
from edge.link import Link, LinkConfig, client_id
from edge.model.node import Node
from edge.outbox import Counts

log = logging.getLogger(__name__)


class Sampling:
    """The sampling of one node, which commands begin anew: with another period, or with a reading now."""

    def __init__(self, agent: NodeAgent, sampler: Sampler, time_source: TimeSource) -> None:
        self._agent, self._sampler, self._time = agent, sampler, time_source
        self._trust = Trust(time_source.now_ms() - 1)
        self._first_after_ms: int | None = None
        self._anew = asyncio.Event()

    def begin_anew(self, first_after_ms: int | None = None) -> None:
        """Go on from now; with `first_after_ms` one reading comes so soon, beside the grid."""
        self._first_after_ms = first_after_ms
        self._anew.set()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self._anew.clear()
            row = Sampled(self._agent, self._sampler, first_after_ms=self._first_after_ms, trust=self._trust)
            async with asyncio.TaskGroup() as tasks:
                sampling = tasks.create_task(sample_forever([row], self._time))
                await self._anew.wait()
                sampling.cancel()


@dataclass(frozen=True, kw_only=True, slots=True)
class Obedience:
    """What commands may do to a node: `folder` keeps what they changed; without `reboot` that is refused."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    reboot: Callable[[], None] | None = None


def commands_of(agent: NodeAgent, sampling: Sampling, clock: TimeSource, may: Obedience) -> Commands:
    """Return what takes the commands to a Linux node; a period that was set before holds from here on."""
    kept = may.folder / f"{agent.node.id}.set.json"
    began_ms = clock.now_ms()

    def set_period(arguments: Mapping[str, Any]) -> None:
        period_ms = period_of(arguments)
        write_whole(kept, {"period_ms": period_ms})
        agent.set_period(period_ms / 1000)
        sampling.begin_anew()

    def status(_: Mapping[str, Any]) -> dict[str, Any]:
        counts = agent.counts
        return {
            "node": agent.node.id,
            "boot": agent.outbox.boot,
            "version": agent.firmware,
            "clock": clock.state.name.lower(),
            "time_ms": clock.now_ms(),
            "uptime_s": (clock.now_ms() - began_ms) // 1000,
            **{name: getattr(counts, name) for name in ("produced", "acknowledged", "held", "dropped")},
        }

    def identify(_: Mapping[str, Any]) -> None:
        log.warning("%s: here I am", agent.node.id)

    def reboot(_: Mapping[str, Any]) -> None:
        if may.reboot is None:
            raise RefusedError("this computer is not restarted from afar", remedy="allow_reboot in agent.toml")
        may.reboot()

    def update(_: Mapping[str, Any]) -> None:
        raise RefusedError("a computer is not updated by bundles", remedy="update its package")

    actions: dict[str, Action] = {
        "sample": lambda _: sampling.begin_anew(first_after_ms=0),
        "set": set_period,
        "settings": lambda _: {**may.settings, "period_ms": round(agent.period_s * 1000)},
        "status": status,
        "identify": identify,
        "reboot": reboot,
        "update": update,
    }
    before = read_whole(kept)
    if isinstance(before, dict) and before:
        agent.set_period(period_of(before) / 1000)
    path = may.folder / f"{agent.node.id}.commands.json"
    return Commands(actions, path, now_ms=clock.now_ms, clock=lambda: clock.state)


async def run_agent(
    node: Node,
    sampler: Sampler,
    broker: BrokerAddress,
    *,
    boot: int,
    stop: asyncio.Event,
    time_source: TimeSource | None = None,
    period_s: float | None = None,
    config: AgentConfig | None = None,
    link_config: LinkConfig | None = None,
    may: Obedience | None = None,
) -> Counts:
    """Sample and send until `stop` is set; then deliver what is left, within `drain_s`, and say goodbye.

    Commands are taken as far as `may` goes; without it none are.
    """
    clock = time_source or SystemTime()
    config = config or AgentConfig()
    agent = NodeAgent(node, sampler.columns, boot, clock, period_s=period_s, config=config)
    beat = Sampling(agent, sampler, clock)
    link = Link(
        [agent],
        broker,
        client_id=client_id(node.id, config.serial),
        config=link_config,
        on_command=commands_of(agent, beat, clock, may).take if may else None,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.run(), name=f"link {node.id}")
        sampling = tasks.create_task(beat.run(), name=f"sample {node.id}")
        await stop.wait()
        sampling.cancel()
        with contextlib.suppress(TimeoutError):
            await link.drain(config.drain_s)
        link.stop()
    return agent.counts
