"""Maintenance windows: somebody works on these nodes, so nobody has to be told of them meanwhile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """From when until when nobody is told of what. Every condition that is given must hold."""

    id: int
    from_ms: int
    until_ms: int
    nodes: tuple[str, ...] = ()
    district: str = ""
    rule: str = ""
    text: str = ""
    who: str = ""

    def covers(self, *, node: str, gateway: str, district: str, rule: str, now_ms: int) -> bool:
        """Tell whether an alert is quiet now; a window over a gateway covers its nodes."""
        return (
            self.from_ms <= now_ms < self.until_ms
            and (not self.nodes or node in self.nodes or gateway in self.nodes)
            and (not self.district or district == self.district)
            and (not self.rule or rule == self.rule)
        )

    def to_dict(self) -> dict[str, object]:
        """Return the window as the API tells it."""
        return {
            "id": self.id,
            "from_ms": self.from_ms,
            "until_ms": self.until_ms,
            "nodes": list(self.nodes),
            "district": self.district,
            "rule": self.rule,
            "text": self.text,
            "who": self.who,
        }
