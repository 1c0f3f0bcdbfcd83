"""Numbers for the readings of devices that have none: gaps are seen by the period, repeats by the time.

A reading's number follows from when it was sensed. What comes after one period gets the next number, what comes
after five leaves four free; a reading that comes late takes the free number at its place; one that comes twice
gets the number that it had. Pure; the state is a short text, which is written in the commit of the readings.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

MOST_RUNS = 64
MOST_GAP = 1_000_000  # what is farther apart is no gap but another life: its numbers go on without one
LATE_BOOT = 2
"""The boot of readings that came too late for a number between others; the others have boot 1."""
BOOT = 1


@dataclass(slots=True)
class Run:
    """Readings numbered one after another at even steps: reading seq0 + i was sensed at t0_ms + i * step_ms."""

    seq0: int
    t0_ms: int
    step_ms: int
    count: int

    @property
    def last_ms(self) -> int:
        """When the newest of them was sensed."""
        return self.t0_ms + self.step_ms * (self.count - 1)

    @property
    def end(self) -> int:
        """One past their highest number."""
        return self.seq0 + self.count

    def number_at(self, t_ms: int) -> int | None:
        """Return the number of the reading sensed at this time; None where it holds none."""
        if not self.t0_ms <= t_ms <= self.last_ms:
            return None
        if self.count == 1:
            return self.seq0
        index, rest = divmod(t_ms - self.t0_ms, self.step_ms)
        return None if rest else self.seq0 + index

    def takes(self, seq: int, t_ms: int) -> bool:
        """Append a reading if it continues the run."""
        if seq != self.end or t_ms <= self.last_ms:
            return False
        step_ms = t_ms - self.last_ms
        if self.count > 1 and step_ms != self.step_ms:
            return False
        self.step_ms, self.count = step_ms, self.count + 1
        return True


class Numbering:
    """The numbers of one device's readings. One that reports when it likes (`period_ms` 0) has no gaps."""

    def __init__(self, period_ms: int, state: str = "") -> None:
        self._period_ms = period_ms
        self._runs: list[Run] = []
        self._late = 0
        if state:
            late, *runs = state.split(";")
            self._late = int(late)
            self._runs = [Run(*map(int, run.split(","))) for run in runs]

    def __str__(self) -> str:
        """Return the state: the count of late readings, then the runs."""
        runs = (f"{run.seq0},{run.t0_ms},{run.step_ms},{run.count}" for run in self._runs)
        return ";".join([str(self._late), *runs])

    @property
    def next_seq(self) -> int:
        """One past the highest number given."""
        return self._runs[-1].end if self._runs else 0

    def take(self, t_ms: int) -> tuple[int, int]:
        """Return (boot, number) of a reading sensed at this time: that which it had, if it came before."""
        taken = self._take(t_ms)
        del self._runs[:-MOST_RUNS]
        return taken

    def _take(self, t_ms: int) -> tuple[int, int]:
        runs = self._runs
        if not runs or t_ms > runs[-1].last_ms:
            return BOOT, self._newest(t_ms)
        at = bisect_right(runs, t_ms, key=lambda run: run.t0_ms) - 1
        if at >= 0:
            known = runs[at].number_at(t_ms)
            if known is not None:
                return BOOT, known
            if t_ms > runs[at].last_ms and runs[at + 1].seq0 > runs[at].end:
                return BOOT, self._between(at, t_ms)
        self._late += 1
        return LATE_BOOT, self._late - 1

    def times(self, first: int, end: int) -> list[tuple[int, int]]:
        """Return the spans of time [from, to) in which the free numbers of [first, end) were due."""
        found = []
        for before, after in zip(self._runs, self._runs[1:], strict=False):
            low, high = max(first, before.end), min(end, after.seq0)
            if low < high:
                step_ms = self._period_ms or (after.t0_ms - before.last_ms) // (after.seq0 - before.end + 1)
                begin_ms = before.last_ms + 1 + step_ms * (low - before.end)
                to_ms = after.t0_ms - step_ms * (after.seq0 - high)
                found.append((begin_ms, max(begin_ms + 1, to_ms)))
        return found

    def _newest(self, t_ms: int) -> int:
        runs = self._runs
        if not runs:
            runs.append(Run(0, t_ms, 0, 1))
            return 0
        last = runs[-1]
        steps = max(1, round((t_ms - last.last_ms) / self._period_ms)) if self._period_ms else 1
        seq = last.end - 1 + (steps if steps <= MOST_GAP else 1)
        if not last.takes(seq, t_ms):
            runs.append(Run(seq, t_ms, 0, 1))
        return seq

    def _between(self, at: int, t_ms: int) -> int:
        """Give a late reading the free number that its time is nearest to."""
        before, after = self._runs[at], self._runs[at + 1]
        span_ms, places = after.t0_ms - before.last_ms, after.seq0 - before.end + 1
        step = round((t_ms - before.last_ms) * places / span_ms)
        seq = before.end - 1 + min(max(step, 1), places - 1)
        if not before.takes(seq, t_ms):
            self._runs.insert(at + 1, Run(seq, t_ms, 0, 1))
        self._join(at)
        return seq

    def _join(self, at: int) -> None:
        """Make one run of two that a late reading has closed up."""
        for index in (at, at + 1):
            if index + 1 >= len(self._runs):
                return
            one, two = self._runs[index], self._runs[index + 1]
            gap_ms = two.t0_ms - one.last_ms
            even = all(run.count == 1 or run.step_ms == gap_ms for run in (one, two))
            if one.end == two.seq0 and even:
                self._runs[index] = Run(one.seq0, one.t0_ms, gap_ms, one.count + two.count)
                del self._runs[index + 1]
