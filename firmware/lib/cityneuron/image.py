"""The firmware image of an ESP32 (MicroPython itself) in its other partition, on trial like a slot.

Thin: `partition` is the class esp32.Partition, given by the board. The bootloader returns by itself from an
image that was not confirmed.
"""

from micropython import const

from cityneuron.errors import NodeError

_BLOCK_BYTES = const(4096)


class Image:
    """Of a board with two firmware partitions; raises OSError where there is no second one."""

    def __init__(self, partition):
        self._running = partition(partition.RUNNING)
        self._next = self._running.get_next_update()
        self._confirm = partition.mark_app_valid_cancel_rollback
        self._block = None
        self._at = 0

    @property
    def running(self):
        """The label of the partition that runs."""
        return self._running.info()[4]

    @property
    def next(self):
        """The label of the partition that takes the next image."""
        return self._next.info()[4]

    def begin(self, size):
        room = self._next.info()[3]
        if size > room:
            raise NodeError(
                "an image of %d bytes, the partition takes %d" % (size, room), "build a smaller one"
            )
        self._block, self._at = bytearray(_BLOCK_BYTES), 0

    def write(self, chunk):
        """Take the next bytes; whole blocks go to flash, which are erased first."""
        done = 0
        while done < len(chunk):
            start = self._at % _BLOCK_BYTES
            some = min(len(chunk) - done, _BLOCK_BYTES - start)
            self._block[start : start + some] = chunk[done : done + some]
            self._at += some
            done += some
            if self._at % _BLOCK_BYTES == 0:
                self._next.writeblocks(self._at // _BLOCK_BYTES - 1, self._block)

    def close(self):
        """Write what is left, filled up as erased flash is."""
        rest = self._at % _BLOCK_BYTES
        if rest:
            for index in range(rest, _BLOCK_BYTES):
                self._block[index] = 0xFF
            self._next.writeblocks(self._at // _BLOCK_BYTES, self._block)
        self._block = None

    def choose(self):
        """Start the other partition next time."""
        try:
            self._next.set_boot()
        except OSError as error:  # the bootloader looks at it first
            raise NodeError("the new image is refused (%s)" % error, "build the bundle with an app image")

    def confirm(self):
        """The image that runs has proved itself."""
        self._confirm()
