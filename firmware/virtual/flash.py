"""The flash of a virtual board: the blocks of an image file, counted; the power goes when the host says so.

What LittleFS calls allocates nothing, not even for a long call: the collector itself closes files that a
program forgot, and must not be called while LittleFS works.
"""

from struct import pack_into

import bridge

BLOCK_BYTES = 4096
_COUNT, _SIZE, _ERASE, _SYNC = 4, 5, 6, 3


class Flash:
    """The block device for LittleFS.

    `fuse` is a file of 4 bytes: the number of writes until the power goes, 0 for never.
    """

    def __init__(self, path, fuse):
        self._file = open(path, "r+b")
        self._fuse = open(fuse, "r+b")
        self._blocks = self._file.seek(0, 2) // BLOCK_BYTES
        self._left = bytearray(4)
        self._writes = self._erases = 0
        self._other = self._nothing
        self._frame = bytearray((bridge.FLASH, 0, 0, 8, 0)) + bytearray(8)
        self._operations = {_COUNT: self._count, _SIZE: self._size, _ERASE: self._erase, _SYNC: self._sync}
        self._write = (self._write_whole, self._write_torn, self._write_counted)

    def readblocks(self, number, buffer, offset=0):
        self._file.seek(number * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self._writes += 1
        self._fuse.seek(0)
        self._fuse.readinto(self._left)
        left = int.from_bytes(self._left, "little")
        self._write[min(left, 2)](number * BLOCK_BYTES + offset, buffer)

    def ioctl(self, operation, argument):
        return self._operations.get(operation, self._other)(argument)

    def _write_whole(self, at, buffer):
        self._file.seek(at)
        self._file.write(buffer)

    def _write_counted(self, at, buffer):
        self._write_whole(at, buffer)
        pack_into("<I", self._left, 0, int.from_bytes(self._left, "little") - 1)
        self._fuse.seek(0)
        self._fuse.write(self._left)

    def _write_torn(self, at, buffer):
        self._file.seek(at)
        self._file.write(bytes(buffer[: len(buffer) // 2]))
        self._fuse.seek(0)
        self._fuse.write(b"\x00\x00\x00\x00")
        bridge.end(bridge.CUT)

    def _count(self, _):
        return self._blocks

    def _size(self, _):
        return BLOCK_BYTES

    def _erase(self, number):
        self._erases += 1
        self._file.seek(number * BLOCK_BYTES)
        self._file.write(_ERASED)
        return 0

    def _sync(self, _):
        pack_into("<I", self._frame, bridge.FRAME_BYTES, self._writes)
        pack_into("<I", self._frame, bridge.FRAME_BYTES + 4, self._erases)
        bridge.send(self._frame)
        return 0

    def _nothing(self, _):
        return 0


_ERASED = b"\xff" * BLOCK_BYTES
