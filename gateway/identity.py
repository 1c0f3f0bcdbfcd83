"""Two devices under one node id: found out, both named, and neither one's readings mixed with the other's.

A birth says which hardware speaks (its serial). When another hardware takes the name of a node that is alive,
the readings of the newcomer are kept apart until it is clear what happened: if the first one falls silent, the
device was replaced, and the newcomer has the name; as long as both are heard, there are twins. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge.protocol.wire import Birth

SILENT_PERIODS = 3.0
SILENT_AT_LEAST_S = 30.0
FORGOTTEN_PATIENCES = 10


@dataclass(slots=True)
class Dispute:
    """A name that two devices use: the holder's serial and the newcomer's, and when each was last heard.

    A birth that the broker had kept says who spoke once, not who lives: a newcomer known by it alone has not
    been heard. `boots` tells whose is which.
    """

    node: str
    holder: str
    newcomer: str
    birth: Birth
    patience_s: float
    since_s: float
    holder_heard_s: float
    newcomer_heard_s: float | None
    boots: dict[int, str]
    holder_gone: bool = False
    """Whether the holder said good-bye and was not heard since."""
    twins: bool = False
    """Whether both were heard: no replacement, two devices."""

    def newcomer_boots(self) -> list[int]:
        """Return the newcomer's boots."""
        return [boot for boot, serial in self.boots.items() if serial == self.newcomer]


class Holder(NamedTuple):
    """The device that has a name, and its newest boot."""

    serial: str
    boot: int


class Identities:
    """Who holds each name. Devices that say no serial are believed.

    gone: names whose holder said good-bye and was not heard since.
    """

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}
        self.gone: set[str] = set()
        self.disputes: dict[str, Dispute] = {}

    def begin(self, birth: Birth) -> None:
        """Take in a birth that was accepted before the gateway started: nobody knows that the device left."""
        if birth.serial:
            self._holders[birth.node] = Holder(birth.serial, birth.boot)

    def born(self, birth: Birth, *, retained: bool, now_s: float) -> bool:
        """Take in a birth, or one that the broker had kept; tell whether this device has the name."""
        if not birth.serial:
            return True
        dispute = self.disputes.get(birth.node)
        holder = self._holders.get(birth.node)
        heard_s = None if retained else now_s
        if dispute is not None:
            dispute.boots[birth.boot] = birth.serial
            if birth.serial != dispute.holder:
                dispute.newcomer, dispute.birth = birth.serial, birth
                dispute.newcomer_heard_s = heard_s or dispute.newcomer_heard_s
                return False
            if not retained:
                self._holder_lives(dispute, now_s)
        elif holder is not None and holder.serial != birth.serial and (retained or birth.node not in self.gone):
            self.disputes[birth.node] = Dispute(
                node=birth.node,
                holder=holder.serial,
                newcomer=birth.serial,
                birth=birth,
                patience_s=max(SILENT_AT_LEAST_S, SILENT_PERIODS * birth.period_s),
                since_s=now_s,
                holder_heard_s=now_s,
                newcomer_heard_s=heard_s,
                boots={holder.boot: holder.serial, birth.boot: birth.serial},
                holder_gone=birth.node in self.gone,
            )
            return False
        self._hold(birth)
        return True

    def lives(self, node: str, boot: int) -> None:
        """A new live reading came of a boot: if that is the holder's, it is not gone after all."""
        holder = self._holders.get(node)
        if holder is not None and holder.boot == boot:
            self.gone.discard(node)

    def heard(self, node: str, boot: int, now_s: float, *, live: bool) -> str:
        """Take in a pack of a disputed name; return why its readings are kept apart, or nothing.

        Only live and new readings show that a device still works: what was under way, or comes twice, does not.
        """
        dispute = self.disputes[node]
        if dispute.boots.get(boot) == dispute.newcomer:
            if live:
                dispute.newcomer_heard_s = now_s
            return f"devices {dispute.holder} and {dispute.newcomer} both call themselves {node}"
        if live:
            self._holder_lives(dispute, now_s)
        return ""

    def died(self, node: str, boot: int) -> None:
        """The link of a boot broke, or its device said good-bye."""
        holder, dispute = self._holders.get(node), self.disputes.get(node)
        if dispute is None:
            if holder is not None and holder.boot == boot:
                self.gone.add(node)
        elif dispute.boots.get(boot) == dispute.newcomer:
            del self.disputes[node]
        elif dispute.boots.get(boot) == dispute.holder:
            dispute.holder_gone = True

    def settled(self, now_s: float) -> list[tuple[Dispute, bool]]:
        """Return disputes in which one fell silent, and whether the newcomer has the name now."""
        found: list[tuple[Dispute, bool]] = []
        for dispute in list(self.disputes.values()):
            newcomer_s = dispute.newcomer_heard_s
            silent = now_s - dispute.holder_heard_s > dispute.patience_s
            if newcomer_s is not None and (silent or (dispute.holder_gone and not dispute.twins)):
                self._hold(dispute.birth)
                found.append((dispute, True))
            elif now_s - (newcomer_s or dispute.since_s) > FORGOTTEN_PATIENCES * dispute.patience_s:
                found.append((dispute, False))
        for dispute, _ in found:
            del self.disputes[dispute.node]
        return found

    def _hold(self, birth: Birth) -> None:
        self._holders[birth.node] = Holder(birth.serial, birth.boot)
        self.gone.discard(birth.node)

    @staticmethod
    def _holder_lives(dispute: Dispute, now_s: float) -> None:
        dispute.holder_heard_s = now_s
        dispute.holder_gone = False
        dispute.twins = dispute.twins or dispute.newcomer_heard_s is not None
