"""Where foreign devices' reports become arrivals: seated, numbered, and told back when they are on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from edge.adapters.frame import FrameError
from edge.adapters.report import Report
from edge.model.errors import WireError
from edge.protocol.command import Command, Reply, Status, decode_command, encode_reply
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import decode_ack
from gateway.arrival import Arrival, Foreign, Inbox
from gateway.sources.config import Device, SourceConfig
from gateway.sources.numbering import BOOT
from gateway.sources.seat import Message, Seat

log = logging.getLogger(__name__)

MOST_ASKS = 8  # with the ledger's patience: over half an hour
MOST_SPANS = 16
MOST_REPLIES = 1_000

Obey = Callable[[Device, Command, Callable[[Reply], None]], None]
"""Lets a device do a command, and says what became of it."""


class Hope(Enum):
    """What there is to be hoped for of a device that was asked for what is missing."""

    ASKED = auto()
    """It may come soon, or never: it is asked for again, some times."""
    WAITS = auto()
    """The question waits for its turn: nothing is given up before."""
    NONE = auto()
    """The device has nothing of that time, or nothing more."""


Ask = Callable[[str, str, int, int], Hope]
"""Asks a device (id, series) for what it has of [from, to) ms."""


@dataclass(slots=True)
class Receipt:
    """What is to be done when all messages of one frame are on disk."""

    waiting: int
    then: Callable[[], None]

    def one(self) -> None:
        """Another one is on disk."""
        self.waiting -= 1
        if not self.waiting:
            self.then()


class Desk:
    """The devices of one source. `ask` is how its devices are asked for what is missing, where they can be.

    Nodes that are `forgetful` cannot. `states` are what the disk knows of nodes. `unseated` counts reports of
    devices that no table names.
    """

    def __init__(
        self,
        source: SourceConfig,
        inbox: Inbox,
        states: Mapping[str, bytes],
        ask: Ask | None = None,
        obey: Obey | None = None,
        forgetful: Collection[str] = (),
    ) -> None:
        self.source = source
        self.inbox = inbox
        self.unseated: dict[tuple[str, str], int] = {}
        self.faults: dict[str, int] = {}
        self._ask = ask
        self._obey = obey
        self._replies: dict[int, Reply | None] = {}  # by the command's id; None while it is done
        self._seats = {
            (device.id, device.series): Seat(
                device,
                source.protocol,
                state=states.get(device.node, b""),
                can_be_asked=ask is not None and device.node not in forgetful,
            )
            for device in source.devices
        }
        self._nodes = {seat.device.node: seat for seat in self._seats.values()}
        self._asked: dict[tuple[str, int], dict[int, int]] = {}  # (node, boot) -> first of a gap -> how often

    def take(self, reports: Iterable[Report], then: Callable[[], None] | None = None) -> None:
        """Put reports into the inbox; `then` is called when all are on disk, at once where there are none."""
        now_ms = self.inbox.now_ms()
        found: list[tuple[Seat, list[Message]]] = []
        for report in reports:
            seat = self._seat(report.device, report.series.partition("/")[0])
            if seat is None:
                self._nobodys(report)
                continue
            strange = set(seat.unknown)
            messages = seat.messages(report, now_ms)
            if seat.unknown - strange:
                news = ", ".join(sorted(seat.unknown - strange))
                log.info("%s: %s says %s, which no table translates", self.source.name, seat.device.node, news)
            if messages:
                found.append((seat, messages))
        if not found:
            if then is not None:
                then()
            return
        receipt = Receipt(len(found), then) if then is not None else None
        for seat, messages in found:
            self._put(seat, messages, receipt.one if receipt else None)

    def refuse(
        self, frame: bytes, device: str, fault: FrameError, then: Callable[[], None] | None = None
    ) -> None:
        """Keep a frame that is none, for who wants to know; `then` is called when it is kept."""
        self.faults[fault.reason] = self.faults.get(fault.reason, 0) + 1
        node = next((seat.device.node for (ident, _), seat in self._seats.items() if ident == device), "")
        log.debug("%s: %s: %s", self.source.name, node or device or "a stranger", fault)
        name = f"foreign/{self.source.name}/{device}"
        about = Foreign(node, fault=(f"foreign_{fault.reason}", fault.detail[:200]), done=then)
        self.inbox.put(Arrival(name, frame, self.inbox.now_ms(), foreign=about))

    def owns(self, node: str) -> bool:
        """Tell whether a node is a device of this source."""
        return node in self._nodes

    def acknowledged(self, node: str, payload: bytes) -> None:
        """Hear what the ledger says of a node: what it misses is asked for, and given up after some times."""
        seat = self._nodes[node]
        try:
            ack = decode_ack(payload)
        except WireError:  # we wrote it ourselves: it cannot be
            log.exception("an acknowledgement to %s cannot be read", node)
            return
        asked = [(first, last + 1) for first, last in ack.again[:MOST_SPANS]]
        times = self._asked.pop((node, ack.boot), {})
        open_still = {first: count for first, count in times.items() if first >= ack.upto}
        if open_still or asked:
            self._asked[node, ack.boot] = dict.fromkeys((first for first, _ in asked), 0) | open_still
        hopes = [self._hopes(seat, ack.boot, *span) for span in asked]
        gone = asked[: hopes.index(True)] if True in hopes else asked  # what is given up, is from below
        if gone and ack.boot == BOOT:
            first, end = gone[0][0], gone[-1][1]
            log.warning("%s: %s does not give what is missing in [%d, %d)", self.source.name, node, first, end)
            self._put(seat, seat.give_up(end), None)

    def _hopes(self, seat: Seat, boot: int, first: int, end: int) -> bool:
        """Ask for what is missing in [first, end), and tell whether any of it may come."""
        assert self._ask is not None
        device = seat.device
        times = self._asked[device.node, boot]
        if times[first] >= MOST_ASKS:
            return False
        hopes = {self._ask(device.id, device.series, *span) for span in seat.wanted(boot, first, end)}
        if Hope.WAITS not in hopes:
            times[first] += 1
        return bool(hopes - {Hope.NONE})

    def command(self, node: str, payload: bytes) -> None:
        """Let a device do a command, once; one that was heard before is answered as it was then."""
        try:
            command = decode_command(payload)
        except WireError:  # the gateway wrote it itself: it cannot be
            log.exception("a command to %s cannot be read", node)
            return
        if command.id in self._replies:
            known = self._replies[command.id]
            if known is not None:
                self._reply(node, known)
        elif command.expires_ms < self.inbox.now_ms():
            self._done(node, Reply(command.id, Status.EXPIRED))
        elif self._obey is None:
            words = {"error": "this device takes no commands", "remedy": "see docs/protocols.md"}
            self._done(node, Reply(command.id, Status.REFUSED, words))
        else:
            self._replies[command.id] = None
            self._obey(self._nodes[node].device, command, partial(self._done, node))

    def _done(self, node: str, reply: Reply) -> None:
        self._replies[reply.id] = reply
        while len(self._replies) > MOST_REPLIES:
            del self._replies[next(iter(self._replies))]
        self._reply(node, reply)

    def _reply(self, node: str, reply: Reply) -> None:
        name, now_ms = topic(node, Leaf.REPLY), self.inbox.now_ms()
        self.inbox.put(Arrival(name, encode_reply(reply), now_ms, foreign=Foreign(node)))

    def _put(self, seat: Seat, messages: list[Message], done: Callable[[], None] | None) -> None:
        now_ms, node = self.inbox.now_ms(), seat.device.node
        for index, (name, payload) in enumerate(messages):
            last = index == len(messages) - 1
            about = Foreign(node, seat.state if last else b"", done=done if last else None)
            self.inbox.put(Arrival(name, payload, now_ms, foreign=about))

    def _seat(self, device: str, series: str) -> Seat | None:
        """Return who takes a series: who names it; else the table that names none, if it stands alone."""
        named = self._seats.get((device, series))
        tables = [seat for (ident, _), seat in self._seats.items() if ident == device] if named is None else []
        return tables[0] if len(tables) == 1 and not tables[0].device.series else named

    def _nobodys(self, report: Report) -> None:
        key = (report.device, report.series)
        if key not in self.unseated and len(self.unseated) < 1_000:
            log.info("%s: no table names device %r with series %r", self.source.name, *key)
            self.unseated[key] = 0
        if key in self.unseated:
            self.unseated[key] += 1
