"""The two firmware partitions of an ESP32; its bootloader goes back from an image that nobody confirmed."""

from __future__ import annotations

from simulators.virtual.requests import Request

BLOCK_BYTES = 4096
_IMAGE_MAGIC = 0xE9


class Partitions:
    """What is written in ota_0 and ota_1, and which of them runs. A virtual board runs the same in both."""

    def __init__(self) -> None:
        self.images = [bytearray((_IMAGE_MAGIC,)), bytearray()]
        self.running = 0
        self._chosen: int | None = None
        self._is_confirmed = True

    def start(self) -> None:
        """Do what the bootloader does at each start."""
        if self._chosen is not None:
            self.running, self._is_confirmed, self._chosen = self._chosen, False, None
        elif not self._is_confirmed:
            self.running, self._is_confirmed = 1 - self.running, True

    def answer(self, request: Request) -> bytes:
        """Do what the board asks of a partition."""
        match request.channel:
            case 1:
                self._write(request.payload)
            case 2:
                return self._choose(request.payload[0])
            case 3:
                self._is_confirmed = True
            case _:
                return bytes((self.running,))
        return b""

    def _write(self, payload: bytes) -> None:
        image, at = self.images[payload[0]], BLOCK_BYTES * int.from_bytes(payload[1:3], "little")
        image.extend(bytes(max(0, at - len(image))))
        image[at : at + BLOCK_BYTES] = payload[3:]

    def _choose(self, number: int) -> bytes:
        if self.images[number][:1] != bytes((_IMAGE_MAGIC,)):
            return b""
        self._chosen = number
        return b"\x01"
