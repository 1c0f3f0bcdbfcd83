"""Raspberry Pi Pico W: as the ESP32, with its own pins and a watchdog that reaches 8 seconds at most."""

import time

import machine

from boards import esp32

_FEED_EVERY_MS = 2_000
_WATCHDOG_MS = 8_000


class Board(esp32.Board):
    NAME = "pico_w"
    UART1 = (4, 5)
    ONEWIRE = 22
    I2C = (9, 8)

    def configure(self, settings):
        """A timer feeds the short watchdog as long as the sampler has been heard of within three periods."""
        self._settings = settings
        self._patience_ms = max(300_000, 3 * settings.period_ms)
        self._fed_ms = time.ticks_ms()
        self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        self._timer = machine.Timer(period=_FEED_EVERY_MS, mode=machine.Timer.PERIODIC, callback=self._on_timer)

    def feed_watchdog(self):
        self._fed_ms = time.ticks_ms()

    def _on_timer(self, _timer):
        if time.ticks_diff(time.ticks_ms(), self._fed_ms) < self._patience_ms:
            self._watchdog.feed()
