"""A station beside those around it: what one of them shows alone is doubted, what all show is the weather.

Pure functions over what peers showed at about the same time. Stations differ by place and datum, so a peer's
value is compared as its departure from what is usual there (`usual`: a mean of the last days; 0 for quantities
that are alike all over a city).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from edge.quality.marks import fail, suspect

NEIGHBOURS = suspect("neighbours")
_FLAT = suspect("flat_line") | fail("flat_line")
PEERS_AT_LEAST = 3
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Peer:
    """What a neighbour showed, what is usual for it, and whether it has rested at this value too."""

    value: float
    usual: float = 0.0
    rests: bool = False


def neighbour_marks(
    value: float, peers: Sequence[Peer], tolerance: float, usual: float = 0.0, sigmas: float = 5
) -> int:
    """Return the mark of a value that stands apart from all its neighbours, who agree among themselves.

    It is doubted where it departs from the peers' median by more than `tolerance` and by more than `sigmas` of
    their own scatter. Fewer than three peers cannot outvote a station.
    """
    if len(peers) < PEERS_AT_LEAST:
        return 0
    departures = [peer.value - peer.usual for peer in peers]
    middle = median(departures)
    scatter = _MAD_TO_SIGMA * median(abs(each - middle) for each in departures)
    return NEIGHBOURS if abs(value - usual - middle) > max(tolerance, sigmas * scatter) else 0


def between_marks(value: float, upstream: float, downstream: float, tolerance: float) -> int:
    """Return the mark of a stage that is neither between its neighbours' on the river nor near one of them.

    All three over one datum. Water does not stand higher than upstream, or lower than downstream, of it.
    """
    low, high = min(upstream, downstream) - tolerance, max(upstream, downstream) + tolerance
    return 0 if low <= value <= high else NEIGHBOURS


def cleared(marks: int, value: float, peers: Sequence[Peer], tolerance: float) -> int:
    """Return marks without a flat line where most neighbours rest at about the same value: then it is true.

    PM10 that stands at its lowest for a day at all stations is clean air, not a fault of all of them.
    """
    alike = sum(peer.rests and abs(peer.value - value) <= tolerance for peer in peers)
    return marks & ~_FLAT if marks & _FLAT and 2 * alike > len(peers) else marks
