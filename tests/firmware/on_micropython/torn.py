"""A flash for checks: a LittleFS as /, in a file of the host, whose power goes at a given write.

From that write on nothing changes any more: what still runs finds a flash that fails, and what counts is what
the next start finds. The host's files are out of sight while it is mounted: open them before.
"""

import gc
import sys

import vfs

import cityneuron

_BLOCK_BYTES = 4096
_PIECE_BYTES = 512
_IO_ERROR = -5
_COUNT, _SIZE, _ERASE = 4, 5, 6


class Flash:
    """`cut_at`: the write that is torn, counted from 1; 0: never."""

    def __init__(self, path, blocks):
        self._file = open(path, "w+b")
        self._saved = open(path + ".saved", "w+b")
        self._blocks = blocks
        self._buffer = bytearray(_PIECE_BYTES)
        self._import_path = list(sys.path)
        self._firmware = cityneuron.__path__
        self._host = vfs.VfsPosix(self._firmware)
        self._mounted = False
        self._erased = b"\xff" * _PIECE_BYTES
        self.writes = self.cut_at = 0
        for number in range(blocks):
            self._erase(number)
        vfs.VfsLfs2.mkfs(self)

    @property
    def is_cut(self):
        return 0 < self.cut_at <= self.writes

    def start(self, cut_at=0):
        """Mount what is there, as a start does: with power, and nothing remembered but the flash."""
        if self._mounted:
            vfs.umount(self._firmware)
        vfs.umount("/")
        self._mounted = True
        self.writes, self.cut_at = 0, cut_at
        sys.path[:] = self._import_path
        gc.collect()
        vfs.mount(vfs.VfsLfs2(self), "/")
        vfs.mount(self._host, self._firmware)  # for modules that are borrowed

    def save(self):
        """Remember all blocks for restore()."""
        self._copy(self._file, self._saved)

    def restore(self):
        self._copy(self._saved, self._file)

    def _copy(self, source, target):
        source.seek(0)
        target.seek(0)
        for _ in range(self._blocks * _BLOCK_BYTES // _PIECE_BYTES):
            source.readinto(self._buffer)
            target.write(self._buffer)

    def _erase(self, number):
        self._file.seek(number * _BLOCK_BYTES)
        for _ in range(_BLOCK_BYTES // _PIECE_BYTES):
            self._file.write(self._erased)

    def readblocks(self, number, buffer, offset=0):
        self._file.seek(number * _BLOCK_BYTES + offset)
        self._file.readinto(buffer)
        return 0

    def writeblocks(self, number, buffer, offset=0):
        if self.is_cut:
            return _IO_ERROR
        self.writes += 1
        self._file.seek(number * _BLOCK_BYTES + offset)
        if self.is_cut:
            self._file.write(bytes(buffer[: len(buffer) // 2]))
            return _IO_ERROR
        self._file.write(buffer)
        return 0

    def ioctl(self, operation, argument):
        if operation == _COUNT:
            return self._blocks
        if operation == _SIZE:
            return _BLOCK_BYTES
        if operation == _ERASE:
            if self.is_cut:
                return _IO_ERROR
            self._erase(argument)
        return 0
