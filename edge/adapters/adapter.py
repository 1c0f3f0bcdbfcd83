"""What an adapter is: a protocol's bytes to reports and answers, without a socket, a port or a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value, Word

Clock = Callable[[], int]
"""Returns the time, epoch milliseconds, UTC."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A frame to be decoded for a person, with what is known beside it.

    `request` is what was asked (Modbus answers do not say), `group` names frames that belong together,
    `profile` allows a variant that is refused without it.
    """

    raw: bytes
    device: str = ""
    request: bytes = b""
    topic: str = ""
    group: str = ""
    profile: str = ""


class Unfinished(dict[str, Any]):
    """What a frame says so far: frames of its group that come later complete it, and then it is `whole`."""

    whole = False


Decode = Callable[[Case], dict[str, Any]]
"""Returns what a frame says, in JSON's types. Raises FrameError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One frame of a device that calls us, and what follows from it.

    `answer` goes out once the reports are on disk, at once where there are none. A frame with a `fault` has
    neither; it is kept in quarantine under `device`, if that much could be read.
    """

    frame: bytes
    device: str = ""
    reports: tuple[Report, ...] = ()
    answer: bytes = b""
    fault: FrameError | None = None
    hang_up: bool = False


class Talk(Protocol):
    """One connection of devices that call us."""

    def feed(self, data: bytes) -> list[Heard]:
        """Take bytes as they come, cut anywhere; return the frames that are whole by now. Never raises."""

    def ask(self, device: str, series: str, first_ms: int, end_ms: int) -> bytes:
        """Return a request for what the device has of [first_ms, end_ms); b"" where it cannot be asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A question to one device on a line, and how its answer is read.

    `read` gets all that came since the request, an echo of it included: it returns the values, or None while
    more must come, and raises FrameError for what is no answer (Refusal where the device says no).
    """

    request: bytes
    read: Callable[[bytes], tuple[Value, ...] | None]
    timeout_s: float = 1.0


class Poller(Protocol):
    """One device that is asked; it remembers what the device does not have."""

    def exchanges(self) -> Sequence[Exchange]:
        """Return the questions of one round; one that fails costs the others nothing."""


class Memory(Protocol):
    """What a device that is asked keeps of its past. Times are epoch milliseconds, `now_ms` is our clock."""

    def want(self, first_ms: int, end_ms: int, every_ms: int, now_ms: int) -> bool:
        """Look for readings of [first, end), due so often, from now on; tell whether any may still come."""

    def recall(self, now_ms: int, most_s: float) -> Sequence[Exchange]:
        """Return the next few questions for what is wanted, in their order, to be asked now.

        None when nothing is wanted, and when their timeouts come to more than `most_s`.
        """

    def missed(self) -> None:
        """Note that one of these questions was not answered; those after it were not asked."""

    def recalled(self) -> Sequence[tuple[int, tuple[Value, ...]]]:
        """Return the readings that came of it, with the moment of each, each once."""


@runtime_checkable
class Remembering(Protocol):
    """A poller whose device may have a past: a Poller may have this besides."""

    memory: Memory | None


Order = Callable[[str, Any, str, Mapping[str, Any]], Sequence[Exchange]]
"""Takes (device, its options, name of a command, its arguments); returns what is said to the device, the last
exchange being the proof that it was done. Raises CityError for what cannot be done."""

Hear = Callable[[str, bytes], Sequence[Report]]
"""Takes (topic or path, payload) of a message and returns what it reports. Raises FrameError."""


@runtime_checkable
class Asking(Protocol):
    """A reader of messages that has something to say itself: a Hear may have this besides."""

    def wanted(self) -> list[tuple[str, bytes]]:
        """Return (topic, payload) of what is to be published now, each once. Asked after every message."""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A protocol whose devices need no options."""


class Ids(NamedTuple):
    """How a protocol's devices call themselves on the wire: a pattern, and in words."""

    pattern: str
    said: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OfKind:
    """What is otherwise for nodes of one kind: words that mean something else, options to begin with."""

    words: Mapping[str, Word] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """A protocol: what it needs to be decoded for people, and to be a source of the gateway.

    `words` says what its keys mean, `kinds` what is otherwise for nodes of a kind; a device's own table comes
    before both. `options` is the frozen dataclass of a device's own keys in its `[[source.device]]` table. A
    protocol has what it speaks of `talk` (devices that
    call us over a stream), `poller` (devices that are asked) and `hear` (messages over MQTT or HTTP).
    `talk` and `hear` get the options of the known devices by their ids on the wire. `order` says how a command
    is done by a device that is asked. `ids` is None where any text is an id or `poller` checks it; `series` are
    the paces of which devices report, None where each may have paces of its own.
    """

    decoder: Callable[[], Decode]
    words: Mapping[str, Word] = field(default_factory=dict)
    kinds: Mapping[str, OfKind] = field(default_factory=dict)
    options: type[Any] = NoOptions
    talk: Callable[[Mapping[str, Any], Clock], Talk] | None = None
    poller: Callable[[str, Any], Poller] | None = None
    hear: Callable[[Mapping[str, Any], Clock], Hear] | None = None
    order: Order | None = None
    ids: Ids | None = None
    series: frozenset[str] | None = None
