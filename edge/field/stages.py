"""The stages between a bare board and its first reading in the store: in order, timed, with their outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What has to be so, one after the other. A failure's exit code is `FIRST_EXIT_CODE` + its place here."""

    PORT = "port"
    CHIP = "chip"
    FLASH = "flash"
    REGISTER = "register"
    IDENTITY = "identity"
    FILES = "files"
    REBOOT = "reboot"
    NETWORK = "network"
    CLOCK = "clock"
    BROKER = "broker"
    BIRTH = "birth"
    SAMPLE = "sample"
    STORED = "stored"


FIRST_EXIT_CODE = 10

ABOUT: dict[Stage, str] = {
    Stage.PORT: "find the board",
    Stage.CHIP: "ask the chip who it is",
    Stage.FLASH: "MicroPython",
    Stage.REGISTER: "register at the cloud",
    Stage.IDENTITY: "key and certificate",
    Stage.FILES: "application and settings",
    Stage.REBOOT: "restart into the node",
    Stage.NETWORK: "join the network",
    Stage.CLOCK: "get the time",
    Stage.BROKER: "log in to the broker",
    Stage.BIRTH: "say what it is",
    Stage.SAMPLE: "read its sensors",
    Stage.STORED: "first reading in the store",
}


def exit_code(stage: Stage) -> int:
    """Return the exit code of a command that failed at this stage."""
    return FIRST_EXIT_CODE + list(Stage).index(stage)


class State(StrEnum):
    """What became of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    KEPT = "kept"  # it was so already
    FAILED = "failed"


@dataclass(slots=True)
class Step:
    """One stage of one course; `fraction` (0 to 1) is said where the work can be measured."""

    stage: Stage
    state: State = State.WAITING
    detail: str = ""
    seconds: float = 0.0
    fraction: float | None = None


class Course:
    """The stages of one board on their way, each begun and ended in order.

    `clock` gives seconds; `changed` is called after every change, for whoever shows it.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        clock: Callable[[], float],
        changed: Callable[[Course], None] = lambda _course: None,
    ) -> None:
        self.steps = {stage: Step(stage) for stage in stages}
        self._clock = clock
        self._changed = changed
        self._begun_s = clock()
        self._ended_s: float | None = None

    @property
    def running(self) -> Step | None:
        """The step under way."""
        return next((step for step in self.steps.values() if step.state is State.RUNNING), None)

    @property
    def failed(self) -> Step | None:
        """The step that failed."""
        return next((step for step in self.steps.values() if step.state is State.FAILED), None)

    @property
    def seconds(self) -> float:
        """How long it took, or takes so far."""
        return (self._clock() if self._ended_s is None else self._ended_s) - self._begun_s

    @contextmanager
    def at(self, stage: Stage) -> Iterator[Step]:
        """Be at a stage while the body runs; what it raises fails the stage."""
        step = self.steps[stage]
        step.state, began_s = State.RUNNING, self._clock()
        self._changed(self)
        try:
            yield step
        except BaseException:
            step.state = State.FAILED
            raise
        else:
            if step.state is State.RUNNING:
                step.state = State.DONE
        finally:
            step.seconds, step.fraction = self._clock() - began_s, None
            self._ended_s = self._clock()
            self._changed(self)

    def say(self, detail: str, fraction: float | None = None) -> None:
        """Tell how the running stage gets on."""
        step = self.running
        if step is not None:
            step.detail, step.fraction = detail, fraction
            self._changed(self)

    def tick(self) -> None:
        """Let time pass for whoever shows the running stage's seconds."""
        self._changed(self)

    def to_dict(self) -> list[dict[str, object]]:
        """Return the steps as `--json` prints them."""
        return [
            {
                "stage": step.stage.value,
                "state": step.state.value,
                "seconds": round(step.seconds, 3),
                "detail": step.detail,
            }
            for step in self.steps.values()
        ]
