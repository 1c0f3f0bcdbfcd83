"""A simulated board on MicroPython's unix port: real drivers, fed with the frames that real sensors send.

Its buses: `jsn` (stage), `onewire` (water temperature), `pzem` (mains meter). CITYNEURON_HOME is its flash,
CITYNEURON_SERIAL the number of its chip.
"""

import os
import random
import sys
import time

from cityneuron.errors import SettingsError

_TIDE_S = 44_714  # the M2 tide, which the city's rivers follow


class Board:
    NAME = "unix"

    def __init__(self):
        self._home = os.getenv("CITYNEURON_HOME") or "."
        self.ticks_ms, self.ticks_diff, self.getrandbits = time.ticks_ms, time.ticks_diff, random.getrandbits

    def serial(self):
        return os.getenv("CITYNEURON_SERIAL") or ""

    def path(self, name):
        return self._home + "/" + name

    def configure(self, settings):
        random.seed(sum(settings.node.encode()))

    def bus(self, name):
        buses = {"jsn": _Stage, "onewire": _Thermometer, "pzem": _Meter}
        if name not in buses:
            raise SettingsError("no bus %r on this board" % name, "use " + ", ".join(sorted(buses)))
        return buses[name]()

    async def join_network(self):
        pass  # the host is in it

    def rssi_dbm(self):
        return None

    def set_time(self, epoch_ms):
        pass  # the host has its own clock, by which certificates are judged

    def led(self, on):
        print("led", "on" if on else "off")

    def partition(self):
        return None

    def tls(self):
        import tls

        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self._bytes("node.crt"), self._bytes("node.key"))
        context.load_verify_locations(self._bytes("ca.crt"))
        context.verify_mode = tls.CERT_REQUIRED
        return context

    def feed_watchdog(self):
        pass  # a process has none

    def flash_free(self):
        stat = os.statvfs(self._home)
        return stat[0] * stat[3]

    def on_supply_warning(self, callback):
        pass  # a process has no supply

    def kept(self):
        try:
            return self._bytes("sleep")
        except OSError:
            return b""

    def keep(self, data):
        with open(self.path("sleep"), "wb") as file:
            file.write(data)

    def deep_sleep_ms(self, ms):
        """End the process: whoever started it starts it again."""
        print("asleep", ms)
        sys.exit(0)

    def _bytes(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()


class _Uart:
    """The part of machine.UART that drivers use; write() makes the sensor answer."""

    def __init__(self):
        self._received = bytearray()

    def any(self):
        return len(self._received)

    def read(self, length):
        taken = bytes(self._received[:length])
        self._received = self._received[length:]
        return taken

    def write(self, command):
        self._received.extend(self.answer(bytes(command)))
        return len(command)


class _Stage(_Uart):
    """A JSN-SR04T over a tidal river: 1.2 to 3.2 m, with 3 mm of waves."""

    def answer(self, command):
        if command != b"\x55":
            return b""
        phase = time.time() % _TIDE_S * 2 / _TIDE_S
        distance_mm = 1_200 + int(2_000 * abs(phase - 1)) + random.getrandbits(2)
        frame = bytes((0xFF, distance_mm >> 8, distance_mm & 0xFF))
        return frame + bytes((sum(frame) & 0xFF,))


class _Meter(_Uart):
    """A PZEM-004T on a lamp circuit of 230 V, 0.5 A."""

    def __init__(self):
        super().__init__()
        self._energy_wh = 0

    def answer(self, command):
        if len(command) != 8 or command[:2] != b"\xf8\x04":
            return b""
        self._energy_wh += 2
        words = (
            2_300 + random.getrandbits(4),
            500,
            0,
            1_140,
            0,
            self._energy_wh & 0xFFFF,
            self._energy_wh >> 16,
            500,
            99,
            0,
        )
        frame = bytes((0xF8, 0x04, 20)) + b"".join(bytes((word >> 8, word & 0xFF)) for word in words)
        from drivers.modbus import crc16_modbus

        crc = crc16_modbus(frame)
        return frame + bytes((crc & 0xFF, crc >> 8))


class _Thermometer:
    """A DS18B20 in water of 18 to 19 °C."""

    CONVERSION_MS = 1

    def reset(self):
        return True

    def writebyte(self, _byte):
        pass

    def readinto(self, raw):
        sixteenths = 18 * 16 + random.getrandbits(4)
        raw[:8] = bytes((sixteenths & 0xFF, sixteenths >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x10, 0x10))
        from drivers.ds18b20 import crc8_maxim

        raw[8] = crc8_maxim(raw[:8])
