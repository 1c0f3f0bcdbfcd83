"""Turns the sensors of a node into rows of integers, one column a quantity."""

from binascii import crc32

from cityneuron.errors import SensorError, SettingsError


class Sampler:
    """Reads all sensors (see drivers/instrument.py). One that fails leaves its columns empty and is counted.

    `row` is the latest row, `errors` holds (error, remedy) of each of `sensors`.
    Sensors with a laser or a heater rest between readings when wake() is called `warm_up_ms` before sample().
    """

    def __init__(self, sensors):
        self.sensors = sensors
        self.warm_up_ms = max([sensor.warm_up_ms for sensor in sensors] or [0])
        self.columns = tuple(column for sensor in sensors for column in sensor.columns)
        self.schema = crc32(repr(self.columns).encode()) & 0xFFFF  # other columns get another number
        self.failures = 0
        self.row = [None] * len(self.columns)
        self.errors = [("", "")] * len(sensors)
        names = [name for name, _ in self.columns]
        if len(set(names)) != len(names):
            raise SettingsError("two sensors measure the same quantity", "keep one of them in settings.json")

    async def wake(self):
        """Switch on what must warm up; harmless when it is on, and when nothing must."""
        for index, sensor in enumerate(self.sensors):
            try:
                await sensor.wake()
            except MemoryError:
                raise
            except Exception as error:  # its reading will fail too, and be counted
                self.errors[index] = _reason(error)

    async def sample(self):
        """Return the row (a list that the next call fills again)."""
        at = 0
        for index, sensor in enumerate(self.sensors):
            width = len(sensor.columns)
            try:
                self.row[at : at + width] = await sensor.read()
                self.errors[index] = ("", "")
            except MemoryError:
                raise  # a restart mends that
            except Exception as error:  # a fault of one driver, or an option it falls over, is no other's loss
                self.failures += 1
                self.errors[index] = _reason(error)
                for column in range(at, at + width):
                    self.row[column] = None
            at += width
        return self.row

    def faults(self):
        """Yield (name, error, remedy) of the sensors whose last reading failed."""
        for sensor, (error, remedy) in zip(self.sensors, self.errors):
            if error:
                yield sensor.name, error, remedy


def _reason(error):
    if isinstance(error, (SensorError, OSError)):
        return str(error) or "no answer", getattr(error, "remedy", "") or "check wiring and supply"
    return repr(error), "check its bus and options in settings.json"
