"""The gateway put together: source -> inbox -> commit -> journal -> forward -> sink, and its watchers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from edge.model.errors import CityError
from edge.model.node import Node, node_id
from edge.rules import load_rules
from gateway import episodes, quarantine, watchers
from gateway.account import Accounts, Counts
from gateway.arrival import Inbox
from gateway.commit import FOREIGN, QUALITY, Committer
from gateway.config import GatewayConfig
from gateway.database import JournalDamaged, inspect
from gateway.episodes import Episodes
from gateway.forward import Forwarder
from gateway.health import Health, HealthSampler
from gateway.herald import Herald
from gateway.journal import Journal
from gateway.ledger import Ledger
from gateway.local import local_channels
from gateway.mirror import Mirror
from gateway.north.custodian import Custodian
from gateway.north.distributor import Distributor
from gateway.north.queues import Queues
from gateway.north.reporter import Reporter
from gateway.roster import Roster, nodes_from_file
from gateway.shed import Shedder
from gateway.sinks.line_http import LineHttpSink
from gateway.sources.foreign import Ears, ForeignSources
from gateway.sources.mqtt import MqttSource
from gateway.stages.states import QualityStates
from gateway.uplink import Uplink
from gateway.watchers import Watchers

log = logging.getLogger(__name__)

JOURNAL = "journal.db"
RETRY_COMMIT_S = 1.0
RETRY_PERIOD_S = 1.0
RETRY_ENTRIES = 200
SHED_PERIOD_S = 2.0
WATCH_PERIOD_S = 1.0
PRUNE_PERIOD_S = 3_600.0


class Gateway:
    """One gateway. Make it within a running event loop, then `run` it."""

    def __init__(self, config: GatewayConfig, now: Callable[[], float] = time.time) -> None:
        self.config = config
        self._now = now
        self.ledger = Ledger()
        self.inbox = Inbox(config.commit.inbox_messages, now)
        self.roster = _first_roster(config)
        self.source = MqttSource(
            config.mqtt, config.gateway.id, self.inbox, registered=lambda: self.roster.nodes(config.gateway.id)
        )
        self.foreign = ForeignSources(config.sources, config.gateway.id, self.inbox)
        self.ears = Ears(self.source, self.foreign)
        self.sink = LineHttpSink(config.store)
        self.journal = Journal(config.gateway.data_dir / JOURNAL, now)
        self.journal.load(self.ledger)
        self.foreign.begin(self.journal.states(FOREIGN))
        self._accounts = Accounts(self.ledger, self.journal.queued)
        if known := _known(self.journal.roster()):
            self.roster.replace(known)
        self.episodes = Episodes(config.gateway.id)
        self.episodes.load(self.journal.episodes(), round(now() * 1000))
        rules = load_rules([config.rules.file] if config.rules.file else [], defaults=config.rules.defaults)
        self.watchers = Watchers(rules, self.journal.states(watchers.PART))
        self.quality = QualityStates(config.quality.overrides())
        self.quality.load(self.journal.states(QUALITY).items())
        self.committer = Committer(
            self.journal, self.ledger, self.roster, self.episodes, self.watchers, self.quality, now=now
        )
        self.mirror = Mirror(config.mirror) if config.mirror.url else None
        stored = self.mirror.offer if self.mirror else None
        self.forwarder = Forwarder(self.journal, self.ledger, self.sink, config.forward, now, stored)
        self.norths = Queues(config.north, self.journal, now)
        self.distributors: list[Custodian] = [
            Reporter(queue, now) if queue.config.station else Distributor(queue, config.gateway.id, now)
            for queue in self.norths.active
        ]
        lock = self.committer.lock
        self.shedder = Shedder(self.journal, self.ledger, config.backlog, lock, now=now, others=self.norths)
        cloud, own = config.cloud, config.gateway.id
        relay = self.committer.relay
        self.uplink = Uplink(cloud, own, self.journal, self.roster, relay, now) if cloud.url else None
        self.local = local_channels(config.alerts, rules, self.roster.find, now)
        self.herald = Herald(
            config.alerts, cloud, own, self.episodes, local=self.local, told=self.committer.note_told, now=now
        )
        self._commits_ms: deque[float] = deque(maxlen=500)
        self._oldest_ms: int | None = None
        self._roster_changed = True
        self._listening_since_ms: int | None = None
        self._stopping = threading.Event()
        self._sampling: asyncio.Task[None] | None = None

    async def run(self, started: asyncio.Event | None = None) -> None:
        """Work until cancelled. Whatever is not acknowledged by then comes again."""
        boot = await self.journal.next_boot()
        sampler = HealthSampler(self.config.gateway.id, boot, version("cityneuron"), self.inbox)
        on_roster = self._on_roster
        try:
            if self.uplink:
                await self.uplink.begin(on_roster)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.source.run(), name="mqtt")
                tasks.create_task(self.foreign.run(), name="foreign")
                tasks.create_task(self._commit(), name="commit")
                tasks.create_task(self._ask_again(), name="ask-again")
                tasks.create_task(self._watch(), name="watch")
                tasks.create_task(self._retry(), name="retry")
                tasks.create_task(self._shed(), name="shed")
                tasks.create_task(asyncio.to_thread(inspect, self.journal.path, self._stopping), name="inspect")
                tasks.create_task(self.forwarder.run(), name="forward")
                tasks.create_task(self.herald.run(), name="herald")
                if self.mirror:
                    tasks.create_task(self.mirror.run(), name="mirror")
                for north in self.distributors:
                    tasks.create_task(north.run(), name=f"north-{north.queue.config.name}")
                self._sampling = tasks.create_task(sampler.run(self.health), name="health")
                if self.uplink:
                    tasks.create_task(self.uplink.run(self.accounts, self.status, on_roster), name="uplink")
                if started is not None:
                    started.set()
        finally:
            self._stopping.set()
            with contextlib.suppress(CityError):  # the disk is full, or damaged: what was written must do
                await self.committer.save()
            await self.sink.close()
            for channel in self.local:
                await channel.close()
            self.journal.close()

    def stop_sampling(self) -> None:
        """Make no more readings of its own, so that an account can be closed."""
        if self._sampling is not None:
            self._sampling.cancel()

    def accounts(self) -> tuple[Counts, dict[str, Counts]]:
        """Return the account of all nodes together and of every node, as of now."""
        return self._accounts.total(), self._accounts.nodes()

    def total(self) -> Counts:
        """Return the account of all nodes together, as of now."""
        return self._accounts.total()

    def health(self) -> Health:
        """Return the gateway's own measurements, by quantity of the kind `gateway`."""
        oldest_ms, total = self._oldest_ms, self._accounts.total()
        return {
            "produced_readings": total.produced,
            "stored_readings": total.stored,
            "queue_readings": total.queued,
            "dropped_readings": total.dropped,
            "quarantined_readings": total.quarantined,
            "missing_readings": total.missing,
            "unaccounted_readings": total.produced - total.accounted,
            "backlog_age_s": 0.0 if oldest_ms is None else max(0.0, self._now() - oldest_ms / 1000),
            "commit_ms": statistics.median(self._commits_ms) if self._commits_ms else 0.0,
        }

    def status(self) -> dict[str, Any]:
        """Return health with the state of the connections, for people."""
        return {
            **self.health(),
            "broker": self.source.trouble or "ok",
            "store": self.forwarder.trouble or "ok",
            **({"sources": self.foreign.status()} if self.config.sources else {}),
            "disk": self.shedder.trouble or "ok",
            **({"mirror": self.mirror.status} if self.mirror else {}),
            **({"north": self.norths_status()} if self.distributors else {}),
            "nodes": len(self.roster),
            "connected": len(self.committer.alive),
            "reasons": dict(self._accounts.total().reasons),
            "twins": [
                {"node": dispute.node, "devices": [dispute.holder, dispute.newcomer]}
                for dispute in self.committer.identities.disputes.values()
            ],
        }

    def norths_status(self) -> dict[str, dict[str, Any]]:
        """Return the state and the account of every [[north]], by its name."""
        return {north.queue.config.name: north.status for north in self.distributors}

    async def _commit(self) -> None:
        config = self.config.commit
        while True:
            await self.inbox.gather(config.most_messages, config.gather_ms / 1000)
            batch = await self.inbox.take(config.most_messages, config.most_kb * 1024)
            began = time.perf_counter()
            try:
                await self.committer.take(batch, self.ears)
            except JournalDamaged:
                raise
            except CityError as error:
                log.error("%s; nothing is acknowledged, tried again every %g s", error, RETRY_COMMIT_S)
                self.inbox.put_back(batch)
                await asyncio.sleep(RETRY_COMMIT_S)
            else:
                self._commits_ms.append((time.perf_counter() - began) * 1000)

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.committer.acks.acknowledge(self.committer.acks.gaps(), self.ears)
            try:
                if spoilt := self.journal.spoilt():
                    log.error("%d blocks were damaged on the disk: awaited again from the nodes", len(spoilt))
                    await self.committer.give_up(spoilt)
                await self.committer.settle_disputes()
                self._oldest_ms = await self.journal.oldest_ms()
            except JournalDamaged:
                raise
            except CityError as error:
                log.error("%s", error)

    async def _watch(self) -> None:
        """Let time pass for the rules. Without a broker nobody can be heard, so nobody is silent."""
        pruned_s = 0.0
        while True:
            now_s = self._now()
            if not self.source.connected:
                self._listening_since_ms = None
            elif self._listening_since_ms is None:
                self._listening_since_ms = round(now_s * 1000)
            try:
                await self.committer.tick(self._listening_since_ms or round(now_s * 1000))
                if now_s - pruned_s > PRUNE_PERIOD_S:
                    pruned_s = now_s
                    await self._prune(round(now_s * 1000))
            except JournalDamaged:
                raise
            except CityError as error:
                log.error("rules wait: %s", error)
            await asyncio.sleep(WATCH_PERIOD_S)

    async def _prune(self, now_ms: int) -> None:
        keys = self.episodes.prune(now_ms)
        await self.journal.write(lambda db: episodes.remove(db, keys))

    async def _shed(self) -> None:
        while True:
            try:
                await self.norths.keep_limits()
                await self.shedder.keep_limits()
            except JournalDamaged:
                raise
            except CityError as error:
                log.error("nothing can be let go: %s", error)
            await asyncio.sleep(SHED_PERIOD_S)

    def _is_registered(self, node: str) -> bool:
        return self.roster.find(node) is not None

    def _on_roster(self) -> None:
        self.committer.forget_intakes()
        self.source.roster_changed()
        self._roster_changed = True

    async def _retry(self) -> None:
        """Try again what was marked in quarantine: by a person, a birth or a registration that came late."""
        while True:
            try:
                if self._roster_changed:
                    await self.journal.write(lambda db: quarantine.mark_registered(db, self._is_registered))
                    self._roster_changed = False
                if count := await self.committer.retake(RETRY_ENTRIES):
                    log.info("tried %d quarantined entries again", count)
                    continue
            except JournalDamaged:
                raise
            except CityError as error:
                log.error("quarantine waits: %s", error)
            await asyncio.sleep(RETRY_PERIOD_S)


def _known(records: list[str]) -> list[Node]:
    """Return the nodes as the cloud last told them; a record damaged on the disk is told again."""
    found = []
    for record in records:
        try:
            found.append(Node.from_dict(json.loads(record)))
        except (CityError, ValueError, TypeError, AttributeError) as error:
            log.warning("a node of the roster cannot be read: %s", error)
    return found


def _first_roster(config: GatewayConfig) -> Roster:
    """Return the nodes of the configuration; the gateway itself is always one of them."""
    me = config.gateway
    own = Node(
        id=node_id(me.id), kind="gateway", label_en=me.id, label_zh=me.id, site=me.site, district=me.district
    )
    listed = nodes_from_file(config.nodes.file) if config.nodes.file else []
    return Roster([own, *listed], admit_any=config.nodes.admit_any, district=me.district)


async def run_gateway(config: GatewayConfig, started: Callable[[Gateway], None] | None = None) -> None:
    """Make and run a gateway until cancelled; one whose journal turns out damaged is made anew."""
    while True:
        try:
            gateway = Gateway(config)
            if started is not None:
                started(gateway)
            await gateway.run()
        except* JournalDamaged as damage:
            log.error("%s; it is opened anew", damage.exceptions[0])
