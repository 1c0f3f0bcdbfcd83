"""The one commit: messages -> ledger, lines, quarantine in one transaction; then the acknowledgements."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from edge.model.alert import Episode, Told
from edge.model.errors import CityError, IdentityError, SeriesError, WireError
from edge.model.quality import Clock
from edge.protocol.command import decode_reply
from edge.protocol.topics import Leaf, parse_topic
from edge.protocol.wire import (
    Birth,
    Column,
    Pack,
    decode_birth,
    decode_death,
    decode_pack,
    encode_birth,
)
from edge.rules import Watch
from edge.tasks import whole
from gateway import quarantine
from gateway.acknowledge import Acknowledger
from gateway.arrival import Arrival, Foreign, Source
from gateway.block import Block, Kept
from gateway.episodes import Episodes
from gateway.identity import Identities
from gateway.intake import Intake, Seen, check_birth
from gateway.journal import Change, Journal
from gateway.ledger import Ledger, Others, Span, StreamKey
from gateway.refusals import again, part, stray
from gateway.relay import Answer, Relay
from gateway.roster import Roster
from gateway.stages.states import QualityStates
from gateway.watchers import Watchers

log = logging.getLogger(__name__)

QUALITY = "quality"
FOREIGN = "foreign"
CLOCK_QC = {Clock.SYNCED: 0, Clock.ESTIMATED: 3, Clock.UNKNOWN: 2}
NOBODY = "-"  # the account of messages whose topic names no node
MOST_STRANGERS = 20_000
WATCHED_A_TICK = 2_000


class Committer:
    """Takes batches, one at a time; owns what is known of nodes' schemas."""

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        roster: Roster,
        episodes: Episodes,
        watchers: Watchers,
        quality: QualityStates,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._episodes = episodes
        self._watchers = watchers
        self._quality = quality
        self._unwatched: list[tuple[str, int]] = []
        self._ledger = ledger
        self._roster = roster
        self._now = now
        self._births: dict[tuple[str, int], Birth] = {}
        self._columns: dict[tuple[Column, ...], tuple[Column, ...]] = {}
        self._intakes: dict[tuple[str, int], Intake] = {}
        self.acks = Acknowledger(ledger, now)
        self.relay = Relay(now)
        self.lock = asyncio.Lock()
        self.alive: dict[str, int] = {}
        self.identities = Identities()
        for payload in journal.births():
            with contextlib.suppress(WireError):  # damaged on the disk: the node says it again
                birth = self._shared(decode_birth(payload))
                self._births[birth.node, birth.schema] = birth
                self._unwatched.append((birth.node, birth.schema))
                self.identities.begin(birth)

    def forget_intakes(self) -> None:
        """The roster changed: tags are read anew."""
        self._intakes.clear()

    async def take(self, batch: list[Arrival], source: Source) -> None:
        """Commit a batch and acknowledge it. On JournalError nothing is changed, nothing acknowledged."""
        async with self.lock:
            change, heard = self._digest(batch)
            await self._commit(change)
        source.settle(batch)
        self.acks.acknowledge(heard, source)
        self.relay.answered(change.answers)
        if self.relay:
            self.relay.say({node for node, _ in heard}, source)

    async def retake(self, most: int) -> int:
        """Try marked entries of quarantine again, oldest first; return how many that were.

        What still cannot be stored goes back there.
        """
        async with self.lock:
            entries = await self._journal.marked(most)
            change = Change(oldest_ms=round(self._now() * 1000))
            for entry in entries:
                change.resolved.append(entry)
                self._retake(entry, change)
            if entries:
                await self._commit(change)
        return len(entries)

    async def give_up(self, blocks: list[Block]) -> None:
        """Let blocks go whose lines were damaged on the disk: their readings are awaited again."""
        async with self.lock:
            change = Change(spoilt=blocks)
            for block in blocks:
                for entry in block.manifest:
                    self._ledger.unclaim(entry.node, entry.boot, [(entry.first, entry.first + entry.readings)])
            await self._commit(change)

    async def tick(self, listening_since_ms: int) -> None:
        """Let time pass for the rules: what nobody says any more, and what has lasted long enough."""
        async with self.lock:
            for key in self._unwatched[-WATCHED_A_TICK:]:  # nodes of the last run that were not heard since
                self._intake(*key)
            del self._unwatched[-WATCHED_A_TICK:]
            now_ms = round(self._now() * 1000)
            self._episodes.take(self._watchers.tick(now_ms, listening_since_ms), now_ms)
            if self._episodes.unwritten() or self._watchers.waiting:
                await self._commit(Change())

    async def save(self) -> None:
        """Write what the checks know of every node as it is: the gateway ends."""
        async with self.lock:
            self._quality.all()
            await self._commit(Change())

    async def note_told(self, taken: list[Episode], told: list[tuple[Episode, Told]]) -> None:
        """Write down what the cloud has taken of episodes, and what people were told by the gateway itself."""
        async with self.lock:
            now_ms = round(self._now() * 1000)
            for episode, mark in told:
                self._episodes.tell(episode, mark, now_ms)
            await self._commit(Change(taken=taken))
            self._episodes.taken(taken)

    async def settle_disputes(self) -> None:
        """See whether one of two devices with one name fell silent; the other has the name then."""
        settled = self.identities.settled(self._now())
        if not settled:
            return
        async with self.lock:
            change = Change()
            for dispute, is_replaced in settled:
                if is_replaced:
                    log.info("%s is device %s now", dispute.node, dispute.newcomer)
                    self._adopt(dispute.birth, change)
                    change.settled.append(
                        (dispute.node, dispute.newcomer_boots(), round(dispute.since_s * 1000))
                    )
                else:
                    log.info("%s: device %s is not heard any more", dispute.node, dispute.newcomer)
            try:
                await self._commit(change)
            except CityError:
                self.identities.disputes.update((dispute.node, dispute) for dispute, _ in settled)
                raise

    async def _commit(self, change: Change) -> None:
        change.streams = self._ledger.dirty()
        change.episodes = self._episodes.unwritten()
        change.states += self._watchers.states()
        change.states += [(node, QUALITY, state) for node, state in self._quality.dirty()]
        writing = asyncio.ensure_future(self._write(change))
        cancelled = await whole(writing)  # else the ledger would not know whether the disk has it
        try:
            writing.result()
        except CityError:
            self._ledger.rollback()
            self._quality.rollback()
            self._watchers.unwritten(change.states)
            for node, schema, _ in change.births:  # not on disk: to be written when it comes again
                self._births.pop((node, schema), None)  # two births of one may have come in one batch
            if not cancelled:
                raise
        if cancelled:
            raise asyncio.CancelledError

    async def _write(self, change: Change) -> None:
        """Bring a change to the disk and in the same turn into the books: an account balances at any moment."""
        await self._journal.commit(change)
        self._ledger.settle()
        self._quality.settle()
        self._episodes.written(change.episodes)
        for kept in change.resolved:
            self._ledger.count_quarantined(kept.node, kept.boot, -kept.readings)
        for entry in change.quarantined:
            self._ledger.count_quarantined(entry.node, entry.boot, entry.readings)

    def _retake(self, entry: Kept, change: Change) -> None:
        arrival = Arrival(entry.topic, entry.payload, round(self._now() * 1000))
        if entry.boot is None:
            self._message(arrival, change, {})
        elif entry.seq is not None and not entry.topic:  # a line that the store refused
            change.enter(entry.node, entry.boot, entry.seq, entry.seq + 1)
            change.retold.add(len(change.lines))
            change.lines.append(entry.payload.decode())
            change.times_ms.append(0)
        else:
            try:
                pack = decode_pack(entry.payload)
            except WireError as error:
                change.quarantined.append(again(entry, error.reason, error.detail))
                return
            if (pack.boot, pack.seq0, len(pack.rows)) != (entry.boot, entry.seq, entry.readings):
                change.quarantined.append(again(entry, entry.reason, "it holds more than its own readings"))
                return
            end = pack.seq0 + len(pack.rows)
            self._readings(entry.node, pack, pack.seq0, end, arrival, change, live=False)

    def _digest(self, batch: list[Arrival]) -> tuple[Change, dict[StreamKey, None]]:
        change = Change(oldest_ms=batch[0].time_ms)
        heard: dict[StreamKey, None] = {}
        for arrival in batch:
            if arrival.foreign is None:
                self._message(arrival, change, heard)
            else:
                self._foreign(arrival, arrival.foreign, change, heard)
        return change, heard

    def _foreign(self, arrival: Arrival, about: Foreign, change: Change, heard: dict[StreamKey, None]) -> None:
        """Take what a foreign device said, with what its source must know of it after a restart."""
        if about.fault:
            change.quarantined.append(stray(arrival, about.node or NOBODY, *about.fault))
        else:
            self._message(arrival, change, heard)
        if about.state:
            change.states.append((about.node, FOREIGN, about.state))

    def _message(self, arrival: Arrival, change: Change, heard: dict[StreamKey, None]) -> None:
        node = NOBODY
        try:
            node, leaf = parse_topic(arrival.topic)
            if leaf is Leaf.BIRTH:
                self._birth(node, arrival, change, heard)
            elif leaf in (Leaf.DATA, Leaf.REPLAY):
                pack = decode_pack(arrival.payload)
                heard[node, pack.boot] = None
                fresh = self._ledger.claim(node, pack.boot, pack.seq0, len(pack.rows))
                live = leaf is Leaf.DATA
                is_news = live and bool(fresh)  # what comes twice may have been said by anybody
                if node in self.identities.gone and is_news:
                    self.identities.lives(node, pack.boot)
                if node in self.identities.disputes:
                    why = self.identities.heard(node, pack.boot, arrival.time_ms / 1000, live=is_news)
                    if why:
                        self._keep_apart(node, pack, fresh, arrival, change, why)
                        return
                for first, end in fresh:
                    self._readings(node, pack, first, end, arrival, change, live=live)
            elif leaf is Leaf.DEATH:
                self._death(node, decode_death(arrival.payload).boot)
            elif leaf is Leaf.REPLY and self._roster.find(node) is not None:
                change.answers.append(Answer(node, decode_reply(arrival.payload), arrival.time_ms))
        except WireError as error:
            change.quarantined.append(stray(arrival, node, error.reason, error.detail))
        except IdentityError as error:
            change.quarantined.append(stray(arrival, node, "bad_topic", error.message))

    def _birth(self, node: str, arrival: Arrival, change: Change, heard: dict[StreamKey, None]) -> None:
        if not arrival.payload:  # a retained birth was cleared: the node is retired
            return
        birth = decode_birth(arrival.payload)
        check_birth(birth, node)
        registered = self._roster.find(node, birth.kind) is not None
        if not registered:  # its schema is remembered all the same: the registry may learn of it yet
            self._remember(birth, arrival.payload, change, most=MOST_STRANGERS)
            raise WireError("unregistered", f"no node {node} is registered")
        heard[node, birth.boot] = None
        if self.identities.born(birth, retained=arrival.retained, now_s=arrival.time_ms / 1000):
            self._adopt(birth, change, arrival.payload)
        else:
            self._ledger.announce(node, birth.boot, birth.next_seq, birth.oldest, Others.UNTOLD)
            dispute = self.identities.disputes[node]
            log.warning(
                "device %s calls itself %s, which device %s does too: its readings are kept apart",
                dispute.newcomer, node, dispute.holder,
            )  # fmt: skip
        heard.update(dict.fromkeys(self._ledger.awaiting(node)))  # it may no longer know what it was asked for

    def _adopt(self, birth: Birth, change: Change, payload: bytes | None = None) -> None:
        """The device of this birth has the name: what it says holds for the node."""
        if self._remember(birth, payload or encode_birth(birth), change):
            change.awaited.append(birth.node)
        self.alive[birth.node] = birth.boot
        self.relay.born(birth, round(self._now() * 1000))
        if birth.node in self.identities.disputes:
            others = Others.UNTOLD
        else:
            others = Others.ALL_GONE if birth.serial else Others.EARLIER_GONE
        self._ledger.announce(birth.node, birth.boot, birth.next_seq, birth.oldest, others)

    def _remember(self, birth: Birth, payload: bytes, change: Change, most: int | None = None) -> bool:
        """Keep a birth and tell whether it was new; `most` limits how many are kept at all."""
        key = (birth.node, birth.schema)
        if self._births.get(key) == birth or (most is not None and len(self._births) >= most):
            return False
        change.births.append((*key, payload))
        self._births[key] = self._shared(birth)
        self._intakes.pop(key, None)
        return True

    def _shared(self, birth: Birth) -> Birth:
        """Return a birth whose columns are those of all nodes of its make."""
        return replace(birth, columns=self._columns.setdefault(birth.columns, birth.columns))

    def _death(self, node: str, boot: int) -> None:
        if self.alive.get(node) == boot:  # a will of an older boot says nothing
            del self.alive[node]
        self.identities.died(node, boot)

    def _keep_apart(
        self, node: str, pack: Pack, fresh: list[Span], arrival: Arrival, change: Change, why: str
    ) -> None:
        """Put the readings of a device that may be the second of its name into quarantine."""
        for first, end in fresh:
            change.quarantined.append(part(arrival, node, pack, first, end, quarantine.TWINS, why))

    def _readings(
        self, node: str, pack: Pack, first: int, end: int, arrival: Arrival, change: Change, *, live: bool
    ) -> None:
        """Enter the readings [first, end) of a pack: as lines, or in quarantine."""
        intake, reason, detail = self._intake(node, pack.schema)
        if intake is None:
            change.quarantined.append(part(arrival, node, pack, first, end, reason, detail))
            return
        watch = intake.watch
        seen: list[Seen] | None = None if watch is None and node not in self._watchers.peers.wanted else []
        lines, bad = intake.read(pack, first, end, arrival.time_ms, seen)
        if seen:
            is_late = not live or arrival.time_ms - pack.t0_ms > intake.live_ms
            self._judge(node, pack, watch, seen, arrival.time_ms, late=is_late)
        start = first
        for found in bad:
            change.enter(node, pack.boot, start, found.seq)
            start = found.seq + 1
            change.quarantined.append(part(arrival, node, pack, found.seq, start, found.reason, found.detail))
        change.enter(node, pack.boot, start, end)
        change.lines += lines
        if live and not bad and arrival.time_ms - pack.t0_ms <= intake.live_ms:
            change.times_ms += [pack.t0_ms + row[0] for row in pack.rows[first - pack.seq0 : end - pack.seq0]]
        else:
            change.times_ms += [0] * len(lines)

    def _judge(
        self, node: str, pack: Pack, watch: Watch | None, seen: list[Seen], now_ms: int, *, late: bool
    ) -> None:
        """Let rules look at readings, as their lines have them."""
        if node in self._watchers.peers.wanted:
            names = [column.quantity for column in self._births[node, pack.schema].columns]
            for t_ms, values, flags, _ in seen:
                self._watchers.offer(node, names, t_ms, values, flags)
        if watch is None:
            return
        watch.heard(now_ms, CLOCK_QC[pack.clock])
        if len(seen) > 1:
            times_ms, values, flags, are_late = zip(*seen, strict=True)
            if not any(are_late) and watch.passes(times_ms, values, flags):
                return
        for t_ms, values, flags, _ in seen:
            found = watch.take(t_ms, values, flags, late=late)
            if found:
                self._episodes.take(found, now_ms)
        if watch.changed:
            self._watchers.touched(node)

    def _intake(self, node: str, schema: int) -> tuple[Intake | None, str, str]:
        key = (node, schema)
        intake = self._intakes.get(key)
        if intake is None:
            birth = self._births.get(key)
            registered = self._roster.find(node, birth.kind if birth else "")
            if registered is None:
                return None, "unregistered", f"no node {node} is registered"
            if birth is None:
                return None, "unknown_schema", f"node {node} announced no schema {schema}"
            try:
                intake = self._intakes[birth.node, schema] = Intake(registered, birth, self._quality)
                quantities = tuple(column.quantity for column in birth.columns)
                intake.watch = self._watchers.watch(registered, quantities, birth.period_s)
            except SeriesError as error:
                return None, "bad_registration", error.message
        return intake, "", ""
