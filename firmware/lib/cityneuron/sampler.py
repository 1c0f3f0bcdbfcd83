"""Turns the sensors of a node into rows of integers, one column a quantity."""

from binascii import crc32

from cityneuron.errors import SensorError, SettingsError


class Sampler:
    """Reads all sensors (see drivers/instrument.py). One that fails leaves its columns empty and is counted.

    Sensors with a laser or a heater rest between readings when wake() is called `warm_up_ms` before sample().
    """

    def __init__(self, sensors):
        self._sensors = sensors
        self.warm_up_ms = max([sensor.warm_up_ms for sensor in sensors] or [0])
        self.columns = tuple(column for sensor in sensors for column in sensor.columns)
        self.failures = 0
        self.last_error = ""
        self._row = [None] * len(self.columns)
        names = [name for name, _ in self.columns]
        if len(set(names)) != len(names):
            raise SettingsError("two sensors measure the same quantity", "keep one of them in settings.json")

    @property
    def schema(self):
        """A number for this set of columns: 16 bits, so that other columns get another number."""
        return crc32(repr(self.columns).encode()) & 0xFFFF

    async def wake(self):
        """Switch on what must warm up; harmless when it is on, and when nothing must."""
        for sensor in self._sensors:
            try:
                await sensor.wake()
            except (SensorError, OSError) as error:  # its reading will fail too, and be counted
                self.last_error = "%s: %s" % (sensor.name, error)

    async def sample(self):
        """Return the row (a list that the next call fills again)."""
        at = 0
        for sensor in self._sensors:
            width = len(sensor.columns)
            try:
                self._row[at : at + width] = await sensor.read()
            except (SensorError, OSError) as error:
                self.failures += 1
                self.last_error = "%s: %s" % (sensor.name, error)
                for index in range(at, at + width):
                    self._row[index] = None
            at += width
        return self._row
