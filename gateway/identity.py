"""Two devices under one node id: found out, both named, and neither one's readings mixed with the other's.

A birth says which hardware speaks (its serial). When another hardware takes the name of a node that is alive,
the readings of the newcomer are kept apart until it is clear what happened: if the first one falls silent, the
device was replaced, and the newcomer has the name; as long as both are heard, there are twins. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.protocol.wire import Birth

SILENT_PERIODS = 3.0
SILENT_AT_LEAST_S = 30.0


@dataclass(slots=True)
class Dispute:
    """A name that two devices use: the holder's serial, the newcomer's, and when each was last heard."""

    node: str
    holder: str
    newcomer: str
    birth: Birth
    patience_s: float
    holder_heard_s: float
    newcomer_heard_s: float
    boots: dict[int, str]
    twins: bool = False
    """Whether the holder was heard after the newcomer had come: no replacement, two devices."""


@dataclass(slots=True)
class Holder:
    """The device that has a name; `gone` when it said good-bye and was not heard since."""

    serial: str
    boot: int
    gone: bool = False


class Identities:
    """Who holds each name. Devices that say no serial are believed."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}
        self.disputes: dict[str, Dispute] = {}

    def begin(self, birth: Birth) -> None:
        """Take in a birth that was accepted before the gateway started: nobody knows that the device left."""
        if birth.serial:
            self._holders[birth.node] = Holder(birth.serial, birth.boot)

    def born(self, birth: Birth, *, now_s: float) -> bool:
        """Take in a birth; tell whether this device has the name."""
        if not birth.serial:
            return True
        dispute = self.disputes.get(birth.node)
        holder = self._holders.get(birth.node)
        if dispute is not None:
            dispute.boots[birth.boot] = birth.serial
            if birth.serial == dispute.holder:
                dispute.twins = True
                dispute.holder_heard_s = now_s
            else:
                dispute.newcomer, dispute.birth, dispute.newcomer_heard_s = birth.serial, birth, now_s
                return False
        elif holder is not None and holder.serial != birth.serial and not holder.gone:
            patience_s = max(SILENT_AT_LEAST_S, SILENT_PERIODS * birth.period_s)
            boots = {holder.boot: holder.serial, birth.boot: birth.serial}
            self.disputes[birth.node] = Dispute(
                birth.node, holder.serial, birth.serial, birth, patience_s, now_s, now_s, boots
            )
            return False
        self._holders[birth.node] = Holder(birth.serial, birth.boot)
        return True

    def heard(self, node: str, boot: int, now_s: float, *, live: bool) -> str:
        """Take in a pack of a disputed name; return why its readings are kept apart, or nothing.

        Only live readings show that a device still works: what was under way does not.
        """
        dispute = self.disputes[node]
        if dispute.boots.get(boot) == dispute.newcomer:
            dispute.newcomer_heard_s = now_s
            return f"devices {dispute.holder} and {dispute.newcomer} both call themselves {node}"
        if live:
            dispute.holder_heard_s = now_s
            dispute.twins = True
        return ""

    def died(self, node: str, boot: int) -> Birth | None:
        """The link of a boot broke. Return the birth of the device that has the name now, if that changed."""
        holder, dispute = self._holders.get(node), self.disputes.get(node)
        if dispute is None:
            if holder is not None and holder.boot == boot:
                holder.gone = True
        elif dispute.boots.get(boot) == dispute.newcomer:
            del self.disputes[node]
        elif dispute.boots.get(boot) == dispute.holder and not dispute.twins:
            return self._settle(dispute)
        return None

    def settled(self, now_s: float) -> list[tuple[Dispute, Birth | None]]:
        """Return disputes in which one fell silent, with the newcomer's birth where it has the name now."""
        found: list[tuple[Dispute, Birth | None]] = []
        for dispute in list(self.disputes.values()):
            if now_s - dispute.holder_heard_s > dispute.patience_s:
                found.append((dispute, self._settle(dispute)))
            elif now_s - dispute.newcomer_heard_s > 10 * dispute.patience_s:
                del self.disputes[dispute.node]
                found.append((dispute, None))
        return found

    def _settle(self, dispute: Dispute) -> Birth:
        del self.disputes[dispute.node]
        self._holders[dispute.node] = Holder(dispute.newcomer, dispute.birth.boot)
        return dispute.birth
