"""`onewire` of a board: each reading sends the host what was written since the reset."""

import bridge


class OneWire:
    SEARCH_ROM, MATCH_ROM, SKIP_ROM = 0xF0, 0x55, 0xCC

    def __init__(self, pin):
        self._pin = pin.number
        self._written = b""

    def reset(self, required=False):
        self._written = b""
        present = bool(self._ask(0)[0])
        if required and not present:
            raise OSError(19)
        return present

    def writebyte(self, value):
        self.write(bytes((value,)))

    def write(self, buffer):
        self._written += bytes(buffer)
        self._ask(0)

    def readbyte(self):
        return self._ask(1)[1]

    def readinto(self, buffer):
        buffer[:] = self._ask(len(buffer))[1:]

    def _ask(self, wanted):
        return bridge.ask(bridge.ONEWIRE, self._pin, bytes((wanted & 0xFF, wanted >> 8)) + self._written)
