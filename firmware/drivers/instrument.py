"""A driver as one node uses it: on its bus, with its options, warm before it is believed, its columns named."""

from cityneuron.errors import SensorError, SettingsError

_ENTRY = ("driver", "bus", "name", "as", "datum_mm", "temperature_from", "power", "warm_up_ms")
_WAKE_AGAIN_AFTER = 3  # failures in a row: the sensor may have lost its supply, and with it its mode


def instruments(board, entries):
    """Return the Instruments of the list `sensors` of the settings, in its order. Raises SettingsError."""
    made: list[Instrument] = []
    for entry in entries:
        try:
            name, bus = entry["driver"], entry["bus"]
        except (KeyError, TypeError):
            raise SettingsError("a sensor lacks driver or bus", "see firmware/settings.sample.json")
        try:
            driver = getattr(__import__("drivers." + name), name)
        except ImportError:
            driver = None
        if not hasattr(driver, "COLUMNS"):
            raise SettingsError("no driver %r" % name, "see firmware/drivers")
        power = board.bus(entry["power"]) if "power" in entry else None
        clock = (board.ticks_ms, board.ticks_diff)
        made.append(Instrument(driver, name, board.bus(bus), entry, made, clock, power))
    return made


class Instrument:
    """One sensor of a node: `name`, `columns`, `await read()`.

    The node may call wake() `warm_up_ms` before it reads; the sensor is then put to rest after each reading,
    which spares its laser. Without that it stays awake from the first reading on, which is None, as is every
    one until it is warm. `clock`: ticks_ms, ticks_diff. `power`: a pin that switches the sensor's supply.
    """

    def __init__(self, driver, name, bus, entry, others, clock, power=None):
        self.name = entry.get("name", name)
        self._driver = driver
        self._options = _options(driver, name, entry)
        self._bus = driver.attach(bus) if hasattr(driver, "attach") else bus
        self._datum_mm = entry.get("datum_mm") if driver.COLUMNS[0][0] == "distance_m" else None
        self._thermometer = _thermometer(driver, name, entry, others)
        self.columns, self._kept = _columns(driver, name, entry)
        self.warm_up_ms = entry.get("warm_up_ms", getattr(driver, "WARM_UP_MS", 0))
        self._power = power
        self._ticks_ms, self._ticks_diff = clock
        self._woken_ms = None
        self._is_warm = not self.warm_up_ms
        self._rests = False
        self._failures = 0
        self._centidegrees = None
        self._nothing = (None,) * len(self.columns)

    async def wake(self):
        """Switch it on ahead of a reading, after which it may rest."""
        if self.warm_up_ms and (self._power is not None or hasattr(self._driver, "rest")):
            self._rests = True
        await self._wake()

    async def read(self):
        """Return one integer or None a column, or raise SensorError."""
        try:
            if not await self._warm():
                return self._nothing
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


def _options(driver, name, entry):
    """Return the driver's options as the entry sets them; None for a driver without any."""
    known = getattr(driver, "OPTIONS", {})
    for key in entry:
        if key not in known and key not in _ENTRY:
            raise SettingsError("%s knows no %r" % (name, key), "see docs/hardware.md")
    for key, default in known.items():
        value = entry.get(key, default)
        if value is None:
            raise SettingsError("%s needs %s" % (name, key), "see docs/hardware.md")
        if type(value) is not (int if default is None else type(default)):
            raise SettingsError("%s of %s is %r" % (key, name, value), "see docs/hardware.md")
    return {key: entry.get(key, default) for key, default in known.items()} or None


def _columns(driver, name, entry):
    """Return the columns under the names that the entry gives them, and which of the driver's these are."""
    columns, kept, names = [], [], entry.get("as", {})
    if type(names) is not dict:
        raise SettingsError("`as` of %s is %r" % (name, names), 'write it like {"level_m": "level_up_m"}')
    names = dict(names)
    for index, (quantity, decimals) in enumerate(driver.COLUMNS):
        if quantity == "distance_m":
            if type(entry.get("datum_mm")) is not int:
                raise SettingsError(
                    "%s needs datum_mm" % name, "give the sensor's height over the gauge's zero in mm"
                )
            quantity = "level_m"
        shown = names.pop(quantity, quantity)
        if shown is not None:
            columns.append((shown, decimals))
            kept.append(index)
    for unknown in names:
        raise SettingsError("%s gives no %r to rename" % (name, unknown), "correct `as` in settings.json")
    if not columns:
        raise SettingsError("%s has no column left" % name, "correct `as` in settings.json")
    return tuple(columns), kept


def _thermometer(driver, name, entry, others):
    wanted = entry.get("temperature_from")
    if wanted is None:
        return None
    if not hasattr(driver, "compensated"):
        raise SettingsError("%s needs no temperature" % name, "leave out temperature_from")
    for other in others:
        if other.name == wanted:
            return other
    raise SettingsError("no %r stands before %s" % (wanted, name), "list the thermometer first")
