"""Sensors from the settings of a node, judged and made ready: needed at the start only, and let go then."""

from cityneuron.errors import SettingsError

_ENTRY = ("driver", "bus", "name", "as", "datum_mm", "temperature_from", "power", "warm_up_ms")


def fitted(board, entries, make, awake_s):
    """Return what make() makes of each entry of `sensors`, in its order. Raises SettingsError.

    `awake_s` is of a node that sleeps, else None.
    """
    made: list = []
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
        fit = Fit(driver, name, entry, made)
        if awake_s is not None:
            _check_sleeper(fit, awake_s)
        made.append(make(fit, board.bus(bus), clock, power))
    return made


def _check_sleeper(fit, awake_s):
    """A sensor must not lose to a deep sleep what it is there for."""
    if hasattr(fit.driver, "attach"):
        raise SettingsError(
            "%s is listened to all the time, and this node sleeps" % fit.name, "set sleep to false"
        )
    if fit.warm_up_ms >= 1_000 * awake_s:
        raise SettingsError(
            "%s warms up for %d s, this node is awake for %d" % (fit.name, fit.warm_up_ms // 1_000, awake_s),
            "set sleep to false, or awake_s to half a minute more than it needs",
        )


class Fit:
    """What an entry says of its driver."""

    def __init__(self, driver, name, entry, others):
        self.driver = driver
        self.name = entry.get("name", name)
        self.options = _options(driver, name, entry)
        self.columns, self.kept = _columns(driver, name, entry)
        self.thermometer = _thermometer(driver, name, entry, others)
        self.datum_mm = entry.get("datum_mm") if driver.COLUMNS[0][0] == "distance_m" else None
        self.warm_up_ms = entry.get("warm_up_ms", getattr(driver, "WARM_UP_MS", 0))


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
