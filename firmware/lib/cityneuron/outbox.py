"""Custody of the node: readings stay until the gateway has them on its disk, and longer while there is room.

A ring in RAM, allocated once. A reading gets its number after it is stored. Room is taken back only when it is
needed, oldest first: what was acknowledged can still be asked for again, what was not is counted as dropped.
A store on flash offers the same methods; it will hold readings of earlier boots, so a `Run` names its boot.
"""

from array import array

from micropython import const

from cityneuron.clock import UNKNOWN

_MISSING = -0x80000000
_LARGEST = 0x7FFFFFFF
_MOST_RANGES = const(16)


class Run:
    """Consecutive readings of one boot and one clock state: what fits one pack."""

    def __init__(self):
        self.boot = 0
        self.seq0 = 0
        self.rows = 0
        self.t0_ms = 0
        self.clock = 0
        self.replay = False  # taken or tried before this connection: backlog
        self.again = False  # the gateway asked for it


class Outbox:
    """The ring. Numbers: oldest <= acked <= sent <= next_seq; [oldest, next_seq) can be sent (again)."""

    def __init__(self, boot, columns, capacity_rows):
        self.boot = boot
        self.columns = columns
        self.capacity_rows = capacity_rows
        self._t_ms = array("q", bytes(8 * capacity_rows))
        self._clock = bytearray(capacity_rows)
        self._values = array("i", bytes(4 * capacity_rows * columns))
        self._run = Run()
        self._again = []
        self._fresh_from = 0
        self.next_seq = 0
        self.acked = 0
        self.acknowledged = 0
        self.sent = 0
        self.dropped = 0  # given up unacknowledged; the gateway may have some of them all the same
        self.unfit = 0
        self.asked_for_gone = False

    @property
    def oldest(self):
        return max(0, self.next_seq - self.capacity_rows)

    @property
    def produced(self):
        return self.next_seq

    @property
    def held(self):
        """Readings that are here and not acknowledged: produced = acknowledged + held + dropped, always."""
        return self.next_seq - max(self.acked, self.oldest)

    @property
    def under_way(self):
        """Readings that were sent and are not acknowledged."""
        return max(0, self.sent - max(self.acked, self.oldest))

    def append(self, t_ms, clock, values):
        """Store a reading and return the number it got."""
        if self.next_seq - self.capacity_rows >= self.acked:
            self.dropped += 1
        slot = self.next_seq % self.capacity_rows
        self._t_ms[slot] = t_ms
        self._clock[slot] = clock
        at = slot * self.columns
        for index in range(self.columns):
            self._values[at + index] = self._stored(values[index])
        self.next_seq += 1
        return self.next_seq - 1

    def acknowledge(self, boot, upto, again):
        """Note what the gateway has and what it asks for again. Returns False for another boot's."""
        if boot != self.boot:
            return False
        upto = min(upto, self.next_seq)
        if upto > self.acked:
            self.acknowledged += max(0, upto - max(self.acked, self.oldest))
            self.acked = upto
            self.sent = max(self.sent, upto)
        for first, last in again[:_MOST_RANGES]:
            if first < self.oldest:
                self.asked_for_gone = True  # the next birth tells what is left
            first, end = max(first, self.oldest), min(last + 1, self.sent)
            if first < end and len(self._again) < _MOST_RANGES and [first, end] not in self._again:
                self._again.append([first, end])
        return True

    def rewind(self):
        """Send again all that is not acknowledged: the link broke, or no acknowledgement came."""
        self.sent = self.acked
        self._fresh_from = self.next_seq
        self._again.clear()

    def redate(self, delta_ms, clock):
        """Shift the readings taken before the clock was set; they now carry the state `clock`."""
        for seq in range(self.oldest, self.next_seq):
            slot = seq % self.capacity_rows
            if self._clock[slot] == UNKNOWN:
                self._t_ms[slot] += delta_ms
                self._clock[slot] = clock

    def next_run(self, most_rows, window_rows):
        """Return the next Run to send, or None: what was asked for again, then what was not sent.

        At most `window_rows` are under way unacknowledged; what was asked for always goes: it opens the window.
        """
        while self._again:
            first, end = max(self._again[0][0], self.oldest), self._again[0][1]
            if first < end:
                return self._take(first, min(end, first + most_rows), True, True)
            self._again.pop(0)
        first = max(self.sent, self.oldest)
        room = window_rows - self.under_way
        if first == self.next_seq or room <= 0:
            return None
        replay = first < self._fresh_from
        end = min(self._fresh_from, self.next_seq) if replay else self.next_seq
        return self._take(first, min(end, first + min(most_rows, room)), replay, False)

    def row_into(self, seq, row):
        """Fill the list `row` with the values of reading `seq`; return its time."""
        slot = seq % self.capacity_rows
        at = slot * self.columns
        for index in range(self.columns):
            value = self._values[at + index]
            row[index] = None if value == _MISSING else value
        return self._t_ms[slot]

    def mark_sent(self, run):
        """Note that the broker has a run (which proves nothing yet: only acknowledge() does)."""
        end = run.seq0 + run.rows
        if not run.again:
            self.sent = max(self.sent, end)
        elif self._again and self._again[0][0] <= run.seq0 < self._again[0][1]:
            self._again[0][0] = end

    def _take(self, first, end, replay, again):
        run, slot = self._run, first % self.capacity_rows
        run.boot, run.seq0, run.replay, run.again = self.boot, first, replay, again
        run.t0_ms, run.clock = self._t_ms[slot], self._clock[slot]
        rows = 1
        while first + rows < end and self._clock[(first + rows) % self.capacity_rows] == run.clock:
            rows += 1
        run.rows = rows
        return run

    def _stored(self, value):
        if value is None:
            return _MISSING
        if _MISSING < value <= _LARGEST:
            return value
        self.unfit += 1
        return _MISSING
