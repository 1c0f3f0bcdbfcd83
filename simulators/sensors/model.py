"""What all models of sensors share: their buses, their values, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from edge.model.errors import CityError
from simulators.physics.chance import draw, key


class Fault(StrEnum):
    """What is wrong with a sensor."""

    NONE = "none"
    SILENT = "silent"
    WRONG_CHECKSUM = "wrong_checksum"
    STUCK = "stuck"
    OUT_OF_RANGE = "out_of_range"


class NoAnswer(CityError):
    """Nobody acknowledges: what MicroPython raises as OSError(ENODEV)."""


class SensorModel:
    """One sensor. A bus asks it by the method of its kind; the others stay silent.

    `values` are those of the catalogue, as floats. `entry` is the sensor's entry in the settings of
    a node, which says how it is mounted. A sensor that speaks unasked does so every `period_ms`: ask it for
    that with uart(b"").
    """

    sample: ClassVar[Mapping[str, Any]]
    """An entry of `sensors` in settings.json."""
    typical: ClassVar[Mapping[str, float]]
    """Values to begin with; they name the quantities that the model senses."""
    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)
    """What this sensor can show: one without a checksum cannot send a wrong one."""
    period_ms: ClassVar[int | None] = None

    def __init__(
        self,
        values: Mapping[str, float] | None = None,
        *,
        entry: Mapping[str, Any] | None = None,
        seed: int = 0,
        fault: Fault = Fault.NONE,
    ) -> None:
        self.entry = {**self.sample, **(entry or {})}
        self._sensed = {**self.typical, **(values or {})}
        self._shown = dict(self._sensed)
        self._chance = key(seed, type(self).__name__)
        self._drawn = 0
        self.fault = Fault.NONE
        self.switch(fault)

    def sense(self, values: Mapping[str, float]) -> None:
        """Give it new surroundings."""
        self._sensed.update(values)
        if self.fault is not Fault.STUCK:
            self._shown.update(values)

    def switch(self, fault: Fault) -> None:
        """Break it, or mend it again. Raises CityError for what this sensor cannot show."""
        if fault not in self.faults:
            raise CityError(
                f"{type(self).__name__} cannot be {fault}", remedy=f"take one of {list(self.faults)}"
            )
        self.fault = fault
        if fault is not Fault.STUCK:
            self._shown.update(self._sensed)

    def uart(self, written: bytes) -> bytes:
        """Take what the board wrote; return what the sensor says now."""
        return b""

    def i2c(self, address: int, written: bytes, wanted: int) -> bytes:
        """Take a write, a read (nothing written), or both with a repeated start. Raises NoAnswer."""
        raise NoAnswer(f"nobody at address 0x{address:02X}")

    def onewire(self, written: bytes, wanted: int) -> bytes:
        """Take what was written since the last reset, return what is wanted. Raises NoAnswer: no presence."""
        raise NoAnswer("no presence pulse")

    def microvolts(self) -> int:
        """Return the voltage at the converter's pin."""
        return 0

    def pin(self) -> int:
        """Return the level of the pin."""
        return 1

    def pulses(self) -> int:
        """Return how often the contact has closed since the start."""
        return 0

    def value(self, quantity: str) -> float:
        """Return what the sensor shows of a quantity."""
        return self._shown[quantity]

    def jitter(self, most: float) -> float:
        """Return the next of the sensor's own small errors, up to `most` either way; the seed decides."""
        self._drawn += 1
        return most * (2 * draw(self._chance, self._drawn) - 1)

    @property
    def is_beyond(self) -> bool:
        """Whether it is to show what it shows at the end of its range."""
        return self.fault is Fault.OUT_OF_RANGE


class UartModel(SensorModel):
    """A sensor that answers questions of a fixed length and head on a serial line (of length 0: none)."""

    head: ClassVar[bytes] = b""
    question_bytes: ClassVar[int] = 0
    checksum_at: ClassVar[int] = -1

    def __init__(self, *args: Any, **options: Any) -> None:
        self._heard = b""
        super().__init__(*args, **options)

    def uart(self, written: bytes) -> bytes:
        """Answer every whole question, or say what is said unasked."""
        if not written:
            frames = [self.unasked()]
        else:
            self._heard += written
            frames = [self.answer(question) for question in self._questions()]
        if self.fault is Fault.SILENT:
            return b""
        return b"".join(self._sent(frame) for frame in frames if frame)

    def answer(self, question: bytes) -> bytes:
        """Return the frame that answers a question; nothing for one that it does not know."""
        return b""

    def unasked(self) -> bytes:
        """Return the frame that the sensor sends by itself."""
        return b""

    def _questions(self) -> list[bytes]:
        found: list[bytes] = []
        if not self.question_bytes:
            return found
        while (at := self._heard.find(self.head)) >= 0 and len(self._heard) >= at + self.question_bytes:
            found.append(self._heard[at : at + self.question_bytes])
            self._heard = self._heard[at + self.question_bytes :]
        self._heard = self._heard[-self.question_bytes :]
        return found

    def _sent(self, frame: bytes) -> bytes:
        if self.fault is not Fault.WRONG_CHECKSUM:
            return frame
        broken = bytearray(frame)
        broken[self.checksum_at] ^= 0x5A
        return bytes(broken)


class I2cModel(SensorModel):
    """A sensor at an address, which may be set in its entry."""

    address: ClassVar[int]

    def i2c(self, address: int, written: bytes, wanted: int) -> bytes:
        """Answer at one's own address only."""
        if self.fault is Fault.SILENT or address != self.entry.get("address", self.address):
            raise NoAnswer(f"nobody at address 0x{address:02X}")
        if written:
            self.take(written)
        return self.give(wanted) if wanted else b""

    def take(self, written: bytes) -> None:
        """Take a register pointer, a register with data, or a command."""

    def give(self, wanted: int) -> bytes:
        """Return so many bytes from where the pointer stands."""
        return bytes(wanted)


class RegisterModel(I2cModel):
    """Registers behind a pointer: the first byte written is the register, what follows goes into it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.pointer = 0
        self.written: dict[int, bytes] = {}
        super().__init__(*args, **options)

    def take(self, written: bytes) -> None:
        self.pointer = written[0]
        if len(written) > 1:
            self.written[self.pointer] = written[1:]

    def give(self, wanted: int) -> bytes:
        return self.registers(self.pointer, wanted)

    def registers(self, first: int, count: int) -> bytes:
        """Return `count` bytes from register `first` on."""
        return bytes(count)
