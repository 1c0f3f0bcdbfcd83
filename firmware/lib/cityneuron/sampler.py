"""Turns the sensors of a node into rows of integers, one column a quantity."""

from binascii import crc32

from cityneuron.errors import SensorError, SettingsError


def _text_of(value, decimals):
    """Return a scaled integer as a decimal number: (-123, 2) is "-1.23". None stays None."""
    if value is None or not decimals:
        return None if value is None else str(value)
    digits = str(abs(value))
    digits = "0" * (decimals + 1 - len(digits)) + digits
    return "%s%s.%s" % ("-" if value < 0 else "", digits[:-decimals], digits[-decimals:])


class Sampler:
    """Reads all sensors (see drivers/instrument.py). One that fails leaves its columns empty and is counted.

    Sensors with a laser or a heater rest between readings when wake() is called `warm_up_ms` before sample().
    """

    def __init__(self, sensors):
        self._sensors = sensors
        self.warm_up_ms = max([sensor.warm_up_ms for sensor in sensors] or [0])
        self.columns = tuple(column for sensor in sensors for column in sensor.columns)
        self.schema = crc32(repr(self.columns).encode()) & 0xFFFF  # other columns get another number
        self.failures = 0
        self._row = [None] * len(self.columns)
        self._errors = [("", "")] * len(sensors)
        names = [name for name, _ in self.columns]
        if len(set(names)) != len(names):
            raise SettingsError("two sensors measure the same quantity", "keep one of them in settings.json")

    async def wake(self):
        """Switch on what must warm up; harmless when it is on, and when nothing must."""
        for index, sensor in enumerate(self._sensors):
            try:
                await sensor.wake()
            except (SensorError, OSError) as error:  # its reading will fail too, and be counted
                self._errors[index] = _reason(error)

    async def sample(self):
        """Return the row (a list that the next call fills again)."""
        at = 0
        for index, sensor in enumerate(self._sensors):
            width = len(sensor.columns)
            try:
                self._row[at : at + width] = await sensor.read()
                self._errors[index] = ("", "")
            except (SensorError, OSError) as error:
                self.failures += 1
                self._errors[index] = _reason(error)
                for column in range(at, at + width):
                    self._row[column] = None
            at += width
        return self._row

    def faults(self):
        """Yield (name, error, remedy) of the sensors whose last reading failed."""
        for sensor, (error, remedy) in zip(self._sensors, self._errors):
            if error:
                yield sensor.name, error, remedy

    def values(self):
        """Return the latest row as {quantity: text or None}."""
        return {name: _text_of(self._row[at], scale) for at, (name, scale) in enumerate(self.columns)}

    def status(self):
        """Return what `doctor` shows of each sensor."""
        found, at = [], 0
        for sensor, (error, _) in zip(self._sensors, self._errors):
            values = {}
            for name, decimals in sensor.columns:
                values[name] = _text_of(self._row[at], decimals)
                at += 1
            found.append({"name": sensor.name, "ok": not error, "error": error, "values": values})
        return found


def _reason(error):
    return str(error) or "no answer", getattr(error, "remedy", "") or "check wiring and supply"
