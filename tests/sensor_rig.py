"""Real drivers on a real MicroPython on one side, models of sensors on the other, simulated time between."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulators.sensors import NoAnswer, SensorModel

if TYPE_CHECKING:
    from conftest import MicroPython


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a node made of a sensor: a row of scaled values a reading, or (message, remedy); its columns."""

    rows: list[list[int | None]]
    errors: list[tuple[str, str]]
    columns: list[tuple[str, int]]

    @property
    def values(self) -> dict[str, float | None]:
        """The last row, by quantity, in the quantity's unit."""
        return {
            quantity: None if value is None else value / 10**decimals
            for (quantity, decimals), value in zip(self.columns, self.rows[-1], strict=True)
        }


class Rig:
    """One MicroPython that reads whatever model it is given."""

    def __init__(self, micropython: MicroPython) -> None:
        self._process = subprocess.Popen(
            micropython.command("meet_sensors.py"),
            env=micropython.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def read(
        self, model: SensorModel, *, reads: int = 1, wake: bool = False, between: int = 0, **entry: Any
    ) -> Heard:
        """Let the driver of the model's entry read it so many times, woken ahead of each if asked for.

        `between`: turns of the loop before each reading, for drivers that listen all the time.
        """
        task = {"entry": {**model.entry, **entry}, "period_ms": model.period_ms}
        task |= {"reads": reads, "wake": wake, "between": between}
        self._say(json.dumps(task))
        rows, errors = [], []
        while True:
            word, _, rest = self._line().partition(" ")
            if word == ">":
                self._say(answer(model, *rest.split(" ")))
            elif word == "values":
                rows.append(json.loads(rest))
            elif word == "error":
                errors.append(tuple(json.loads(rest)))
            elif word == "columns":
                return Heard(rows=rows, errors=errors, columns=[tuple(column) for column in json.loads(rest)])

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "MicroPython ended"
        return line.rstrip("\n")


def answer(model: SensorModel, bus: str, *words: str) -> str:
    """Return what the model says, as the script reads it."""
    answers: Mapping[str, Any] = {
        "uart": lambda written="": model.uart(bytes.fromhex(written)).hex(),
        "i2c": lambda address, written, wanted: model.i2c(
            int(address), bytes.fromhex(written), int(wanted)
        ).hex(),
        "onewire": lambda written, wanted: model.onewire(bytes.fromhex(written), int(wanted)).hex(),
        "microvolts": lambda: str(model.microvolts()),
        "pin": lambda: str(model.pin()),
        "pulses": lambda: str(model.pulses()),
    }
    try:
        return str(answers[bus](*words))
    except NoAnswer:
        return "nobody"
