"""The fuzzer's loop: seeded, guided by what becomes of inputs, and stopped by the first finding of a target."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import cbor2
from fuzz.mutation import changed_bytes, changed_value
from fuzz.targets import Target

MOST_SEEDS = 400
_PARTICULAR = re.compile(r"""\S+(?= is out of range)|'.*'|".*"|U\+\w+|(?<!UTF-)\b[0-9]+\b""", re.DOTALL)
"""What tells one refusal from another of the same kind: numbers and what is quoted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input whose refusal no decoder declares, or that broke a promise."""

    target: str
    payload: bytes
    error: Exception

    @property
    def command(self) -> str:
        """What repeats it."""
        return f'make fuzz ARGS="--target {self.target} --hex {self.payload.hex()}"'


@dataclass(slots=True)
class Tally:
    """What became of one target's inputs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest_s: float = 0.0
    slowest: bytes = b""
    finding: Finding | None = None

    @property
    def inputs(self) -> int:
        """How many were tried."""
        return self.outcomes.total()

    @property
    def accepted(self) -> int:
        """How many were taken, at least in part."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.startswith("accepted"))


def fuzz(target: Target, inputs: int, seed: int) -> Tally:
    """Try `inputs` mutations of a target's seeds; an input with an outcome not seen before becomes a seed."""
    chance = random.Random(f"{seed} {target.name}")
    seeds, tally = list(target.seeds), Tally()
    for number in range(inputs):
        payload = seeds[number] if number < len(target.seeds) else mutation(target, seeds, chance)
        began_s = time.perf_counter()
        try:
            outcome = target.judge(payload)
        except Exception as error:  # whatever it is, nobody declared it
            tally.finding = Finding(target.name, payload, error)
            outcome = "FOUND"
        taken_s = time.perf_counter() - began_s
        tally.seconds += taken_s
        if taken_s > tally.slowest_s:
            tally.slowest_s, tally.slowest = taken_s, payload
        kind = _PARTICULAR.sub("#", outcome)
        if kind not in tally.outcomes and len(seeds) < MOST_SEEDS:
            seeds.append(payload)
        tally.outcomes[kind] += 1
        if tally.finding:
            break
    return tally


def mutation(target: Target, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Return an input made of one of `seeds`, half of the time of one that the target began with."""
    seed = chance.choice(target.seeds if chance.random() < 0.5 else seeds)
    start = target.cbor_from
    if start is not None and chance.random() < 0.5:
        try:
            value = cbor2.loads(seed[start:])
            for _ in range(chance.choice((1, 1, 2, 3))):
                value = changed_value(value, chance)
            return seed[:start] + cbor2.dumps(value)
        except (cbor2.CBORError, ValueError, TypeError, OverflowError):
            pass  # a seed that was refused, or a value that has no bytes: its bytes are changed instead
    return changed_bytes(seed, seeds, target.words, chance)
