"""A client's side of an MQTT 3.1.1 session as a state machine: no socket, no event loop, no clock.

    session = Session(); session.connect(login, now_s); send(session.to_send())
    session.receive(data, now_s); for event in session.events(most): ...
    session.ack(mids); session.tick(now_s, reading=True); send(session.to_send())

A message of QoS 1 is acknowledged by `ack` and nothing else. QoS 2 is never asked for; a broker that sends it
is left. Once Closed was returned nothing is heard or said any more: the next connection is a new Session.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from gateway.sources import packets
from gateway.sources.packets import ConnAck, Decoder, Packet, PacketError, PingResp, PubAck, Publish, SubAck

REFUSALS = {  # 3.2.2.3
    1: "it does not speak MQTT 3.1.1",
    2: "it does not allow this client id",
    3: "its service is not available",
    4: "bad username or password",
    5: "not authorised",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Who we are to the broker. The session is persistent: what is not acknowledged comes again."""

    client_id: str
    username: str = ""
    password: str = ""
    clean: bool = False
    """Begin anew: the broker forgets what it kept for this client id, subscriptions included."""
    will: tuple[str, bytes] | None = None
    """Topic and payload of what the broker says at QoS 1 when we vanish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often to ask whether the broker is there, and how long to wait for any of its answers."""

    keepalive_s: int = 30
    ping_every_s: float = 15.0
    answer_within_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker welcomes us."""

    session_present: bool


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The filters stand, each at the QoS granted."""

    granted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """The broker has a message of ours."""

    mid: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over: close the connection. `refused` when the broker said no rather than vanished."""

    reason: str
    refused: bool = False


Message = Publish  # an event as it was read: not copied for each of many thousands a second
Event = Connected | Message | Subscribed | Delivered | Closed


class State(Enum):
    """Where a session stands."""

    NEW = auto()
    CONNECTING = auto()
    OPEN = auto()
    CLOSED = auto()


# What a broker may send in each state; CONNACK comes first and once [MQTT-3.2.0-1]. A PUBACK that answers
# nothing of ours, and a PINGRESP that is not waited for any more, do no harm.
MAY_COME: dict[State, frozenset[type[Packet]]] = {
    State.NEW: frozenset(),
    State.CONNECTING: frozenset({ConnAck}),
    State.OPEN: frozenset({Publish, SubAck, PubAck, PingResp}),
    State.CLOSED: frozenset(),
}


class Session:
    """One connection's worth of protocol. Times are seconds of any clock that does not go back."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.state = State.NEW
        self._patience = patience or Patience()
        self._decoder = Decoder()
        self._out: list[bytes] = []
        self._awaited: dict[type[Packet], float] = {}  # the answers waited for, and since when
        self._filters: dict[int, list[str]] = {}  # of the SUBSCRIBE under way, by packet identifier
        self._heard_s = 0.0
        self._pinged_s = 0.0
        self._next_mid = 1
        self._unsettled: set[int] = set()  # messages of ours at QoS 1 that the broker has not acknowledged

    # said

    def connect(self, login: Login, now_s: float) -> None:
        """Ask for the persistent session of a client id."""
        hello = packets.connect(
            login.client_id,
            self._patience.keepalive_s,
            clean=login.clean,
            username=login.username,
            password=login.password,
            will=login.will,
        )
        self.state = State.CONNECTING
        self._ask(hello, ConnAck, now_s)
        self._pinged_s = now_s

    def subscribe(self, filters: list[str], now_s: float) -> None:
        """Ask for topics at QoS 1."""
        mid = self._fresh_mid()
        self._filters[mid] = filters
        self._ask(packets.subscribe(mid, filters, 1), SubAck, now_s)

    def ack(self, mids: list[int]) -> None:
        """Acknowledge messages of QoS 1, in the order in which they came."""
        if mids and self.state is State.OPEN:
            self._out.append(packets.pubacks(mids))

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message at QoS 0; PacketError when no topic may be called that."""
        if self.state is State.OPEN:
            self._out.append(packets.publish(topic, payload))

    def deliver(self, topic: str, payload: bytes) -> int:
        """Send a message at QoS 1 and return its packet identifier, which Delivered will tell. PacketError."""
        mid = self._fresh_mid()
        self._out.append(packets.publish(topic, payload, mid))
        self._unsettled.add(mid)
        return mid

    def disconnect(self) -> None:
        """Say good-bye; the broker keeps the session."""
        if self.state is State.OPEN:
            self._out.append(packets.DISCONNECT)
        self.state = State.CLOSED

    def to_send(self) -> bytes:
        """Return what is to be sent now, in one piece."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    # heard

    def receive(self, data: bytes, now_s: float) -> None:
        """Take bytes as they came; `events` reads them."""
        self._decoder.feed(data)
        self._heard_s = now_s

    def events(self, most: int) -> list[Event]:
        """Read on, up to `most` packets; the rest stays. Closed is the last event of a session."""
        if self.state is State.CLOSED:
            return []
        heard: list[Packet] = []
        error: PacketError | None = None
        try:
            self._decoder.take(heard, most)
        except PacketError as found:
            error = found
        events: list[Event] = []
        for packet in heard:
            if type(packet) is Publish and packet.flags & 4 == 0 and self.state is State.OPEN:
                events.append(packet)
                continue
            event = self._heard(packet)
            if event is not None:
                events.append(event)
            if isinstance(event, Closed):
                return events
        if error is not None:
            events.append(self._close(f"it broke the protocol: {error}"))
        return events

    @property
    def held_bytes(self) -> int:
        """How much was received and not read yet."""
        return self._decoder.held_bytes

    def tick(self, now_s: float, *, reading: bool) -> Closed | None:
        """Keep the session alive; call it a few times within `answer_within_s`.

        `reading` is False while nothing is received on purpose: answers then wait in the socket, not late.
        """
        if self.state not in (State.CONNECTING, State.OPEN):
            return None
        if not reading:
            self._heard_s = now_s
        within_s = self._patience.answer_within_s
        for answer, since_s in self._awaited.items():
            if now_s - max(since_s, self._heard_s) > within_s:
                return self._close(f"no {answer.__name__.upper()} within {within_s:g} s")
        due = now_s - self._pinged_s >= self._patience.ping_every_s
        if due and self.state is State.OPEN and PingResp not in self._awaited:
            self._pinged_s = now_s
            self._ask(packets.PINGREQ, PingResp, now_s)
        return None

    def _fresh_mid(self) -> int:
        mid = self._next_mid
        while mid in self._unsettled:
            mid = mid % 65_535 + 1
        self._next_mid = mid % 65_535 + 1
        return mid

    def _ask(self, data: bytes, answer: type[Packet], now_s: float) -> None:
        self._out.append(data)
        self._awaited[answer] = now_s

    def _heard(self, packet: Packet) -> Event | None:
        kind = type(packet)
        if kind not in MAY_COME[self.state]:
            clause = "MQTT-3.2.0-1" if self.state is State.CONNECTING else "MQTT-3.2.0-2"
            return self._close(f"it broke the protocol: {kind.__name__.upper()} out of place [{clause}]")
        self._awaited.pop(kind, None)
        if isinstance(packet, PubAck):
            if packet.mid not in self._unsettled:
                return None
            self._unsettled.remove(packet.mid)
            return Delivered(packet.mid)
        if isinstance(packet, ConnAck):
            if packet.code:
                return self._close(REFUSALS[packet.code], refused=True)
            self.state = State.OPEN
            return Connected(packet.session_present)
        if isinstance(packet, SubAck):
            return self._subscribed(packet)
        if isinstance(packet, Publish):
            return self._close("it broke the protocol: a message of QoS 2, which is not asked for [3.8.4]")
        return None

    def _subscribed(self, answer: SubAck) -> Event:
        filters = self._filters.pop(answer.mid, None)
        if filters is None or len(filters) != len(answer.codes):
            return self._close("it broke the protocol: SUBACK without its SUBSCRIBE [MQTT-3.8.4-2]")
        refused = [text for text, code in zip(filters, answer.codes, strict=True) if code == 128]
        if refused:
            return self._close(f"no subscription to {', '.join(refused)}", refused=True)
        return Subscribed(answer.codes)

    def _close(self, reason: str, *, refused: bool = False) -> Closed:
        self.state = State.CLOSED
        return Closed(reason, refused)
