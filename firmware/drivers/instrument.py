"""A driver as one node uses it: on its bus, with its options, warm before it is believed, its columns named."""

import sys

from micropython import const

from cityneuron.errors import SensorError

_WAKE_AGAIN_AFTER = const(3)  # failures in a row: the sensor may have lost its supply, and with it its mode


def instruments(board, entries, awake_s=None):
    """Return the Instruments of the list `sensors` of the settings, in its order. Raises SettingsError."""
    package = __import__("drivers.fitting")
    try:
        return package.fitting.fitted(board, entries, Instrument, awake_s)
    finally:
        sys.modules.pop("drivers.fitting")
        del package.fitting  # 2 KB that nobody needs again


class Instrument:
    """One sensor of a node: `name`, `columns`, `await read()`.

    The node may call wake() `warm_up_ms` before it reads; the sensor is then put to rest after each reading,
    which spares its laser. Without that it stays awake from the first reading on, which is None, as is every
    one until it is warm. `clock`: ticks_ms, ticks_diff. `power`: a pin that switches the sensor's supply.
    """

    def __init__(self, fit, bus, clock, power=None):
        self.name, self.columns = fit.name, fit.columns
        self._driver, self._options, self._kept = fit.driver, fit.options, fit.kept
        self._thermometer, self._datum_mm = fit.thermometer, fit.datum_mm
        self.warm_up_ms = fit.warm_up_ms
        self._bus = fit.driver.attach(bus) if hasattr(fit.driver, "attach") else bus
        self._power = power
        self._ticks_ms, self._ticks_diff = clock
        self._woken_ms = None
        self._is_warm = not self.warm_up_ms
        self._rests = False
        self._failures = 0
        self._centidegrees = None

    async def wake(self):
        """Switch it on ahead of a reading, after which it may rest."""
        if self.warm_up_ms and (self._power is not None or hasattr(self._driver, "rest")):
            self._rests = True
        await self._wake()

    async def read(self):
        """Return one integer or None a column, or raise SensorError."""
        try:
            if not await self._warm():
                return (None,) * len(self.columns)
            values = await self._measure()
        except OSError as error:  # a bus on which nobody answers
            self._failures += 1
            raise SensorError("no answer (%s)" % error, "check wiring, address and supply")
        except SensorError:
            self._failures += 1
            raise
        self._failures = 0
        if self._rests:
            await self._rest()
        return tuple([values[index] for index in self._kept])

    async def _measure(self):
        if self._options is None:
            values = await self._driver.read(self._bus)
        else:
            values = await self._driver.read(self._bus, self._options)
        self._note_temperature(values)
        if self._thermometer is not None and self._thermometer.centidegrees() is not None:
            values = self._driver.compensated(values, self._thermometer.centidegrees())
        if self._datum_mm is not None and values[0] is not None:
            values = (self._datum_mm - values[0],) + tuple(values[1:])
        return values

    async def _warm(self):
        if self._failures >= _WAKE_AGAIN_AFTER:
            self._failures, self._woken_ms, self._is_warm = 0, None, not self.warm_up_ms
        if not self._is_warm:
            await self._wake()
            self._is_warm = self._ticks_diff(self._ticks_ms(), self._woken_ms) >= self.warm_up_ms
        return self._is_warm

    async def _rest(self):
        self._woken_ms, self._is_warm = None, False
        if self._power is not None:
            self._power.value(0)
        elif hasattr(self._driver, "rest"):
            try:
                await self._driver.rest(self._bus)
            except OSError:
                self._failures += 1  # it stays awake; what it measured is good all the same

    async def _wake(self):
        if self._woken_ms is None and self.warm_up_ms:
            if self._power is not None:
                self._power.value(1)
            if hasattr(self._driver, "wake"):
                await self._driver.wake(self._bus)
            self._woken_ms = self._ticks_ms()

    def centidegrees(self):
        """Return the last temperature that this sensor gave, for those that need one; None before the first."""
        return self._centidegrees

    def _note_temperature(self, values):
        for index, (quantity, decimals) in enumerate(self._driver.COLUMNS):
            if values[index] is not None and quantity.endswith("temperature_c"):
                self._centidegrees = values[index] * 100 // 10**decimals
