"""Which session a frame counter counts in: a join begins a new one, and so does a counter that goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

MAX_DEVICES = 100_000
MAX_LIVES = 8


@dataclass(slots=True)
class _Life:
    """One run of a counter: the session of its numbers, and the newest frame seen of it."""

    session: int
    counter: int
    time_ms: int


@dataclass(slots=True)
class Sessions:
    """Tells the sessions of devices apart, by what their frames say and nothing else.

    A session's number is made of what the server says of the session, so that a frame that comes again, also
    to a gateway that has forgotten everything, gets the number that it had. Servers refuse a counter that goes
    back, unless they are told not to. For devices that they take in all the same the number is made of the
    first frame's time besides, which is remembered while the gateway runs.
    """

    _lives: dict[tuple[str, str], list[_Life]] = field(default_factory=dict)

    def of(self, device: str, name: str, counter: int, time_ms: int) -> int:
        """Return the session of a frame."""
        lives = self._lives.setdefault((device, name), [])
        if not lives:
            if len(self._lives) > MAX_DEVICES:
                del self._lives[next(iter(self._lives))]
            lives.append(_Life(_number(name), counter, time_ms))
        newest = lives[-1]
        if time_ms > newest.time_ms:
            if counter < newest.counter:
                lives.append(newest := _Life(_number(f"{name} {time_ms}"), counter, time_ms))
                del lives[:-MAX_LIVES]
            newest.counter, newest.time_ms = counter, time_ms
            return newest.session
        return next(life.session for life in lives if time_ms <= life.time_ms)  # it comes again, or late


def _number(name: str) -> int:
    """Return 48 bits of a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=6).digest(), "big")
