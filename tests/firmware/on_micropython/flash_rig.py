"""A flash for tests: LittleFS on a host's file, whose erases are counted and whose power can be cut.

The image stands in a file, not in the heap: what is measured is the node's. After `fuse` writes one is torn,
and nothing works any more until power().
"""

import os

import vfs

BLOCK_BYTES = 4096
_ERASED = b"\xff" * 256
_EIO = -5


class Flash:
    def __init__(self, path, blocks):
        self._blocks = blocks
        self._file = open(path, "w+b")
        for _ in range(blocks * (BLOCK_BYTES // len(_ERASED))):
            self._file.write(_ERASED)
        self.erases = [0] * blocks
        self.writes = 0
        self._fuse = 0
        self._dead = False

    def power(self, fuse=0):
        """Switch it on; the power goes at the fuse-th write, 0: never."""
        self._fuse, self._dead = fuse, False

    def readblocks(self, number, buffer, offset=0):
        if self._dead:
            return _EIO
        self._file.seek(number * BLOCK_BYTES + offset)
        self._file.readinto(buffer)
        return 0

    def writeblocks(self, number, buffer, offset=0):
        if self._dead:
            return _EIO
        self.writes += 1
        self._file.seek(number * BLOCK_BYTES + offset)
        if self._fuse:
            self._fuse -= 1
            if not self._fuse:
                self._dead = True
                self._file.write(bytes(buffer[: len(buffer) // 2]))
                return _EIO
        self._file.write(buffer)
        return 0

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            if self._dead:
                return _EIO
            self.erases[argument] += 1
            self._file.seek(argument * BLOCK_BYTES)
            for _ in range(BLOCK_BYTES // len(_ERASED)):
                self._file.write(_ERASED)
        return 0


def format(flash):
    vfs.VfsLfs2.mkfs(flash)


def mount(flash, at="/flash"):
    """Mount the image, as a board does at its start; what was mounted there is gone."""
    unmount(at)
    vfs.mount(vfs.VfsLfs2(flash), at)
    try:
        os.mkdir(at + "/outbox")
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise


def unmount(at="/flash"):
    try:
        vfs.umount(at)
    except OSError:
        pass  # nothing was
