"""Turns the sensors of a node into rows of integers, one column a quantity."""

from binascii import crc32

from cityneuron.errors import SensorError, SettingsError


class Sensor:
    """A driver on a bus. `datum_mm`, the height of the sensor's face over zero, makes a distance a stage."""

    def __init__(self, driver, bus, datum_mm=None):
        self._read = driver.read
        self._bus = bus
        self._datum_mm = datum_mm
        self.name = driver.__name__
        self.columns = driver.COLUMNS
        if self.columns[0][0] == "distance_m":
            if datum_mm is None:
                raise SettingsError(
                    "%s needs datum_mm" % self.name, "give the sensor's height over the gauge's zero in mm"
                )
            self.columns = (("level_m", 3),) + self.columns[1:]

    async def read(self):
        """Return one integer or None a column, or raise SensorError."""
        values = await self._read(self._bus)
        if self._datum_mm is None or values[0] is None:
            return values
        return (self._datum_mm - values[0],) + tuple(values[1:])


class Sampler:
    """Reads all sensors. One that fails leaves its columns empty and is counted; the others go on."""

    def __init__(self, sensors):
        self._sensors = sensors
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
