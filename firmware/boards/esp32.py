"""ESP32, ESP32-S3 and ESP32-C3: pins, Wi-Fi, the chip's clock, deep sleep and the watchdog."""

import asyncio
import os
import random
import time
from binascii import hexlify

import machine
import micropython
import network

from cityneuron.errors import LinkDown, SettingsError

_EPOCH_S = 0 if time.gmtime(0)[0] == 1970 else 946_684_800  # this port may count from 2000
_JOIN_MS = 20_000
_WATCHDOG_MS = 120_000
_PWM_HZ = 1_000
_PINS = {
    "ESP32C3": {"uart1": (1, 7, 6), "i2c": (5, 4), "onewire": 10, "adc1": 0, "adc2": 1, "pin1": 3, "out1": 21},
    "ESP32S3": {
        "uart1": (1, 17, 18), "uart2": (2, 15, 16), "i2c": (9, 8), "onewire": 4, "adc1": 1, "adc2": 2,
        "pin1": 5, "pin2": 6, "out1": 10, "out2": 11, "pwm1": 12,
    },
    "ESP32": {
        "uart1": (1, 17, 16), "uart2": (2, 19, 18), "i2c": (22, 21), "onewire": 4, "adc1": 34, "adc2": 35,
        "pin1": 32, "pin2": 33, "out1": 25, "out2": 26, "pwm1": 27, "led": 2,
    },
}  # fmt: skip
_REASONS = (  # of the radio's status: name in `network`, what it means, what to do
    ("STAT_WRONG_PASSWORD", "wrong password", "correct wifi_password: provision again"),
    ("STAT_HANDSHAKE_TIMEOUT", "wrong password, or a weak signal", "check password and aerial"),
    ("STAT_NO_AP_FOUND", "nobody calls itself that here", "check the name; 2.4 GHz only; move the aerial"),
    ("STAT_ASSOC_FAIL", "the access point lets nobody more in", "look at the access point"),
    ("STAT_CONNECT_FAIL", "the access point refuses", "check password and access point"),
)


class Board:
    """`PINS`: uart (number, tx, rx), i2c (scl, sda), else one pin. Derive from it for other wiring."""

    NAME = "esp32"
    PINS = None  # by the chip

    def __init__(self):
        self.ticks_ms, self.ticks_diff, self.getrandbits = time.ticks_ms, time.ticks_diff, random.getrandbits
        self._station = network.WLAN(network.STA_IF)
        self._watchdog = None
        self._settings = None
        self._buses = {}
        if self.PINS is None:
            chip = next((name for name in ("ESP32C3", "ESP32S3") if name in os.uname().machine), "ESP32")
            self.NAME, self.PINS = chip.lower(), _PINS[chip]

    def serial(self):
        """Return the chip's own number as hex."""
        return hexlify(machine.unique_id()).decode()

    def path(self, name):
        return "/" + name

    def configure(self, settings):
        self._settings = settings
        self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)

    def bus(self, name):
        """Return a bus or pin by its name, one object however many sensors share it. Raises SettingsError."""
        if name not in self._buses:
            if name not in self.PINS:
                raise SettingsError("no bus %r on this board" % name, "use " + ", ".join(sorted(self.PINS)))
            self._buses[name] = self._bus(name, self.PINS[name])
        return self._buses[name]

    def _bus(self, name, pins):
        if name.startswith("uart"):
            number, tx, rx = pins
            return machine.UART(number, baudrate=9600, tx=machine.Pin(tx), rx=machine.Pin(rx))
        if name == "i2c":
            return machine.I2C(0, scl=machine.Pin(pins[0]), sda=machine.Pin(pins[1]))
        if name == "onewire":
            import onewire

            return onewire.OneWire(machine.Pin(pins))
        if name.startswith("adc"):
            return self._adc(machine.Pin(pins))
        if name.startswith("pwm"):
            return machine.PWM(machine.Pin(pins), freq=_PWM_HZ)
        if name.startswith("pin"):
            return machine.Pin(pins, machine.Pin.IN, machine.Pin.PULL_UP)
        return machine.Pin(pins, machine.Pin.OUT)

    def _adc(self, pin):
        return machine.ADC(pin, atten=machine.ADC.ATTN_11DB)  # type: ignore[call-arg]  # the stubs forgot it

    def led(self, on):
        """Light the board's own LED, where it has one."""
        if "led" in self.PINS:
            self.bus("led").value(1 if on else 0)

    def partition(self):
        """Return the class of the chip's partitions, for updates of the whole image."""
        import esp32

        return esp32.Partition

    async def join_network(self):
        """Join the Wi-Fi network, or raise LinkDown with the reason that the radio gives."""
        if self._station.isconnected():
            return
        try:
            self._station.active(True)
            self._station.connect(self._settings.wifi_ssid, self._settings.wifi_password)
        except OSError as error:  # an empty name, a radio that is not ready
            raise LinkDown("no Wi-Fi %r: %s" % (self._settings.wifi_ssid, error), "check the name: wifi_ssid")
        waited_ms = 0
        while not self._station.isconnected():
            if waited_ms >= _JOIN_MS or self._station.status() in self._final():
                reason, remedy = self._reason()
                self._station.disconnect()
                raise LinkDown("no Wi-Fi %r: %s" % (self._settings.wifi_ssid, reason), remedy)
            await asyncio.sleep_ms(200)
            waited_ms += 200

    def _final(self):
        """Return the states that waiting does not change."""
        return [getattr(network, name) for name in ("STAT_WRONG_PASSWORD",) if hasattr(network, name)]

    def _reason(self):
        status = self._station.status()
        for name, reason, remedy in _REASONS:
            if status == getattr(network, name, None):
                return reason, remedy
        return "status %s after %d s" % (status, _JOIN_MS // 1000), "check name, password and signal"

    def rssi_dbm(self):
        try:
            return self._station.status("rssi") if self._station.isconnected() else None
        except (OSError, ValueError):
            return None

    def set_time(self, epoch_ms):
        """Set the chip's own clock: certificates are judged by it."""
        year, month, day, hour, minute, second, weekday = time.gmtime(epoch_ms // 1000 - _EPOCH_S)[:7]
        machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

    def tls(self):
        """Return a context with this node's certificate; keys and certificates are DER files on flash."""
        import tls  # `ssl` around it would take the authority's bytes for a file's name

        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self._bytes("node.crt"), self._bytes("node.key"))
        context.load_verify_locations(self._bytes("ca.crt"))
        context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # the stubs forgot it
        return context

    def feed_watchdog(self):
        self._watchdog.feed()

    def flash_free(self):
        """Return the free bytes of the file system."""
        stat = os.statvfs("/")
        return stat[0] * stat[3]

    def on_supply_warning(self, callback):
        """Let `callback(pin)` run when the supply is about to fail, where a pin tells."""
        number = self._settings.supply_warning_pin
        if number is not None:
            self._warning = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)
            self._warning.irq(
                handler=lambda pin: micropython.schedule(callback, pin), trigger=machine.Pin.IRQ_FALLING
            )

    def kept(self):
        return machine.RTC().memory() if machine.reset_cause() == machine.DEEPSLEEP_RESET else b""

    def keep(self, data):
        machine.RTC().memory(data)

    def deep_sleep_ms(self, ms):
        """Sleep; the node starts anew afterwards."""
        self._station.active(False)
        machine.deepsleep(ms)

    def _bytes(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()
