"""One foreign device's place among the nodes: what it reports becomes births and packs, as if it were one.

So a foreign reading takes the way of all readings: numbered, claimed in the ledger, checked, judged, stored.
Columns are those quantities that the device has reported so far. Pure; `state` goes to disk with the readings.
"""

from __future__ import annotations

import json
from binascii import crc32
from dataclasses import astuple, dataclass
from typing import Any

from edge.adapters.report import Report, Value
from edge.model.quality import Clock, Flag
from edge.model.quantities import QUANTITIES
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import MAX_COLUMNS, MAX_SEQ, MAX_VALUE, Birth, Column, Pack, encode_birth, encode_pack
from gateway.sources.config import Device
from gateway.sources.numbering import BOOT, LATE_BOOT, Numbering

Message = tuple[str, bytes]
PART_BOOTS = 10
"""How far apart the boots of a report's parts are: part 1 has boot 1, and 2 for what came late."""
MOST_SESSIONS = 8
GOOD = (Flag.PASS, Flag.NOT_EVALUATED)


@dataclass(slots=True)
class Session:
    """Readings that a device numbers itself: their boot, the number that is 0 there, and their gaps.

    `top` is one past the highest number heard; what is missing below `floor` does not come any more. `idle` of
    them were reports without a value that a table translates: they are no readings, and leave no gap.
    """

    boot: int
    base: int
    floor: int = 0
    top: int = 0
    idle: int = 0

    def place(self, number: int) -> int:
        """Return the number of a reading here; below 0 it is from before the device was first heard."""
        seq = (number & MAX_SEQ) - self.base
        return seq if seq < 0 else max(0, seq - self.idle)


class Seat:
    """A device of a source. `unknown` are its words that no table translates."""

    def __init__(
        self, device: Device, hardware: str, *, state: bytes = b"", can_be_asked: bool = False
    ) -> None:
        kept = json.loads(state) if state else {}
        self.device = device
        self.unknown: set[str] = set()
        self._hardware = hardware
        self._period_ms = round(device.period_s * 1000)
        self._can_be_asked = can_be_asked
        self._quantities: list[str] = [name for name in kept.get("columns", []) if name in QUANTITIES]
        self._parts = {
            int(part): Numbering(self._pace_ms(int(part)), state)
            for part, state in kept.get("numbers", {}).items()
        }
        self._sessions = {name: Session(*session) for name, session in kept.get("sessions", {}).items()}
        self._floor = int(kept.get("floor", 0))
        self._told: tuple[int, ...] = ()  # what the last birth said

    @property
    def state(self) -> bytes:
        """What must be known after a restart."""
        kept = {
            "columns": self._quantities,
            "numbers": {part: str(numbering) for part, numbering in self._parts.items()},
            "sessions": {name: astuple(session) for name, session in self._sessions.items()},
            "floor": self._floor,
        }
        return json.dumps(kept, separators=(",", ":")).encode()

    def messages(self, report: Report, now_ms: int) -> list[Message]:
        """Return what a node would have sent: a birth where one is due, then the reading, if there is one."""
        row = self._row(report)
        if row is None:
            self._idle(report)
            return []
        t_ms = now_ms if report.time_ms is None else report.time_ms
        boot, seq = self._number(report, t_ms)
        pack = Pack(self._schema, boot, seq, t_ms, Clock.SYNCED, [row])
        birth = self._birth(next((each for each in self._sessions.values() if each.boot == boot), None))
        return [*birth, (topic(self.device.node, Leaf.DATA), encode_pack(pack))]

    def wanted(self, boot: int, first: int, end: int) -> list[tuple[int, int]]:
        """Return the spans of time, [from, to) in ms, in which readings that are missing here were due."""
        part, rest = divmod(boot - BOOT, PART_BOOTS)
        return self._parts[part].times(first, end) if part in self._parts and not rest else []

    def give_up(self, below: int) -> list[Message]:
        """Return what says that readings numbered below this do not come any more."""
        self._floor = max(self._floor, below)
        return self._birth()

    @property
    def _schema(self) -> int:
        return crc32(" ".join(self._quantities).encode()) & 0xFFFF

    def _number(self, report: Report, t_ms: int) -> tuple[int, int]:
        if report.number is None:
            return self._number_by_time(int(report.series.partition("/")[2] or 1) - 1, t_ms)
        session = self._session(str(report.session), report.number)
        seq = session.place(report.number)
        if seq < 0:
            return self._number_by_time(0, t_ms)
        if seq > session.top and not self._can_be_asked:
            session.floor = seq  # nobody can be asked for what lies between
        session.top = max(session.top, seq + 1)
        return session.boot, seq

    def _idle(self, report: Report) -> None:
        """Take no notice of a report without a value, but of its number."""
        if report.number is not None:
            session = self._session(str(report.session), report.number)
            session.idle += session.place(report.number) >= session.top

    def _session(self, name: str, number: int) -> Session:
        """Return what is known of a session; the first one began long before the gateway heard of it."""
        known = self._sessions
        if name not in known:
            boot = max((session.boot for session in known.values()), default=LATE_BOOT) + 1
            known[name] = Session(boot, 0 if known else number & MAX_SEQ)
            while len(known) > MOST_SESSIONS:
                del known[min(known, key=lambda each: known[each].boot)]
        return known[name]

    def _pace_ms(self, part: int) -> int:
        """Return the period by which gaps are seen; parts have none where nobody can be asked to fill them.

        A birth says for one boot alone from where on readings may still come.
        """
        return 0 if part and not self._can_be_asked else self._period_ms

    def _number_by_time(self, part: int, t_ms: int) -> tuple[int, int]:
        """Number a reading, or one part of it: each part of a report has boots of its own."""
        numbering = self._parts.setdefault(part, Numbering(self._pace_ms(part)))
        before = numbering.next_seq
        boot, seq = numbering.take(t_ms)
        if not part and boot == BOOT and not self._can_be_asked and seq > before:
            self._floor = seq  # nobody can be asked for what lies between
        return boot + part * PART_BOOTS, seq

    def _row(self, report: Report) -> list[Any] | None:
        """Return the row of a report under the columns, which grow with what it says; None without a value."""
        found: dict[str, Value] = {}
        for value in report.values:
            word = self.device.words.get(value.key)
            if word is None:
                self.unknown.add(value.key)
            elif word.quantity not in found or value.key in self.device.own:
                number = None if value.number is None else value.number * word.factor + word.offset
                found[word.quantity] = value._replace(number=number)
        if not found:
            return None
        for name in found:
            if name not in self._quantities and len(self._quantities) < MAX_COLUMNS:
                self._quantities.append(name)
        return [0, *(_cell(found.get(name), QUANTITIES[name].decimals) for name in self._quantities)]

    def _birth(self, session: Session | None = None) -> list[Message]:
        """Return the birth of a session, or of all that is numbered by time, unless it was the last one."""
        part = max(self._parts, default=0)
        boot, oldest = LATE_BOOT + part * PART_BOOTS, (BOOT, self._floor)
        if session is not None:
            boot, oldest = session.boot, (session.boot, session.floor)
        told = (boot, self._schema, *oldest)
        if told == self._told:
            return []
        self._told = told
        columns = tuple(Column(name, QUANTITIES[name].decimals) for name in self._quantities)
        birth = Birth(
            node=self.device.node, kind=self.device.kind, firmware="foreign", hardware=self._hardware,
            boot=boot, schema=self._schema, columns=columns, period_s=self.device.period_s or 3600.0,
            oldest=oldest, next_seq=0, clock=Clock.SYNCED,
        )  # fmt: skip
        return [(topic(self.device.node, Leaf.BIRTH), encode_birth(birth))]


def _cell(value: Value | None, decimals: int) -> Any:
    """Return a value as a pack has it: an integer, None, or [integer, flag] where the device doubts it."""
    if value is None or value.number is None or value.flag is Flag.MISSING:
        return None
    scaled = value.number * 10**decimals
    if not -MAX_VALUE < scaled < MAX_VALUE:  # also what is no number
        return None
    return round(scaled) if value.flag in GOOD else [round(scaled), int(value.flag)]
