"""A request to one unit: what is asked or written, and the bytes that say so over RTU or TCP."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pymodbus.framer.rtu import FramerRTU
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from edge.model.errors import ConfigError

COILS, INPUTS, HOLDING, INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
BITS = frozenset((COILS, INPUTS))
READS = frozenset((COILS, INPUTS, HOLDING, INPUT_REGISTERS))
WRITES = frozenset((WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS))
LAST_UNIT = 247
"""The highest address of a device (Modbus over Serial Line 1.02, 2.2)."""

_PDUS: dict[int, Callable[..., ModbusPDU]] = {
    COILS: ReadCoilsRequest,
    INPUTS: ReadDiscreteInputsRequest,
    HOLDING: ReadHoldingRegistersRequest,
    INPUT_REGISTERS: ReadInputRegistersRequest,
    WRITE_COIL: WriteSingleCoilRequest,
    WRITE_REGISTER: WriteSingleRegisterRequest,
    WRITE_COILS: WriteMultipleCoilsRequest,
    WRITE_REGISTERS: WriteMultipleRegistersRequest,
}
_RTU, _TCP = FramerRTU(DecodePDU(False)), FramerSocket(DecodePDU(False))


class Framing(StrEnum):
    """What a PDU travels in: address and CRC on a serial line (also through TCP), or an MBAP header."""

    RTU = "rtu"
    TCP = "tcp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A read of `count` registers (or bits) from `start`, or a write of `values`; numbers as on the wire.

    `width_bytes` is what one of them takes in the answer: 4 with makers who number values, not registers.
    """

    unit: int
    function: int
    start: int
    count: int = 1
    values: tuple[int, ...] = ()
    width_bytes: int = 2

    def answer_bytes(self) -> int:
        """Return how many bytes of data a read's answer has."""
        return (self.count + 7) // 8 if self.function in BITS else self.count * self.width_bytes

    def answered_by(self, unit: int) -> bool:
        """Return whether a unit may answer: 0 and what no device may be (248 and up) are asked to all."""
        return unit == self.unit or self.unit == 0 or self.unit > LAST_UNIT

    def pdu(self) -> ModbusPDU:
        """Return the request as pymodbus has it."""
        fields: dict[str, object] = {"dev_id": self.unit, "address": self.start}
        if self.function in READS:
            fields["count"] = self.count
        elif self.function in (WRITE_COIL, WRITE_COILS):
            fields["bits"] = [bool(value) for value in self.values]
        else:
            fields["registers"] = list(self.values)
        return _PDUS[self.function](**fields)

    def sent(self, framing: Framing = Framing.RTU, transaction: int = 0) -> bytes:
        """Return the bytes to send; ConfigError where the protocol does not allow them."""
        try:
            body = bytes((self.function,)) + self.pdu().encode()
        except (ValueError, struct.error) as error:
            raise ConfigError(f"Modbus does not allow {self}: {error}") from None
        framer = _RTU if framing is Framing.RTU else _TCP
        return framer.encode(body, self.unit, transaction)


def crc_right(frame: bytes) -> bool:
    """Return whether a frame of a serial line ends in its CRC, low byte first."""
    return len(frame) > 2 and FramerRTU.compute_CRC(frame[:-2]) == int.from_bytes(frame[-2:], "big")
