"""Nodes that exist only as bytes: births and packs of six quantities, ready to be sent."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Birth, Column, Pack, encode_birth, encode_pack

KIND = KINDS["water_quality"]
COLUMNS = tuple(Column(name, QUANTITIES[name].decimals) for name in KIND.quantities)
BOOT = 1
USUAL = (18.4, 612.0, 7.81, 8.42, 21.5, 0.165)
"""What a water quality station shows on a quiet day, in the order of the columns."""

Message = tuple[str, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """`count` nodes from number `first` on; `site` is a tag that tells one fleet from another."""

    count: int
    first: int = 0
    site: str = "bench"

    def names(self) -> list[str]:
        """Return the nodes' ids."""
        return [f"n-{number:06d}" for number in range(self.first, self.first + self.count)]

    def nodes(self) -> list[Node]:
        """Return the nodes as they are registered."""
        return [
            Node(id=node_id(name), kind=KIND.name, label_en=name, label_zh=name, site=self.site, district="d1")
            for name in self.names()
        ]

    def births(self) -> Iterator[Message]:
        """Say what each node is."""
        template = Birth(
            node="", kind=KIND.name, firmware="1.0", hardware="bench", boot=BOOT, schema=KIND.schema,
            columns=COLUMNS, period_s=1.0, oldest=(BOOT, 0), next_seq=0, clock=Clock.SYNCED,
        )  # fmt: skip
        for name in self.names():
            yield topic(name, Leaf.BIRTH), encode_birth(replace(template, node=name, serial=f"sn-{name}"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """What a fleet sends: `rounds` packs of `rows` readings a node, round by round.

    A reading follows the one before after `period_ms`; `stagger_ms` sets the nodes of a round apart.
    """

    fleet: Fleet
    rounds: int
    rows: int
    start_ms: int
    period_ms: int = 1000
    stagger_ms: float = 0.0
    seq0: int = 0
    form: str = "native"

    @property
    def messages(self) -> int:
        """How many messages that is."""
        return self.rounds * self.fleet.count * {"value": len(COLUMNS)}.get(self.form, 1)

    @property
    def readings(self) -> int:
        """How many readings that is."""
        return self.rounds * self.fleet.count * self.rows

    def packs(self) -> Iterator[tuple[str, Pack]]:
        """Yield node and pack."""
        names, walk = self.fleet.names(), _walk()
        for turn in range(self.rounds):
            seq0 = self.seq0 + turn * self.rows
            t0_ms = self.start_ms + turn * self.rows * self.period_ms
            for index, name in enumerate(names):
                rows = [[row * self.period_ms, *next(walk)] for row in range(self.rows)]
                yield (
                    name,
                    Pack(KIND.schema, BOOT, seq0, t0_ms + int(index * self.stagger_ms), Clock.SYNCED, rows),
                )

    def messages_of(self) -> Iterator[Message]:
        """Yield topic and payload: packs as nodes send them, or JSON as scripts get it."""
        write = {"native": _native, "reading": _json_reading, "value": _json_values}[self.form]
        for name, pack in self.packs():
            yield from write(name, pack)


def _native(name: str, pack: Pack) -> Iterator[Message]:
    yield topic(name, Leaf.DATA), encode_pack(pack)


def _json_reading(name: str, pack: Pack) -> Iterator[Message]:
    """One message a reading, with all its values."""
    for row in pack.rows:
        values = {
            column.quantity: value / 10**column.decimals for column, value in zip(COLUMNS, row[1:], strict=True)
        }
        yield f"city/{name}/reading", json.dumps({"node": name, "t": pack.t0_ms + row[0], **values}).encode()


def _json_values(name: str, pack: Pack) -> Iterator[Message]:
    """One message a value."""
    for row in pack.rows:
        for column, value in zip(COLUMNS, row[1:], strict=True):
            body = {"node": name, "t": pack.t0_ms + row[0], "value": value / 10**column.decimals}
            yield f"city/{name}/{column.quantity}", json.dumps(body).encode()


def _walk() -> Iterator[list[int]]:
    """Yield the values of one reading after another: near the usual ones, never quite the same."""
    chance = random.Random(20)
    usual = [round(value * 10**column.decimals) for value, column in zip(USUAL, COLUMNS, strict=True)]
    spread = [max(1, value // 2000) for value in usual]  # what water does within a second
    table = [
        [value + chance.randint(-step, step) for value, step in zip(usual, spread, strict=True)]
        for _ in range(997)
    ]
    for number in count():
        yield table[number % 997]
