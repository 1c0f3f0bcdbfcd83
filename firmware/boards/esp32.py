"""ESP32, ESP32-S3 and ESP32-C3: pins, Wi-Fi, NTP and the watchdog."""

import asyncio
import random
import time
from binascii import hexlify

import machine
import network
import ntptime

from cityneuron.errors import LinkDown, SettingsError

_EPOCH_S = 0 if time.gmtime(0)[0] == 1970 else 946_684_800  # this port may count from 2000
_JOIN_MS = 20_000
_WATCHDOG_MS = 300_000


class Board:
    NAME = "esp32"
    UART1 = (17, 16)  # tx, rx: free on the common 30- and 38-pin boards; a C3 needs other pins
    ONEWIRE = 4
    I2C = (22, 21)  # scl, sda

    def __init__(self):
        self.ticks_ms, self.ticks_diff, self.getrandbits = time.ticks_ms, time.ticks_diff, random.getrandbits
        self._station = network.WLAN(network.STA_IF)
        self._watchdog = None
        self._settings = None

    def serial(self):
        """Return the chip's own number as hex."""
        return hexlify(machine.unique_id()).decode()

    def path(self, name):
        return "/" + name

    def configure(self, settings):
        self._settings = settings
        self._watchdog = machine.WDT(timeout=max(_WATCHDOG_MS, 3 * settings.period_ms))

    def bus(self, name):
        if name == "uart1":
            tx, rx = self.UART1
            return machine.UART(1, baudrate=9600, tx=machine.Pin(tx), rx=machine.Pin(rx))
        if name == "onewire":
            import onewire

            return onewire.OneWire(machine.Pin(self.ONEWIRE))
        if name == "i2c":
            scl, sda = self.I2C
            return machine.I2C(0, scl=machine.Pin(scl), sda=machine.Pin(sda))
        raise SettingsError("no bus %r on this board" % name, "use uart1, onewire or i2c")

    async def join_network(self):
        """Join the Wi-Fi network, or raise LinkDown with the reason that the radio gives."""
        if self._station.isconnected():
            return
        self._station.active(True)
        self._station.connect(self._settings.wifi_ssid, self._settings.wifi_password)
        waited_ms = 0
        while not self._station.isconnected():
            if waited_ms >= _JOIN_MS:
                self._station.disconnect()
                status = self._station.status()
                raise LinkDown(
                    "no Wi-Fi %r (status %s)" % (self._settings.wifi_ssid, status),
                    "check name, password and signal",
                )
            await asyncio.sleep_ms(200)
            waited_ms += 200

    async def epoch_ms(self):
        """Set the board's own clock by NTP (certificates are judged by it) and return the time, or None."""
        ntptime.host = self._settings.ntp_host
        try:
            ntptime.settime()
            return (time.time() + _EPOCH_S) * 1000
        except (OSError, OverflowError):
            return None

    def keep_time(self, epoch_ms):
        from cityneuron.settings import keep_number

        keep_number(self.path("time"), epoch_ms)

    def tls(self):
        """Return a context with this node's certificate; keys and certificates are DER files on flash."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self._bytes("node.crt"), self._bytes("node.key"))
        context.load_verify_locations(self._bytes("ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def feed_watchdog(self):
        self._watchdog.feed()

    def _bytes(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()
