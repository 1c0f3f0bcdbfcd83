"""A Modbus device that is asked: block by block, what it refuses not for a while; its counters' growth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from edge.adapters.adapter import Exchange
from edge.adapters.frame import Refusal
from edge.adapters.modbus.answer import answer
from edge.adapters.modbus.block import Block, blocks, singles
from edge.adapters.modbus.profile import Profile, Row, profile
from edge.adapters.modbus.request import Framing, Request
from edge.adapters.modbus.values import Number, values
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from edge.model.quality import Flag

REFUSED_ROUNDS = 60
"""For so many rounds a block is not asked for that the device says it does not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModbusOptions:
    """A device's own keys: its profile (a name, or the path of a .toml file) and what of it is fitted.

    `lamp` is the output that the command `lamp` sets.
    """

    profile: str
    fitted: tuple[str, ...] = ()
    framing: Literal["rtu", "tcp"] = "rtu"
    timeout_s: float = 1.0
    lamp: str = ""


def unit_of(device: str) -> int:
    """Return the unit id that a device's name on the wire says, decimal or 0x50. Raises ConfigError."""
    try:
        unit = int(device, 0)
    except ValueError:
        unit = -1
    if not 0 <= unit <= 255:
        raise ConfigError(f"{device!r} is no Modbus unit id", remedy="1 to 247, or 0x01 to 0xF7")
    return unit


class ModbusPoller:
    """Asks one device for the blocks of its profile."""

    def __init__(self, device: str, options: ModbusOptions) -> None:
        self._unit = unit_of(device)
        self._options = options
        self._framing = Framing(options.framing)
        self._profile: Profile = profile(options.profile)
        self._blocks = list(blocks(self._profile, self._profile.fitted(options.fitted)))
        self._refused_until: dict[tuple[int, int], int] = {}
        self._counted: dict[str, float] = {}
        self._round = -1
        self._transaction = 0

    def exchanges(self) -> Sequence[Exchange]:
        """Return the reads of this round, a block each."""
        self._round += 1
        return [self._exchange(block) for block in self._blocks if self._is_due(block)]

    def _is_due(self, block: Block) -> bool:
        rests = self._round < self._refused_until.get((block.function, block.start), 0)
        return not rests and self._round % block.every == 0

    def _exchange(self, block: Block) -> Exchange:
        self._transaction = self._transaction % 0xFFFF + 1
        request = block.request(self._unit)
        sent = request.sent(self._framing, self._transaction)
        read = partial(self._read, block, request, sent)
        return Exchange(request=sent, read=read, timeout_s=self._options.timeout_s)

    def _read(self, block: Block, request: Request, sent: bytes, data: bytes) -> tuple[Value, ...] | None:
        try:
            registers = answer(request, sent, data, self._framing)
        except Refusal:
            self._refused(block)
            raise
        if registers is None:
            return None
        return self._values(block, registers)

    def _values(self, block: Block, registers: Sequence[int]) -> tuple[Value, ...]:
        found = values(self._profile, block.rows, block.start, registers)
        told = [value_of(row.word or row.key, found[row.key]) for row in block.rows]
        for row in block.rows:
            grown = self._grown(row, found[row.key])
            if grown is not None:
                told.append(Value(row.increment, grown))
        return tuple(told)

    def _grown(self, row: Row, number: Number) -> float | None:
        """Return what a counter grew by since it was last read; one that fell was cleared or began anew."""
        if not row.increment or number is None:
            return None
        before = self._counted.get(row.key)
        self._counted[row.key] = number
        if before is None:
            return None
        return round(number - before, row.decimals) if number >= before else number

    def _refused(self, block: Block) -> None:
        """Try the rows of a refused block one by one, and let alone for a while what is refused by itself."""
        if len(block.rows) > 1 and block in self._blocks:
            at = self._blocks.index(block)
            self._blocks[at : at + 1] = singles(self._profile, block)
        elif len(block.rows) == 1:
            self._refused_until[block.function, block.start] = self._round + 1 + REFUSED_ROUNDS


def value_of(key: str, number: Number) -> Value:
    """Return a number as a value; none is missing."""
    if number is None:
        return Value(key, None, Flag.MISSING)
    return Value(key, float(number))
