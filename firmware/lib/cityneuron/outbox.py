"""Custody of the node: readings stay until the gateway has them on its disk, and longer while there is room.

A ring in RAM, allocated once, and segments on flash that outlive the boot. A reading gets its number after it
is stored. Room is taken back only when it is needed, oldest first: what was acknowledged can still be asked for
again, also after a restart; what was not is counted as dropped.

    append -> ring in RAM -> write() -> segments on flash
Without segments (`outbox_kb` 0) the ring is all.
"""

from struct import unpack_from

from micropython import const

from cityneuron import segments as flash
from cityneuron.clock import ESTIMATED, UNKNOWN
from cityneuron.marks import Marks
from cityneuron.ring import Ring, row_from

_MOST_RANGES = const(16)
_NO_SPACE = const(28)  # ENOSPC
_LARGEST_SEQ = const(0xFFFFFFFF)
_BEYOND_ALL = const(1 << 33)


class Run:
    """Consecutive readings of one boot and one clock state: what fits one pack."""

    def __init__(self):
        self.boot = self.seq0 = self.rows = 0
        self.t0_ms = self.clock = 0
        self.schema = self.columns = 0
        self.replay = False  # taken or tried before this connection: backlog
        self.again = False  # the gateway asked for it
        self._segment = None  # of an earlier boot: where it stands


class Outbox:
    """The readings of this boot, numbered oldest <= acked <= sent <= next_seq, and those of earlier boots.

    `first_seq` is the number of the next reading where a boot goes on after a deep sleep. `marks` keeps what
    is known of the readings across restarts.
    """

    def __init__(self, boot, columns, capacity_rows, schema=1, segments=None, marks=None, first_seq=0, told=0):
        self.boot, self.columns, self.schema = boot, columns, schema
        self.capacity_rows = capacity_rows
        self.segments = segments
        self.marks = marks or Marks()
        self.ring = Ring(columns, capacity_rows)  # it counts values that do not fit
        self._run = Run()
        self._again = []  # [boot, first, end]
        self._floor = (0, 0)  # before it nothing is told to be here
        self._fresh_from = self._first_seq = self.next_seq = first_seq
        self._in_ram_from = first_seq  # readings before it are on flash, or gone
        self._unsettled = segments.first if segments else 0  # segments before it are acknowledged
        self.told = told  # readings of this boot before it may have arrived: their time stays as it is
        self.acked = self.sent = 0
        self.acknowledged = self.dropped = self.held = 0
        self.write_failures = 0
        self.asked_for_gone = self._writing = False
        self._take_over()
        self._carried = self.held

    @property
    def oldest(self):
        """(boot, seq) of the oldest reading that can still be sent, or of the next one when there is none."""
        found = self.boot, self._in_ram_from
        if self.segments is not None:
            for number in range(self.segments.first, self.segments.end):
                if self.segments.rows(number):
                    found = self.segments.boot(number), self.segments.seq0(number)
                    break
        return max(found, self._floor)

    @property
    def produced(self):
        """Readings of this run and those that earlier ones left: acknowledged + held + dropped, always."""
        return self._carried + self.next_seq - self._first_seq

    @property
    def unwritten(self):
        """Readings that a power cut would take."""
        return self.next_seq - self._in_ram_from

    @property
    def exposed(self):
        """The first reading that is in RAM alone, neither on flash nor acknowledged, or None."""
        first = max(self.acked, self._in_ram_from)
        return first if first < self.next_seq else None

    @property
    def under_way(self):
        """Readings that were sent and are not acknowledged."""
        count = max(0, self.sent - max(self.acked, self._own_from(self.acked)))
        for number in self._older():
            count += self.segments.sent(number) - self.segments.acked(number)
        return count

    def append(self, t_ms, clock, values):
        """Store a reading and return the number it got."""
        seq = self.next_seq
        if seq - self.capacity_rows >= self._in_ram_from:  # it was not written, and now it is written over
            if seq - self.capacity_rows >= self.acked:
                self.dropped += 1
                self.held -= 1
            self._in_ram_from = seq - self.capacity_rows + 1
        self.ring.put(seq, t_ms, clock, values)
        self.next_seq += 1
        self.held += 1
        if self.segments is not None and 2 * self.unwritten > self.capacity_rows:
            try:
                self.write()
            except OSError:
                self.write_failures += 1  # the next regular write says what is wrong
        return seq

    def write(self):
        """Bring to flash what is only in RAM, and what was acknowledged. Raises OSError."""
        if self.segments is None or self._writing:
            return
        self._writing = True  # a warning of the supply may come in the middle of it
        try:
            while self._in_ram_from < self.next_seq:
                self._write_some()
            self.marks.keep_position(*self._position())
        finally:
            self._writing = False

    def acknowledge(self, boot, upto, again):
        """Note what the gateway has and what it asks for again. Returns False for a boot that is not here."""
        if not self.oldest[0] <= boot <= self.boot:
            return False
        fresh = self._acknowledge_own(upto) if boot == self.boot else self._acknowledge_older(boot, upto)
        self.acknowledged += fresh
        self.held -= fresh
        for first, last in again[:_MOST_RANGES]:
            self._ask(boot, first, last + 1)
        return True

    def rewind(self):
        """Send again all that is not acknowledged: the link broke, or no acknowledgement came."""
        self.sent = self.acked
        self._fresh_from = self.next_seq
        self._again.clear()
        for number in self._older():
            self.segments.set_sent(number, self.segments.acked(number))

    def redate(self, delta_ms):
        """The clock was set for the first time: readings taken before are dated by it, unless they were told.

        Raises OSError; it holds for this run all the same.
        """
        self.marks.forget_before(self.oldest[0])
        if self.told < self.next_seq:
            self.marks.add_date(self.boot, self.told, delta_ms)

    def next_run(self, most_rows, window_rows):
        """Return the next Run to send, or None: what was asked for again, then what was not sent.

        Earlier boots go first. At most `window_rows` are under way unacknowledged; what was asked for always
        goes: it opens the window.
        """
        while self._again:
            boot, first, end = self._again[0]
            first = self._again[0][1] = self._here_from(boot, first)
            if first >= end:
                self._again.pop(0)
                continue
            run = self.taken(boot, first, min(end, first + most_rows), True, True)
            if run is not None:
                return run
        room = min(most_rows, window_rows - self.under_way)
        if room <= 0:
            return None
        for number in self._older():
            while self.segments.sent(number) < self.segments.rows(number):
                first = self.segments.seq0(number) + self.segments.sent(number)
                run = self.taken(self.segments.boot(number), first, first + room, True, False)
                if run is not None:
                    return run
        return self._next_own(room)

    def row_into(self, seq, row):
        """Fill the list `row` with the values of a reading of this boot, or of the run; return its time."""
        run, boot = self._run, self.boot
        if run._segment is None:
            t_ms, clock = row_from(self.ring.layout, self.ring.buffer, self.ring.at(seq), row)
        else:
            boot, at = run.boot, (seq - run.seq0) * flash.record_bytes(run.columns)
            t_ms, clock = row_from(flash.layout(run.columns), self.segments.page, at, row)
        return t_ms if clock != UNKNOWN else t_ms + self.marks.delta_ms(boot, seq)

    def mark_sent(self, run):
        """Note that the broker has a run (which proves nothing yet: only acknowledge() does)."""
        end = run.seq0 + run.rows
        if run.boot == self.boot:
            self.told = max(self.told, end)
        if run.again:
            asked = self._again[0] if self._again else None
            if asked and asked[0] == run.boot and asked[1] <= run.seq0 < asked[2]:
                asked[1] = end
        else:
            self._pass(run.boot, end)

    @property
    def _ring_from(self):
        return max(self._first_seq, self.next_seq - self.capacity_rows)

    def _older(self):
        """Return the numbers of the segments of earlier boots that may hold what is not acknowledged."""
        kept = self.segments
        if kept is None:
            return range(0)
        at = max(self._unsettled, kept.first)
        while at < kept.end and kept.boot(at) != self.boot and kept.acked(at) >= kept.rows(at):
            at += 1
        self._unsettled = end = at
        while end < kept.end and kept.boot(end) != self.boot:
            end += 1
        return range(at, end)

    def _take_over(self):
        """Count what earlier boots left, as far as the marks tell what of it was acknowledged."""
        kept = self.segments
        if kept is None:
            return
        boot, upto = self.marks.position
        if boot == self.boot:
            self.acked = self.sent = min(upto, self.next_seq)
        for number in range(kept.first, kept.end):
            settled = upto - kept.seq0(number) if kept.boot(number) == boot else 0
            if kept.boot(number) < boot:
                settled = kept.rows(number)
            settled = min(max(0, settled), kept.rows(number))
            kept.set_acked(number, settled)
            self.held += kept.rows(number) - settled

    def _own_from(self, seq):
        """Return the first number at or after `seq` whose reading of this boot is still here."""
        if seq < self._in_ram_from and self.segments is not None:
            number = self.segments.find(self.boot, seq)
            if number is not None:
                return max(seq, self.segments.seq0(number))
        return max(seq, self._in_ram_from)

    def _present(self, first, end):
        """Return how many readings of this boot in [first, end) are here."""
        count = max(0, end - max(first, self._in_ram_from))
        kept = self.segments
        if kept is not None:
            for number in range(kept.end - 1, kept.first - 1, -1):
                if kept.boot(number) != self.boot or kept.seq0(number) + kept.rows(number) <= first:
                    break
                low = max(first, kept.seq0(number))
                count += max(0, min(end, kept.seq0(number) + kept.rows(number)) - low)
        return count

    def _position(self):
        """Return (boot, upto): all readings before it are acknowledged, or gone."""
        for number in self._older():
            return self.segments.boot(number), self.segments.seq0(number) + self.segments.acked(number)
        return self.boot, self.acked

    # Writing.

    def _write_some(self):
        kept, first = self.segments, self._in_ram_from
        room, begins = kept.room(self.boot, first, self.schema, self.columns)
        while begins and kept.full():
            self._drop_oldest()
        rows = min(room, self.next_seq - first)
        try:
            kept.append(self.boot, first, self.schema, self.columns, self.ring.pieces(first, rows), rows)
        except OSError as error:
            if error.errno != _NO_SPACE or kept.end - kept.first < 2:
                raise
            self._drop_oldest()
        else:
            self._in_ram_from = first + rows

    def _drop_oldest(self):
        kept, number = self.segments, self.segments.first
        settled = kept.acked(number)
        if kept.boot(number) == self.boot:
            settled = min(max(0, self.acked - kept.seq0(number)), kept.rows(number))
        lost = kept.rows(number) - settled
        kept.drop_oldest()
        self.dropped += lost
        self.held -= lost

    # Acknowledgements.

    def _acknowledge_own(self, upto):
        upto = min(upto, self.next_seq)
        if upto <= self.acked:
            return 0
        fresh = self._present(self.acked, upto)
        self.acked = upto
        self.sent = max(self.sent, upto)
        return fresh

    def _acknowledge_older(self, boot, upto):
        kept, fresh = self.segments, 0
        for number in self._older():
            if kept.boot(number) == boot:
                settled = min(max(kept.acked(number), upto - kept.seq0(number)), kept.rows(number))
                fresh += settled - kept.acked(number)
                kept.set_acked(number, settled)
        return fresh

    def _ask(self, boot, first, end):
        """Note a range that the gateway asks for again; what is gone of it is told by the next birth."""
        here = self._here_from(boot, first)
        if boot == self.boot:
            end = min(end, self.sent)
        if first < min(here, end):
            self._miss(boot, first, min(here, end, _LARGEST_SEQ))
        first = max(first, here)
        if first < end and len(self._again) < _MOST_RANGES and [boot, first, end] not in self._again:
            self._again.append([boot, first, end])

    def _miss(self, boot, first, end):
        self.asked_for_gone = True
        if (boot, first) <= max(self._position(), self._floor):  # nothing before it is still to come
            self._floor = max(self._floor, (boot, end))

    def _here_from(self, boot, seq):
        """Return the first number at or after `seq` whose reading of a boot is here, or one beyond all."""
        if boot == self.boot:
            return self._own_from(seq)
        number = self.segments.find(boot, seq)
        return max(seq, self.segments.seq0(number)) if number is not None else _BEYOND_ALL

    def _next_own(self, room):
        first = self._own_from(self.sent)
        while first < self.next_seq:
            replay = first < self._fresh_from
            end = min(self._fresh_from, self.next_seq) if replay else self.next_seq
            run = self.taken(self.boot, first, min(end, first + room), replay, False)
            if run is not None:
                return run
            first = self._own_from(max(first + 1, self.sent))
        return None

    def taken(self, boot, first, end, replay, again):
        """Return the Run that begins at `first`, or None when that reading is damaged: it is passed over."""
        run = self._run
        run.boot, run.seq0, run.replay, run.again, run._segment = boot, first, replay, again, None
        if boot == self.boot and first >= self._ring_from:
            run.schema, run.columns, rows = self.schema, self.columns, end - first
        else:
            rows = self._paged(boot, first, end)
        if not rows:
            if again:
                self._again[0][1] = first + 1
                self._miss(boot, first, first + 1)  # else it is waited for, and what follows is held up
            else:
                self._pass(boot, first + 1)
            return None
        self._same_clock(run, rows)
        return run

    def _paged(self, boot, first, end):
        """Bring readings from flash into the page; return how many."""
        run, kept = self._run, self.segments
        number = kept.find(boot, first) if kept is not None else None
        if number is None or kept.seq0(number) > first:
            return 0
        run._segment, run.schema, run.columns = number, kept.schema(number), kept.columns(number)
        return kept.read(number, first - kept.seq0(number), end - first)

    def _same_clock(self, run, rows):
        """Let the run end where the clock's state changes."""
        paged, size = run._segment is not None, flash.record_bytes(run.columns)
        buffer = self.segments.page if paged else self.ring.buffer
        run.rows = 0
        for seq in range(run.seq0, run.seq0 + rows):
            at = (seq - run.seq0) * size if paged else self.ring.at(seq)
            clock, delta_ms = buffer[at + 8], 0
            if clock == UNKNOWN:
                delta_ms = self.marks.delta_ms(run.boot, seq)
                clock = ESTIMATED if delta_ms else UNKNOWN
            if not run.rows:
                run.t0_ms, run.clock = unpack_from("<q", buffer, at)[0] + delta_ms, clock
            elif clock != run.clock:
                break
            run.rows += 1

    def _pass(self, boot, end):
        """Readings of a boot before `end` need not be sent (again) on this connection."""
        if boot == self.boot:
            self.sent = max(self.sent, end)
            return
        kept = self.segments
        number = kept.find(boot, end - 1)
        if number is not None and kept.seq0(number) < end:
            kept.set_sent(number, max(kept.sent(number), end - kept.seq0(number)))
