"""The newest readings in RAM, as records that can go to flash as they stand. Allocated once."""

from struct import pack_into, unpack_from

from micropython import const

from cityneuron import segments as flash

_MISSING = const(-0x80000000)
_LARGEST = const(0x7FFFFFFF)


class Ring:
    """Holds the last `capacity` readings of one boot by their numbers."""

    def __init__(self, columns, capacity):
        self.columns = columns
        self.capacity = capacity
        self.size = flash.record_bytes(columns)
        self.layout = flash.layout(columns)
        self.buffer = memoryview(bytearray(self.size * capacity))
        self._stored = [0] * columns
        self.unfit = 0  # values that fit no 32 bits: they are missing

    def at(self, seq):
        """Return where in `buffer` a reading stands."""
        return seq % self.capacity * self.size

    def put(self, seq, t_ms, clock, values):
        """Store a reading over the one that is `capacity` older."""
        for index in range(self.columns):
            self._stored[index] = self._storable(values[index])
        at = self.at(seq)
        pack_into(self.layout, self.buffer, at, t_ms, clock, *self._stored)
        flash.seal(self.buffer[at : at + self.size], seq)

    def pieces(self, first, rows):
        """Yield the records [first, first + rows) as they stand: one piece, or two around the ring's end."""
        at = self.at(first)
        end = at + rows * self.size
        yield self.buffer[at : min(end, len(self.buffer))]
        if end > len(self.buffer):
            yield self.buffer[: end - len(self.buffer)]

    def _storable(self, value):
        if value is None:
            return _MISSING
        if _MISSING < value <= _LARGEST:
            return value
        self.unfit += 1
        return _MISSING


def row_from(layout, buffer, at, row):
    """Fill the list `row` with the values of a record; return its (time, clock)."""
    fields = unpack_from(layout, buffer, at)
    for index in range(len(row)):
        value = fields[2 + index]
        row[index] = None if value == _MISSING else value
    return fields[0], fields[1]
