"""The readings of the week: what nodes sensed, what the gateway's checks said of it, and what became of it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Clock, Flag
from edge.quality import Checks, profile
from simulators.city import City
from simulators.physics import sense
from simulators.physics.chance import draw, key
from simulators.physics.scene import Scene
from simulators.sensor_faults import SENTINEL
from simulators.week.plan import DAY_MS, END_MS, FAULTS, HOUR_MS, PERIOD_MS, START_MS

COMMIT_MS = 2_000
"""From the sensor to the store, when nothing is in the way."""
GIVEN_UP_MS = HOUR_MS
"""So long is a gap asked for again before it is called missing."""
DRAIN_MS = 20 * 60_000
"""An outage's backlog drains within this time, the oldest reading first."""


class Fate(StrEnum):
    """What became of a reading in the end."""

    STORED = "stored"
    DROPPED = "dropped"
    QUARANTINED = "quarantined"
    MISSING = "missing"


@dataclass(slots=True, kw_only=True)
class Reading:
    """One reading: `told_ms`, when its gateway knew of it; `settled_ms`, when its fate was sure.

    `values` and `flags` are those that the gateway wrote, in the order of the kind's quantities.
    """

    node: Node
    seq: int
    t_ms: int
    values: Sequence[float | None]
    flags: list[Flag]
    fate: Fate
    told_ms: int
    settled_ms: int
    clock: Clock = Clock.SYNCED

    def value(self, quantity: str) -> float | None:
        """Return what charts may show of a quantity: None where there is no value or it failed."""
        at = KINDS[self.node.kind].quantities.index(quantity)
        return None if self.flags[at] in (Flag.FAIL, Flag.MISSING) else self.values[at]

    def flag(self, quantity: str) -> Flag:
        """Return what the checks said of a quantity."""
        return self.flags[KINDS[self.node.kind].quantities.index(quantity)]


def period_ms(kind: str) -> int:
    """Return how often a node of the week reports."""
    return max(PERIOD_MS, round(KINDS[kind].period_s * 1000))


def sensed(city: City, node: Node) -> list[Reading]:
    """Return what a node produced in the week, with its faults, judged and settled."""
    checks = _checks(node)
    rows: list[Reading] = []
    for t_ms, values in _raw(city, node):
        rows.append(judge(checks, rows, node, t_ms, values))
    return rows


def judge(
    checks: Checks, before: Sequence[Reading], node: Node, t_ms: int, values: Sequence[float | None]
) -> Reading:
    """Return a reading as the gateway takes it; what it says of the one before it is entered there."""
    fate = _fate(node.id, t_ms)
    told, settled = _times(node, t_ms, fate)
    flags = [Flag.PASS] * len(values)
    if fate is Fate.STORED:  # what never arrives is never judged
        verdict = checks.take(t_ms, values)
        flags, values = verdict.flags, verdict.values
        for revision in verdict.revised or ():
            for earlier in before[-1:]:
                if earlier.t_ms == revision.t_ms:
                    earlier.flags[revision.index] = revision.flag
    return Reading(
        node=node,
        seq=len(before),
        t_ms=t_ms,
        values=values,
        flags=flags,
        fate=fate,
        told_ms=told,
        settled_ms=settled,
        clock=Clock.ESTIMATED if FAULTS["clock"].hits(node.id, t_ms) else Clock.SYNCED,
    )


def _checks(node: Node) -> Checks:
    return Checks(profile(KINDS[node.kind].quantities, period_s=period_ms(node.kind) / 1000), node.id)


def gateway_readings(gateway: Node, behind: Sequence[Reading]) -> list[Reading]:
    """Return the gateway's own readings: what it could say of the readings behind it at each time."""
    told = sorted(row.told_ms for row in behind)
    waiting = sorted((row.settled_ms, row.t_ms) for row in behind if row.fate is Fate.STORED)
    by_fate = {fate: sorted(row.settled_ms for row in behind if row.fate is fate) for fate in Fate}
    checks, rows = _checks(gateway), list[Reading]()
    for t_ms in range(START_MS + 5_000, END_MS, period_ms("gateway")):
        ends = {fate: float(bisect_right(times, t_ms)) for fate, times in by_fate.items()}
        produced = float(bisect_right(told, t_ms))
        queue = produced - sum(ends.values())
        first = bisect_right(waiting, (t_ms, END_MS))
        oldest_ms = min((at for _, at in waiting[first : first + 2_000] if at <= t_ms), default=t_ms)
        said: Mapping[str, float] = {
            "queue_readings": queue,
            "quarantined_readings": ends[Fate.QUARANTINED],
            "missing_readings": ends[Fate.MISSING],
            "backlog_age_s": (t_ms - oldest_ms) / 1000 if queue else 0.0,
            "commit_ms": round(4 + 3 * draw(key("commit", gateway.id), t_ms), 1),
            "produced_readings": produced,
            "stored_readings": ends[Fate.STORED],
            "dropped_readings": ends[Fate.DROPPED],
            "unaccounted_readings": 0.0,
        }
        values = [said[name] for name in KINDS["gateway"].quantities]
        rows.append(judge(checks, rows, gateway, t_ms, values))
    return rows


def _raw(city: City, node: Node) -> Iterator[tuple[int, tuple[float | None, ...]]]:
    names, step = KINDS[node.kind].quantities, period_ms(node.kind)
    phase = 1_000 * round(draw(key(city.seed, node.id, "phase"), 0) * 240)
    traits = city.traits[node.id]
    for t_ms in range(START_MS + phase, END_MS, step):
        if _says_nothing(node.id, t_ms):
            continue
        values = sense(Scene(city.seed, node, traits, t_ms / 1000, step / 1000))
        yield t_ms, _with_faults(node.id, t_ms, dict(zip(names, values, strict=True)))


def _says_nothing(node: str, t_ms: int) -> bool:
    silent = FAULTS["silent"].hits(node, t_ms) or FAULTS["never_heard"].hits(node, t_ms)
    return silent or (FAULTS["battery"].hits(node, t_ms) and _battery_v(t_ms) < EMPTY_V)


EMPTY_V = 2.9
"""A node whose battery is below this says nothing more."""


def _battery_v(t_ms: int) -> float:
    """Return the voltage of the battery that runs down: 3.55 V, then 0.16 V a day less."""
    return round(3.55 - 0.16 * (t_ms - FAULTS["battery"].start_ms) / DAY_MS, 2)


def _with_faults(node: str, t_ms: int, values: dict[str, float | None]) -> tuple[float | None, ...]:
    """Return the values as the node sent them."""
    for fault in FAULTS.values():
        if fault.hits(node, t_ms) and fault.label in _BEND:
            _BEND[fault.label](values, t_ms)
    return tuple(values.values())


def _stuck(values: dict[str, float | None], _: int) -> None:
    values["noise_laeq_db"] = 61.2


def _spike(values: dict[str, float | None], t_ms: int) -> None:
    if (t_ms - FAULTS["spikes"].start_ms) // PERIOD_MS % 9 == 4:  # four lone values in six hours
        values["level_m"] = round((values["level_m"] or 0.0) + 2.0, 3)


def _sentinel(values: dict[str, float | None], _: int) -> None:
    values["ph"] = SENTINEL


def _no_value(values: dict[str, float | None], _: int) -> None:
    values["gas_lel_pct"] = None


def _battery(values: dict[str, float | None], t_ms: int) -> None:
    values["battery_v"] = _battery_v(t_ms)


def _reset(values: dict[str, float | None], t_ms: int) -> None:
    """A new meter at zero: it takes a house's 6 kW from there on, whatever the old one had shown."""
    values["energy_wh"] = round(6_000.0 * (t_ms - FAULTS["counter_reset"].start_ms) / HOUR_MS, 1)


def _lamp(values: dict[str, float | None], _: int) -> None:
    values |= {"lamp_on": 1.0, "dim_pct": 100.0, "power_w": 99.0, "current_a": 0.45}


def _flood(values: dict[str, float | None], t_ms: int) -> None:
    """The rivers rise by 1.3 m at the height of the flood."""
    fault = FAULTS["flood"]
    phase = (t_ms - fault.start_ms) / (fault.end_ms - fault.start_ms)
    values["level_m"] = round((values["level_m"] or 0.0) + 1.3 * math.sin(math.pi * phase) ** 2, 3)


def _noisy(values: dict[str, float | None], _: int) -> None:
    for name in ("noise_laeq_db", "noise_lamax_db"):
        values[name] = round((values[name] or 0.0) + 24.0, 1)


_BEND = {
    "stuck": _stuck,
    "spikes": _spike,
    "sentinel": _sentinel,
    "no_value": _no_value,
    "battery": _battery,
    "counter_reset": _reset,
    "lamp_by_day": _lamp,
    "flood": _flood,
    "noisy_night": _noisy,
}


def _fate(node: str, t_ms: int) -> Fate:
    for fate in (Fate.QUARANTINED, Fate.MISSING, Fate.DROPPED):
        if FAULTS[fate.value].hits(node, t_ms):
            return fate
    return Fate.STORED


def _times(node: Node, t_ms: int, fate: Fate) -> tuple[int, int]:
    """Return when the gateway knew of a reading and when its fate was sure."""
    told = t_ms + COMMIT_MS
    if fate in (Fate.MISSING, Fate.DROPPED):  # told by the first reading after the gap
        fault = FAULTS[fate.value]
        told = max(told, fault.end_ms + COMMIT_MS)
        return told, told + (GIVEN_UP_MS if fate is Fate.MISSING else 0)
    outage = FAULTS["outage"]
    if outage.hits(node.gateway or "", t_ms) and fate is Fate.STORED:
        share = (t_ms - outage.start_ms) / (outage.end_ms - outage.start_ms)
        return told, outage.end_ms + round(DRAIN_MS * share)
    return told, told
