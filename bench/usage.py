"""What a process used, as the kernel counts it: CPU seconds and memory."""

from __future__ import annotations

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return user and system seconds of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def memory_mb(pid: int) -> dict[str, float]:
    """Return resident (RSS) and proportional (PSS) megabytes (10^6 bytes)."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {name.lower(): int(rows[name].split()[0]) * 1024 / 1e6 for name in ("Rss", "Pss")}


def machine_s() -> tuple[float, float]:
    """Return the seconds that all processes had of all cores, and those that the host gave to others."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = (int(word) * _TICK_S for word in words)
    return user + nice + system + irq + softirq, steal


class Meter:
    """CPU seconds of several processes since it was made; `rest` is all else that ran on this machine."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._before = {name: cpu_s(pid) for name, pid in pids.items()}
        self._machine = machine_s()

    def read(self) -> dict[str, float]:
        """Return the seconds used so far, by name; all processes must still be there."""
        used = {name: cpu_s(pid) - self._before[name] for name, pid in self._pids.items()}
        busy, stolen = (now - before for now, before in zip(machine_s(), self._machine, strict=True))
        return {**used, "rest": max(0.0, busy - sum(used.values())), "stolen": stolen}
