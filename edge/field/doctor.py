"""How a node is, in plain words: its own figures, judged. Pure: takes the status and `now`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edge.field.status import NodeStatus
from edge.field.watch import signal

LITTLE_HEAP_BYTES = 8 * 1024
LITTLE_FLASH_BYTES = 128 * 1024
CLOCK_OFF_MS = 5_000
LOW_BATTERY_MV = 3_100
"""A LiFePO4 cell rests at 3.2 to 3.3 V, and has a tenth left here; one of Li-ion is empty."""
LOW_LI_ION_MV = 3_500
ACK_LATE_MS = 10 * 60_000


class Level(StrEnum):
    """How much a verdict matters."""

    PAST = "past"  # before the node's present start
    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line: what was looked at, what was found, and what to do about it."""

    about: str
    level: Level
    text: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the verdict as `--json` prints it."""
        return {"about": self.about, "level": self.level.value, "text": self.text, "remedy": self.remedy}


def verdicts(status: NodeStatus, now_ms: int) -> list[Verdict]:
    """Return the verdicts on a node, in the order in which a reading travels."""
    judges: tuple[Callable[[NodeStatus, int], list[Verdict]], ...] = (
        _sensors, _clock, _link, _delivery, _memory, _power, _firmware, _errors
    )  # fmt: skip
    return [verdict for judge in judges for verdict in judge(status, now_ms)]


def summary(found: list[Verdict]) -> Verdict:
    """Return the worst of all in one line."""
    bad = [verdict for verdict in found if verdict.level is Level.BAD]
    watch = [verdict for verdict in found if verdict.level is Level.WATCH]
    if bad:
        return Verdict("node", Level.BAD, f"{bad[0].about}: {bad[0].text}", bad[0].remedy)
    if watch:
        return Verdict("node", Level.WATCH, f"works; keep an eye on: {', '.join(each.about for each in watch)}")
    return Verdict("node", Level.GOOD, "well")


def _sensors(status: NodeStatus, _now_ms: int) -> list[Verdict]:
    found = []
    for sensor in status.sensors:
        if sensor.ok:
            values = "  ".join(f"{name} {value}" for name, value in sensor.values.items()) or "answers"
            found.append(Verdict(f"sensor {sensor.name}", Level.GOOD, values))
        else:
            remedy = "check power, ground and data lines; is it the sensor in the settings?"
            found.append(Verdict(f"sensor {sensor.name}", Level.BAD, sensor.error or "does not answer", remedy))
    return found


def _clock(status: NodeStatus, now_ms: int) -> list[Verdict]:
    if status.clock == "unknown":
        text, remedy = (
            "never set: readings carry no sure time",
            "let UDP 123 through, or let it ask its gateway",
        )
        return [Verdict("clock", Level.BAD, text, remedy)]
    off_ms = 0 if status.time_ms is None else status.time_ms - now_ms
    if abs(off_ms) > CLOCK_OFF_MS:
        return [
            Verdict(
                "clock", Level.WATCH, f"{off_ms / 1000:+.0f} s off this computer's", "compare both with a phone"
            )
        ]
    if status.clock == "estimated":
        return [
            Verdict("clock", Level.WATCH, "estimated: no time server has confirmed it", "let UDP 123 through")
        ]
    return [Verdict("clock", Level.GOOD, "synced")]


def _link(status: NodeStatus, _now_ms: int) -> list[Verdict]:
    if status.net and status.net != "up":
        return [Verdict("network", Level.BAD, status.net, "name, password and signal of the Wi-Fi")]
    found = []
    if status.rssi_dbm is not None:
        text, weak = f"{status.rssi_dbm} dBm, {signal(status.rssi_dbm)}", status.rssi_dbm < -80
        remedy = "move the antenna out of metal, or the access point nearer" if weak else ""
        found.append(Verdict("network", Level.WATCH if weak else Level.GOOD, text, remedy))
    if status.broker and status.broker != "up":
        found.append(Verdict("broker", Level.BAD, status.broker, "see the node's last errors below"))
    elif status.broker:
        found.append(Verdict("broker", Level.GOOD, "connected"))
    return found


def _delivery(status: NodeStatus, now_ms: int) -> list[Verdict]:
    found = []
    if status.produced is not None and status.acknowledged is not None:
        text = f"{status.produced:,} taken, {status.acknowledged:,} acknowledged, {status.held or 0:,} waiting"
        late = status.last_ack_ms is not None and now_ms - status.last_ack_ms > ACK_LATE_MS
        none = status.acknowledged == 0 and status.produced > 3
        remedy = "is the gateway running, and does it know this node?" if late or none else ""
        if late and status.last_ack_ms is not None:
            text += f"; the last acknowledgement is {_ago(now_ms - status.last_ack_ms)} old"
        found.append(Verdict("delivery", Level.BAD if late or none else Level.GOOD, text, remedy))
    if status.dropped:
        text = f"{status.dropped:,} readings were dropped: there was no room any more"
        found.append(Verdict("losses", Level.WATCH, text, "the link was down for long; see cityneuron ledger"))
    return found


def _memory(status: NodeStatus, _now_ms: int) -> list[Verdict]:
    found = []
    for about, free, little, remedy in (
        (
            "memory",
            status.heap_free,
            LITTLE_HEAP_BYTES,
            "reboot it; if it comes back, report it with the version",
        ),
        ("flash", status.flash_free, LITTLE_FLASH_BYTES, "readings wait there: see delivery"),
    ):
        if free is not None:
            short = free < little
            text = f"{free / 1024:,.0f} KB free"
            found.append(Verdict(about, Level.WATCH if short else Level.GOOD, text, remedy if short else ""))
    return found


def _power(status: NodeStatus, _now_ms: int) -> list[Verdict]:
    if not status.battery_mv:
        return []
    low, text = status.battery_mv < LOW_BATTERY_MV, f"{status.battery_mv / 1000:.2f} V"
    if not low and status.battery_mv < LOW_LI_ION_MV:
        text += ": well for LiFePO4, low for Li-ion"
    remedy = "change or charge it; look at the solar panel" if low else ""
    return [Verdict("battery", Level.WATCH if low else Level.GOOD, text, remedy)]


def _firmware(status: NodeStatus, _now_ms: int) -> list[Verdict]:
    found = []
    trial = status.trial and status.trial.lower() not in ("0", "false", "none")
    if status.version:
        up = f", up for {_ago(status.uptime_s * 1000)}" if status.uptime_s is not None else ""
        text = f"{status.version}{' on trial' if trial else ''}{up}"
        remedy = "it settles with its first acknowledged reading, or goes back by itself" if trial else ""
        found.append(Verdict("firmware", Level.WATCH if trial else Level.GOOD, text, remedy))
    return found


def _errors(status: NodeStatus, _now_ms: int) -> list[Verdict]:
    found: dict[str, Verdict] = {}
    told = status.time_ms is not None and status.uptime_s is not None
    began_ms = (status.time_ms or 0) - (status.uptime_s or 0) * 1000 if told else None
    for fault in status.errors:
        past = fault.time_ms is not None and began_ms is not None and fault.time_ms < began_ms
        past = past and (
            status.broker == "up" or fault.stage != status.stage
        )  # the same again is not kept anew
        level, remedy = (Level.PAST, "") if past else (Level.WATCH, fault.remedy)
        found.setdefault(fault.text, Verdict(fault.stage or "error", level, fault.text, remedy))
    return list(found.values())[:5]


def _ago(ms: int) -> str:
    for size_ms, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if ms >= size_ms:
            return f"{ms / size_ms:.0f} {unit}"
    return f"{max(0, ms) / 1000:.0f} s"
