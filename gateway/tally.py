"""The books of one [[north]]: taken = delivered + waiting + given up, each reading in one of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class GivenUp(StrEnum):
    """Why a reading was not handed on."""

    NO_ROOM = "no_room"
    TOO_OLD = "too_old"
    NOT_ENCODED = "not_encoded"
    DAMAGED = "damaged"


@dataclass(slots=True)
class Tally:
    """Counts of readings; taken is counted, not derived. `waiting_bytes` is the room of those that wait."""

    taken: int = 0
    delivered: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    given_up: Counter[str] = field(default_factory=Counter)

    @property
    def balanced(self) -> bool:
        """Tell whether every reading that was taken is somewhere."""
        return self.taken == self.delivered + self.waiting + self.given_up.total()

    def to_dict(self) -> dict[str, object]:
        """Return the tally as `ledger --json` and the gateway's health have it."""
        return {
            "taken": self.taken,
            "delivered": self.delivered,
            "waiting": self.waiting,
            "given_up": self.given_up.total(),
            "reasons": {reason: count for reason, count in sorted(self.given_up.items()) if count},
            "balanced": self.balanced,
        }


def mended(tally: Tally) -> Tally:
    """Return an tally that balances, of one that damage to the disk has put out of balance."""
    given_up = Counter(tally.given_up)
    lost = tally.taken - tally.delivered - tally.waiting - given_up.total()
    if lost > 0:
        given_up[GivenUp.DAMAGED] += lost
    taken = tally.delivered + tally.waiting + given_up.total()
    return Tally(taken, tally.delivered, tally.waiting, tally.waiting_bytes, given_up)


def reasons_text(given_up: Mapping[str, int]) -> str:
    """Return counts by reason as they are stored: `no_room=5,too_old=2`."""
    return ",".join(f"{reason}={count}" for reason, count in sorted(given_up.items()) if count)


def reasons_from(text: str) -> Counter[str]:
    """Read what `reasons_text` wrote; ValueError for anything else."""
    pairs = (part.split("=") for part in text.split(",") if part)
    return Counter({str(GivenUp(reason)): int(count) for reason, count in pairs})


class Held(NamedTuple):
    """A row that waits, without its lines."""

    id: int
    since_ms: int
    readings: int
    size: int


def beyond_limits(
    rows: Iterable[Held], *, waiting_bytes: int, most_bytes: float, before_ms: int
) -> list[tuple[Held, GivenUp]]:
    """Return which rows, oldest first, are to be given up: those from before a time, then for want of room."""
    found: list[tuple[Held, GivenUp]] = []
    for row in rows:
        if row.since_ms < before_ms:
            found.append((row, GivenUp.TOO_OLD))
        elif waiting_bytes > most_bytes:
            found.append((row, GivenUp.NO_ROOM))
        else:
            break
        waiting_bytes -= row.size
    return found
