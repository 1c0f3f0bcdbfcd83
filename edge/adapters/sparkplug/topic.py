"""Topics of Sparkplug B: `spBv1.0/<group>/<type>/<edge node>[/<device>]`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.adapters.frame import FrameError

NAMESPACE = "spBv1.0"


class Type(StrEnum):
    """What a message is."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"
    STATE = "STATE"


OF_DEVICE = frozenset((Type.DBIRTH, Type.DDEATH, Type.DDATA, Type.DCMD))
NOT_HEARD = frozenset((Type.NCMD, Type.DCMD, Type.STATE))
"""What others say to edge nodes, and hosts of themselves."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Who speaks, and what of. `device` is empty where the edge node speaks of itself."""

    type: Type
    group: str
    edge: str
    device: str = ""

    @property
    def node(self) -> str:
        """Return the edge node's name among all groups."""
        return f"{self.group}/{self.edge}"

    @property
    def reporter(self) -> str:
        """Return what the readings are of: the device, or the edge node."""
        return f"{self.node}/{self.device}" if self.device else self.node

    def __str__(self) -> str:
        levels = (NAMESPACE, self.group, self.type.value, self.edge, self.device)
        return "/".join(level for level in levels if level)


def parse(topic: str) -> Topic:
    """Return what a topic says. Raises FrameError `topic`."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE:
        raise FrameError("topic", f"{topic[:60]!r} is not of {NAMESPACE}")
    if len(levels) == 3 and levels[1] == Type.STATE:
        return Topic(Type.STATE, "", levels[2])
    if len(levels) not in (4, 5) or levels[2] not in Type.__members__ or not all(levels):
        raise FrameError("topic", f"{topic[:60]!r} is no topic of an edge node or a device")
    found = Topic(Type(levels[2]), levels[1], levels[3], levels[4] if len(levels) == 5 else "")
    if bool(found.device) != (found.type in OF_DEVICE):
        raise FrameError("topic", f"{found.type} {'without' if not found.device else 'with'} a device")
    return found
