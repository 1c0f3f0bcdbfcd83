"""The ROM of an ESP32 on a pty, for the real esptool: chip and MAC to detect, a flash to write and verify.

It runs in a thread of its own, so that a test may call esptool as a library. It says what a ROM says (no stub),
after Espressif's serial protocol. A pty has no DTR and RTS: use `--before no-reset --after no-reset --no-stub`.
"""

from __future__ import annotations

import hashlib
import os
import pty
import select
import struct
import threading
import tty
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

_END, _ESCAPE, _ESCAPED_END, _ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
_FLASH_BEGIN, _FLASH_DATA, _FLASH_END, _SYNC, _WRITE_REG, _READ_REG = 0x02, 0x03, 0x04, 0x08, 0x09, 0x0A
_SPI_SET_PARAMS, _SPI_ATTACH, _READ_SLOW, _BAUD = 0x0B, 0x0D, 0x0E, 0x0F
_DEFL_BEGIN, _DEFL_DATA, _DEFL_END, _MD5, _SECURITY_INFO = 0x10, 0x11, 0x12, 0x13, 0x14
_UNSUPPORTED = b"\x01\x05"
_SYNC_WORD, _SYNC_ANSWERS = 0x20120707, 8
_SPI_USR = 1 << 18
_READ_ID, _READ_SFDP = 0x9F, 0x5A
_WINBOND = 0xEF


class Chip:
    """What tells one chip from another: how it names itself, and where its registers are."""

    def __init__(self, *, magic: int, chip_id: int | None, efuse: int, mac_at: int, spi: int) -> None:
        self.magic, self.chip_id, self.efuse, self.mac_at, self.spi = magic, chip_id, efuse, mac_at, spi


CHIPS = {
    "esp32": Chip(magic=0x00F01D83, chip_id=None, efuse=0x3FF5A000, mac_at=0x3FF5A004, spi=0x3FF42000),
    "esp32c3": Chip(magic=0x1B31506F, chip_id=5, efuse=0x60008800, mac_at=0x60008844, spi=0x60002000),
}
_MAGIC_AT = 0x40001000
_ESP32_REGISTERS = {
    0x3FF5A00C: 1 << 15 | 1 << 9,  # eFuse word 3: revision, package D0WD
    0x3FF5A014: 1 << 20,  # eFuse word 5: revision
    0x3FF6607C: 1 << 31,  # with these two: v3
    0x3FF40014: 347,  # UART divider at 115200 baud: a crystal of 40 MHz
}


class FakeRom:
    """A chip in download mode. `port` is for esptool; `flash` is what was written, 0xFF where nothing was."""

    def __init__(self, *, mac: str = "a0:b7:65:11:22:33", chip: str = "esp32", flash_mb: int = 4) -> None:
        self._chip = CHIPS[chip]
        self._flash_id = _WINBOND | 0x40 << 8 | (20 + flash_mb.bit_length() - 1) << 16
        self.flash = bytearray(b"\xff") * (flash_mb << 20)
        self.commands: list[int] = []
        """The codes of the commands that came, in order."""
        self.verified: set[int] = set()
        """Where the stretches of flash began that the host compared with what it had sent."""
        self.worn: set[int] = set()
        """Bytes of the flash that can no longer be erased: they read 0."""
        octets = bytes.fromhex(mac.replace(":", ""))
        self._registers = {
            **(_ESP32_REGISTERS if chip == "esp32" else {}),
            _MAGIC_AT: self._chip.magic,
            self._chip.mac_at: int.from_bytes(octets[2:], "big"),
            self._chip.mac_at + 4: int.from_bytes(octets[:2], "big"),
        }
        self._inflate = zlib.decompressobj()
        self._at = 0
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="fake ROM", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join(timeout=5)
        for fd in (self._master, self._slave, self._stop_read, self._stop_write):
            os.close(fd)

    def region(self, offset: int, size: int) -> bytes:
        """Return bytes of the flash."""
        return bytes(self.flash[offset : offset + size])

    def _serve(self) -> None:
        received = bytearray()
        while True:
            ready, _, _ = select.select([self._master, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            received += os.read(self._master, 65_536)
            for packet in _take_packets(received):
                if len(packet) >= 8 and packet[0] == 0:
                    self._answer(packet)

    def _answer(self, packet: bytes) -> None:
        op = packet[1]
        self.commands.append(op)
        value, data = self._run(op, packet[8:])
        answer = struct.pack("<BBHI", 1, op, len(data), value) + data
        for _ in range(_SYNC_ANSWERS if op == _SYNC else 1):
            self._send(answer)

    def _run(self, op: int, body: bytes) -> tuple[int, bytes]:
        """Do a command; return the value and the data, which ends with the status."""
        well = bytes(4)
        if op == _SYNC:
            return _SYNC_WORD, well
        if op == _READ_REG:
            return self._registers.get(struct.unpack_from("<I", body)[0], 0), well
        if op == _WRITE_REG:
            self._write_register(*struct.unpack_from("<III", body))
        elif op == _SECURITY_INFO and self._chip.chip_id is not None:
            return 0, struct.pack("<IB7sII", 0, 0, bytes(7), self._chip.chip_id, 0) + well
        elif op in (_FLASH_BEGIN, _DEFL_BEGIN):
            erased, _, _, self._at = struct.unpack_from("<IIII", body)
            self.flash[self._at : self._at + erased] = b"\xff" * erased
            self._inflate = zlib.decompressobj()
        elif op in (_FLASH_DATA, _DEFL_DATA):
            content = body[16 : 16 + struct.unpack_from("<I", body)[0]]
            self._write(content if op == _FLASH_DATA else self._inflate.decompress(content))
        elif op == _MD5:
            offset, size = struct.unpack_from("<II", body)
            self.verified.add(offset)
            return 0, hashlib.md5(self.region(offset, size)).hexdigest().encode() + well
        elif op == _READ_SLOW:
            offset, size = struct.unpack_from("<II", body)
            return 0, self.region(offset, size).ljust(64, b"\x00") + well
        elif op not in (_SPI_SET_PARAMS, _SPI_ATTACH, _BAUD, _FLASH_END, _DEFL_END):
            return 0, _UNSUPPORTED + bytes(2)
        return 0, well

    def _write(self, content: bytes) -> None:
        """Program flash as NOR does: bits go from 1 to 0."""
        end = self._at + len(content)
        before = int.from_bytes(self.flash[self._at : end], "little")
        after = before & int.from_bytes(content, "little")
        self.flash[self._at : end] = after.to_bytes(len(content), "little")
        for at in self.worn:
            self.flash[at] = 0
        self._at = end

    def _write_register(self, address: int, value: int, mask: int) -> None:
        spi = self._chip.spi
        if address == spi and value & _SPI_USR:  # the flash chip is asked something
            command = self._registers.get(spi + (0x24 if spi == CHIPS["esp32"].spi else 0x20), 0) & 0xFF
            place = self._registers.get(spi + 4, 0) >> 8
            answers = {_READ_ID: self._flash_id, _READ_SFDP: _WINBOND if place else 0x50444653}
            self._registers[spi + (0x80 if spi == CHIPS["esp32"].spi else 0x58)] = answers.get(command, 0)
        else:
            self._registers[address] = self._registers.get(address, 0) & ~mask | value & mask

    def _send(self, packet: bytes) -> None:
        escaped = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        data = b"\xc0" + escaped + b"\xc0"
        while data:
            data = data[os.write(self._master, data) :]


def _take_packets(received: bytearray) -> Iterator[bytes]:
    """Yield the whole SLIP packets in what was received, and take them out of it."""
    while (start := received.find(_END)) >= 0 and (end := received.find(_END, start + 1)) >= 0:
        packet = bytes(received[start + 1 : end])
        if packet:
            del received[: end + 1]
            yield packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        else:  # two ends in a row: the second begins a packet
            del received[: start + 1]
