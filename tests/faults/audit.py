"""The audit: what the nodes noted down against what the store holds and what the ledger says. Pure.

A reading is *stored* (one point, of the right time and values), *quarantined* (named there by node, boot and
number), or *lost*: it was in the RAM of a node whose power was cut, or was overwritten there, and the gateway
had not acknowledged it; or the gateway had no room for it and counts it as dropped. Whatever is none of these
is *unaccounted*, which no fault excuses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, int, int]
"""Node, boot, number."""
Boot = tuple[str, int]
POWER_CUT = "power cut"  # it was in RAM alone
OVERWRITTEN = "overwritten"  # the node's outbox was full
LET_GO = "let go by the gateway"  # the gateway's room was at its end
_ACKNOWLEDGED = "the gateway acknowledged it"


@dataclass(frozen=True, slots=True)
class Made:
    """A reading as its node noted it: the time it carries, and the true time at which it was made."""

    t_ms: int
    made_ms: int


@dataclass(slots=True)
class Notes:
    """What all nodes noted: readings, the highest acknowledgement of each boot, what was overwritten unsaid.

    `cuts` are the boots that lost their power.
    """

    made: dict[Key, Made] = field(default_factory=dict)
    acknowledged: dict[Boot, int] = field(default_factory=dict)
    overwritten: set[Key] = field(default_factory=set)
    cuts: set[Boot] = field(default_factory=set)

    def read(self, lines: Iterable[str]) -> None:
        """Take in the lines of a producer's file; the last may be torn by a power cut."""
        for line in lines:
            match line.split():
                case ["R", node, boot, seq, t_ms, made_ms]:
                    self.made[node, int(boot), int(seq)] = Made(int(t_ms), int(made_ms))
                case ["O", node, boot, seq]:
                    self.overwritten.add((node, int(boot), int(seq)))
                case ["A", node, boot, upto]:
                    key = (node, int(boot))
                    self.acknowledged[key] = max(self.acknowledged.get(key, 0), int(upto))


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the store, with the reading that it says it is."""

    key: Key
    time_ns: int
    whole: bool
    """Whether its digest fits its node, boot and number."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Readings [first, last] of one boot of one node that are gone, and why."""

    node: str
    boot: int
    first: int
    last: int
    cause: str

    @property
    def readings(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(slots=True)
class Verdict:
    """What became of every reading."""

    made: Mapping[Key, Made]
    stored: set[Key] = field(default_factory=set)
    quarantined: set[Key] = field(default_factory=set)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of the quarantined readings."""
    lost: list[Loss] = field(default_factory=list)
    unaccounted: dict[Key, str] = field(default_factory=dict)
    duplicates: list[Key] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    """Where ledger and store do not say the same, or a point is not what its node made."""

    @property
    def clean(self) -> bool:
        """Whether custody held."""
        return not (self.unaccounted or self.duplicates or self.contradictions)


def audit(
    notes: Notes, points: Sequence[Point], quarantine: Sequence[Mapping[str, Any]], ledger: Mapping[str, Any]
) -> Verdict:
    """Return what became of every reading that the nodes noted."""
    verdict = Verdict(notes.made)
    _judge_points(notes, points, verdict)
    strays: Counter[str] = Counter()
    for entry in quarantine:
        if entry["boot"] is None:
            strays[entry["node"]] += 1
            continue
        for seq in range(entry["seq"], entry["seq"] + entry["readings"]):
            verdict.quarantined.add((entry["node"], entry["boot"], seq))
        verdict.reasons[entry["reason"]] += entry["readings"]
    gone: dict[str, list[Key]] = {POWER_CUT: [], OVERWRITTEN: []}
    for key in notes.made:
        stored, kept = key in verdict.stored, key in verdict.quarantined
        if stored and kept:
            verdict.contradictions.append(f"{key} is stored and quarantined")
        elif not stored and not kept:
            node, boot, seq = key
            if key in notes.overwritten:
                gone[OVERWRITTEN].append(key)
            elif seq < notes.acknowledged.get((node, boot), 0):
                verdict.unaccounted[key] = _ACKNOWLEDGED
            elif (node, boot) not in notes.cuts:
                verdict.unaccounted[key] = "its node never lost its power"
            else:
                gone[POWER_CUT].append(key)
    gone[LET_GO] = _let_go(verdict, ledger)
    verdict.lost = sorted(
        (Loss(*span, cause) for cause, keys in gone.items() for span in spans(keys)),
        key=lambda loss: (loss.node, loss.boot, loss.first),
    )
    verdict.contradictions += _against_ledger(verdict, ledger, strays)
    return verdict


def spans(keys: Iterable[Key]) -> Iterator[tuple[str, int, int, int]]:
    """Yield (node, boot, first, last) of keys that follow one another."""
    first: Key | None = None
    last: Key | None = None
    for key in sorted(keys):
        if first is not None and last is not None and key == (last[0], last[1], last[2] + 1):
            last = key
            continue
        if first is not None and last is not None:
            yield *first, last[2]
        first = last = key
    if first is not None and last is not None:
        yield *first, last[2]


def _judge_points(notes: Notes, points: Sequence[Point], verdict: Verdict) -> None:
    for point in points:
        made = notes.made.get(point.key)
        if made is None or not point.whole:
            verdict.contradictions.append(f"the store holds a point that nobody made: {point}")
            continue
        if point.time_ns // 1_000_000 != made.t_ms:
            verdict.contradictions.append(f"{point} has another time than {made}")
        if point.key in verdict.stored:
            verdict.duplicates.append(point.key)
        verdict.stored.add(point.key)


def _let_go(verdict: Verdict, ledger: Mapping[str, Any]) -> list[Key]:
    """Return what is gone although it was acknowledged, of nodes of which just so much was dropped.

    The ledger knows how many it let go, and why, not which.
    """
    acknowledged = [key for key, why in verdict.unaccounted.items() if why == _ACKNOWLEDGED]
    gone = Counter(node for node, _, _ in acknowledged)
    dropped = {row["node"]: row["dropped"] for row in ledger["nodes"]}
    found = [key for key in acknowledged if dropped.get(key[0], 0) == gone[key[0]]]
    for key in found:
        del verdict.unaccounted[key]
    return found


def _against_ledger(verdict: Verdict, ledger: Mapping[str, Any], strays: Counter[str]) -> list[str]:
    """Return where the ledger says something else than was found."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for node, _, _ in verdict.made:
        found[node]["made"] += 1
    for node, _, _ in verdict.stored:
        found[node]["stored"] += 1
    for node, _, _ in verdict.quarantined:
        found[node]["quarantined"] += 1
    for loss in verdict.lost:
        found[loss.node]["lost"] += loss.readings
        found[loss.node][loss.cause] += loss.readings
    said = {row["node"]: row for row in ledger["nodes"]}
    wrong = []
    for node, counts in found.items():
        row = said.get(node)
        if row is None:
            wrong.append(f"the ledger does not know {node}")
            continue
        never_heard_of = counts["made"] - (row["produced"] - strays[node])
        told = {
            "stored": row["stored"],
            "quarantined": row["quarantined"] - strays[node],
            "lost": row["missing"] + row["dropped"] + never_heard_of,
            OVERWRITTEN: row["reasons"].get("missing_overwritten", 0),
        }
        if not row["balanced"] or row["queued"] or never_heard_of < 0 or Counter(told) != _only(counts, told):
            wrong.append(f"{node}: the ledger says {row} ({strays[node]} strays), found was {dict(counts)}")
    return wrong


def _only(counts: Counter[str], names: Iterable[str]) -> Counter[str]:
    return Counter({name: counts[name] for name in names})
