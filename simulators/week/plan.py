"""The plan of the week: which nodes stand where, and what goes wrong with which of them, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from edge.model.node import Node, node_id
from simulators.city import City, load_city

SEED = 7
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
PERIOD_MS = 10 * MINUTE_MS
"""Nodes of the week report every ten minutes, or as seldom as their kind does."""
START_MS = int((datetime(2026, 6, 15, tzinfo=UTC) - timedelta(hours=8)).timestamp() * 1000)
"""Monday, 15 June 2026, 00:00 in Shanghai: plum rain."""
END_MS = START_MS + 7 * DAY_MS

DISTRICTS = {"gw-south": ("yangpu",), "gw-north": ("hongkou 虹口", "baoshan (north)")}
"""Gateways and the districts they serve: one name is in two languages, one has what a pattern must escape."""

_COUNTS = {
    "water_level": 18, "rain_gauge": 3, "sluice_gate": 2, "manhole": 2, "streetlight": 6, "air_quality": 3,
    "water_quality": 2, "noise": 3, "soil": 1, "radiation": 1, "weather": 2, "structure": 2, "tunnel": 1,
    "power_meter": 3, "water_meter": 1, "gas_meter": 1, "charging_pile": 1, "parking_bay": 3, "footfall": 1,
    "hazmat": 2, "outfall": 1, "dust": 1, "groundwater": 1, "three_phase_meter": 1,
}  # fmt: skip
_SOUTH_OF, _MIDDLE_OF = 31.285, 31.303


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A labelled fault at `nodes`, from `start_ms` until before `end_ms`; `quantity` where it hits only one."""

    label: str
    nodes: tuple[str, ...]
    start_ms: int
    end_ms: int
    quantity: str = ""

    def hits(self, node: str, t_ms: int) -> bool:
        """Whether the fault is in force at a node at a time."""
        return node in self.nodes and self.start_ms <= t_ms < self.end_ms


def at(day: int, hour: float) -> int:
    """Return a time of the week: day 0 is Monday, hours are those of Shanghai."""
    return START_MS + day * DAY_MS + round(hour * HOUR_MS)


RIVER = ("ys-08", "ys-09", "ys-10", "ys-11", "ys-12")
"""The stations that the flood reaches."""

FAULTS: dict[str, Fault] = {
    row.label: row
    for row in (
        Fault(label="silent", nodes=("air-05",), start_ms=at(1, 8), end_ms=at(1, 14)),
        Fault(label="never_heard", nodes=("rain-06",), start_ms=START_MS, end_ms=END_MS),
        Fault(label="stuck", nodes=("noise-04",), start_ms=at(2, 6), end_ms=at(2, 18),
              quantity="noise_laeq_db"),
        Fault(label="spikes", nodes=("ys-05",), start_ms=at(0, 9), end_ms=at(0, 15), quantity="level_m"),
        Fault(label="sentinel", nodes=("wq-03",), start_ms=at(3, 2), end_ms=at(3, 5), quantity="ph"),
        Fault(label="no_value", nodes=("hazmat-01",), start_ms=at(3, 12), end_ms=at(3, 14),
              quantity="gas_lel_pct"),
        Fault(label="battery", nodes=("ys-15",), start_ms=at(2, 0), end_ms=END_MS, quantity="battery_v"),
        Fault(label="counter_reset", nodes=("meter-001",), start_ms=at(3, 14), end_ms=END_MS,
              quantity="energy_wh"),
        Fault(label="lamp_by_day", nodes=("lamp-001",), start_ms=at(2, 9), end_ms=at(2, 16)),
        Fault(label="outage", nodes=("gw-north",), start_ms=at(4, 1), end_ms=at(4, 5)),
        Fault(label="quarantined", nodes=("tunnel-01",), start_ms=at(1, 20), end_ms=at(1, 22)),
        Fault(label="missing", nodes=("bay-001",), start_ms=at(5, 3), end_ms=at(5, 5)),
        Fault(label="dropped", nodes=("lamp-014",), start_ms=at(5, 12), end_ms=at(5, 15)),
        Fault(label="flood", nodes=RIVER, start_ms=at(5, 16), end_ms=at(6, 10), quantity="level_m"),
        Fault(label="clock", nodes=("foot-01",), start_ms=at(0, 18), end_ms=at(0, 20)),
        Fault(label="noisy_night", nodes=("noise-01",), start_ms=at(1, 23), end_ms=at(2, 1)),
    )
}  # fmt: skip
"""What goes wrong, by label. An outage names the gateway that cannot reach the store; all behind it queue."""


def week_city(seed: int) -> City:
    """Return sixty-four nodes in three districts behind two gateways, the gateways themselves among them."""
    city = load_city(seed, lamps=40)
    chosen = [_placed(node) for kind, count in _COUNTS.items() for node in _spread(city, kind, count)]
    gateways = [
        replace(
            city.centre,
            id=node_id(name),
            label_en=f"Gateway {name[3:]}",
            label_zh="南片网关" if name == "gw-south" else "北片网关",
            site=name,
            district=districts[0],
            gateway=name,
        )
        for name, districts in DISTRICTS.items()
    ]
    return replace(city, nodes=(*chosen, *gateways))


def _spread(city: City, kind: str, count: int) -> list[Node]:
    """Return so many nodes of a kind, from all over the city."""
    all_of_it = city.of_kind(kind)
    return [all_of_it[index * len(all_of_it) // count] for index in range(count)]


def _placed(node: Node) -> Node:
    lat = node.lat or 0.0
    north = DISTRICTS["gw-north"]
    district = "yangpu" if lat < _SOUTH_OF else north[0] if lat < _MIDDLE_OF else north[1]
    gateway = next(name for name, districts in DISTRICTS.items() if district in districts)
    return replace(node, district=district, gateway=gateway)
