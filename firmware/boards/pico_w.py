"""Raspberry Pi Pico W: as the ESP32, with its own pins, no memory that a deep sleep spares, and a watchdog that
reaches 8 seconds at most."""

import time

import machine

from boards import esp32

_FEED_EVERY_MS = 2_000
_PATIENCE_MS = 120_000
_WATCHDOG_MS = 8_000
_WATCHDOG_CLEAR, _ENABLE = 0x4005_B000, 1 << 30  # RP2040 data sheet 2.1.2, 4.7.6: clears what is set here


class Board(esp32.Board):
    NAME = "pico_w"
    PINS = {
        "uart1": (1, 4, 5), "uart2": (0, 0, 1), "i2c": (9, 8), "onewire": 22, "adc1": 26, "adc2": 27,
        "pin1": 14, "pin2": 15, "out1": 16, "out2": 17, "pwm1": 18, "led": "LED",
    }  # fmt: skip

    def configure(self, settings):
        """A timer feeds the short watchdog as long as the node has fed this one lately."""
        self._settings = settings
        self._fed_ms = time.ticks_ms()
        self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        self._timer = machine.Timer(
            -1, period=_FEED_EVERY_MS, mode=machine.Timer.PERIODIC, callback=self._on_timer
        )

    def partition(self):
        return None

    def kept(self):
        return b""

    def keep(self, data):
        pass

    def feed_watchdog(self):
        self._fed_ms = time.ticks_ms()

    def deep_sleep_ms(self, ms):
        """Sleep with the watchdog off: it goes on in a sleep, and would end it after 8 s."""
        self._timer.deinit()
        machine.mem32[_WATCHDOG_CLEAR] = _ENABLE
        super().deep_sleep_ms(ms)

    def _adc(self, pin):
        return machine.ADC(pin)

    def _on_timer(self, _timer):
        if time.ticks_diff(time.ticks_ms(), self._fed_ms) < _PATIENCE_MS:
            self._watchdog.feed()
