"""Readings on flash: files of one block each, written at their end and removed whole, oldest first.

    segment   header, reading, reading, ...        little endian, in a file of at most one flash block
    header    "CNS1", boot u64, number of the first reading u32, schema u32, columns u32, crc32 of these
    reading   time i64, clock u8, one i32 a column, crc32 of these begun with the reading's number

LittleFS makes each write of a file whole or none; the checksums find what a flash cell forgot, and what another
file system tore. The index in RAM is allocated once.
"""

from array import array
from binascii import crc32
from struct import pack, pack_into, unpack_from

from micropython import const

from cityneuron.files import remove
from cityneuron.seldom import borrow

BLOCK_BYTES = const(4096)
_MOST_INLINE = const(16)
_INLINE_BYTES = const(128)  # LittleFS keeps a file up to this size beside its name: it costs no block
_HEAD = const("<4sQIII")
_HEAD_BYTES = const(24)
_MAGIC = const(b"CNS1")
_MOST_COLUMNS = const(64)


def record_bytes(columns):
    """Return the size of a reading, in RAM as on flash."""
    return 13 + 4 * columns


def layout(columns):
    """Return the struct layout of a reading without its checksum."""
    return "<qB%di" % columns


def seal(record, number):
    """Write the checksum of reading `number` behind its fields. `record` is a memoryview."""
    end = len(record) - 4
    pack_into("<I", record, end, crc32(record[:end], number))


def intact(record, number):
    """Whether a record is what was written as reading `number`."""
    end = len(record) - 4
    return unpack_from("<I", record, end)[0] == crc32(record[:end], number)


def head_of(raw):
    """Return (boot, number of the first reading, schema, columns) of a header; None when it is damaged."""
    magic, boot, seq0, schema, columns = unpack_from(_HEAD, raw)
    is_right = magic == _MAGIC and unpack_from("<I", raw, _HEAD_BYTES)[0] == crc32(raw[:_HEAD_BYTES])
    return (boot, seq0, schema, columns) if is_right and 1 <= columns <= _MOST_COLUMNS else None


class Segments:
    """The segments [first, end) of a folder. Raises OSError when the flash does not do what it should."""

    def __init__(self, folder, most_kb, page_bytes, log):
        self._folder = folder
        self._log = log
        self._most_blocks = max(2, most_kb * 1024 // BLOCK_BYTES)
        self._most = self._most_blocks + _MOST_INLINE
        self.page = memoryview(bytearray(max(page_bytes, record_bytes(_MOST_COLUMNS))))
        self._boot = array("Q", bytes(8 * self._most))
        self._seq0, self._schema = (array("I", bytes(4 * self._most)) for _ in range(2))
        self._rows, self._acked, self._sent = (array("H", bytes(2 * self._most)) for _ in range(3))
        self._columns = bytearray(self._most)
        self._head = memoryview(bytearray(_HEAD_BYTES + 4))
        self.first = self.end = 0
        self._blocks = 0
        self._open = False  # whether the last segment may be written on
        self._damaged = 0  # readings and segments whose checksum was wrong
        self._take_over()

    def boot(self, number):
        return self._boot[number % self._most]

    def seq0(self, number):
        return self._seq0[number % self._most]

    def rows(self, number):
        return self._rows[number % self._most]

    def schema(self, number):
        return self._schema[number % self._most]

    def columns(self, number):
        return self._columns[number % self._most]

    def acked(self, number):
        return self._acked[number % self._most]

    def sent(self, number):
        return self._sent[number % self._most]

    def set_acked(self, number, rows):
        """Note how many readings of a segment, from its first on, the gateway has."""
        at = number % self._most
        self._acked[at] = rows
        self._sent[at] = max(self._sent[at], rows)

    def set_sent(self, number, rows):
        self._sent[number % self._most] = rows

    def find(self, boot, seq):
        """Return the segment of a boot with reading `seq`, else the first with later ones, else None."""
        found = None
        for number in range(self.end - 1, self.first - 1, -1):
            at = number % self._most
            if self._boot[at] == boot and self._rows[at]:
                if self._seq0[at] + self._rows[at] <= seq:
                    break
                found = number
            elif found is not None and self._rows[at]:
                break
        return found

    def next_seq(self, boot):
        """Return the number that follows the last reading of a boot; 0 when there is none."""
        for number in range(self.end - 1, self.first - 1, -1):
            if self.boot(number) == boot and self.rows(number):
                return self.seq0(number) + self.rows(number)
        return 0

    def highest_boot(self):
        return max([self.boot(number) for number in range(self.first, self.end)] or [0])

    def room(self, boot, seq, schema, columns):
        """Return (readings that fit the next write, whether it begins a segment)."""
        size, last = record_bytes(columns), (self.end - 1) % self._most
        if self._open and self.end > self.first:
            same = self._boot[last] == boot and self._seq0[last] + self._rows[last] == seq
            same = same and self._schema[last] == schema and self._columns[last] == columns
            room = (BLOCK_BYTES - len(self._head)) // size - self._rows[last]
            if same and room > 0:
                return room, False
        return (BLOCK_BYTES - len(self._head)) // size, True

    def full(self):
        """Whether another segment needs the oldest one's room."""
        return self.end - self.first >= self._most or self._blocks >= self._most_blocks

    def append(self, boot, seq, schema, columns, pieces, rows):
        """Write sealed readings; when this returns they outlive a power cut. As many as `room` allowed."""
        _, begins = self.room(boot, seq, schema, columns)
        number = self.end if begins else self.end - 1
        self._open = False  # a write that failed is not gone on with
        with open(self._path(number), "wb" if begins else "ab") as file:
            if begins:
                self._write_head(boot, seq, schema, columns)
                file.write(self._head)
            for piece in pieces:
                file.write(piece)
        at = number % self._most
        before = 0 if begins else self._bytes(at)
        if begins:
            self._boot[at], self._seq0[at], self._schema[at], self._columns[at] = boot, seq, schema, columns
            self._rows[at] = self._acked[at] = self._sent[at] = 0
            self.end += 1
        self._rows[at] += rows
        self._blocks += (self._bytes(at) > _INLINE_BYTES) - (before > _INLINE_BYTES)
        self._open = True

    def read(self, number, index, rows):
        """Read records into `page`, from the index-th on; return how many, up to the first that is damaged."""
        size = record_bytes(self.columns(number))
        rows = min(rows, self.rows(number) - index, len(self.page) // size)
        try:
            with open(self._path(number), "rb") as file:
                file.seek(len(self._head) + index * size)
                got = file.readinto(self.page[: rows * size]) // size
        except OSError as error:
            self._log("segment %d cannot be read: %s" % (number, error))
            return 0
        seq = self.seq0(number) + index
        for row in range(min(rows, got)):
            if not intact(self.page[row * size : (row + 1) * size], seq + row):
                self._damaged += 1
                return row
        return min(rows, got)

    def drop_oldest(self):
        """Give the room of the oldest segment back."""
        remove(self._path(self.first))
        at = self.first % self._most
        self._blocks -= self._bytes(at) > _INLINE_BYTES
        self._rows[at] = 0
        self.first += 1

    def _bytes(self, at):
        return len(self._head) + self._rows[at] * record_bytes(self._columns[at]) if self._rows[at] else 0

    def _path(self, number):
        return "%s/%08x.seg" % (self._folder, number)

    def _write_head(self, boot, seq, schema, columns):
        self._head[:_HEAD_BYTES] = pack(_HEAD, _MAGIC, boot, seq, schema, columns)
        pack_into("<I", self._head, _HEAD_BYTES, crc32(self._head[:_HEAD_BYTES]))

    def _take_over(self):
        """Take what the folder holds into the index."""
        for number, head, rows, damaged, whole in borrow("scan").scan(
            self._folder, self._most, self.page, self._log
        ):
            if self.first == self.end:
                self.first = self.end = number
            self._damaged += damaged
            self._open = whole  # nothing is written behind a torn tail
            if not rows:
                continue
            at = number % self._most
            self._boot[at], self._seq0[at], self._schema[at], self._columns[at] = head
            self._rows[at] = rows
            self._blocks += self._bytes(at) > _INLINE_BYTES
            self._clip_before(number)
            self.end = number + 1

    def _clip_before(self, number):
        """A write that failed late may have left readings in one segment that stand in the next one too."""
        before, at = (number - 1) % self._most, number % self._most
        if number > self.first and self._rows[before] and self._boot[before] == self._boot[at]:
            self._rows[before] = min(self._rows[before], max(0, self._seq0[at] - self._seq0[before]))
