"""Sensirion SCD40 and SCD41: CO2, temperature and humidity on I2C, address 0x62, a value every 5 s."""

from cityneuron.errors import SensorError
from drivers import sensirion

COLUMNS = (("co2_ppm", 0), ("temperature_c", 2), ("humidity_pct", 2))
WARM_UP_MS = 15_000  # three measurements: the first ones after the start drift
_ADDRESS = 0x62
_START, _STOP, _READY, _READ = 0x21B1, 0x3F86, 0xE4B8, 0xEC05
_STOPPED_MS = 500  # data sheet 3.6.3: nothing else may be said sooner
_MOST_PPM = 40_000


def decode(raw):
    """Return (ppm, 0.01 °C, 0.01 %) of 9 bytes. Raises SensorError."""
    co2_ppm, temperature, humidity = sensirion.words(raw, 3)
    if not 0 < co2_ppm <= _MOST_PPM:
        raise SensorError("%d ppm cannot be" % co2_ppm, "let it warm up; check its 3.3 V under load")
    return (co2_ppm, (17_500 * temperature + 32_767) // 65_535 - 4_500, (10_000 * humidity + 32_767) // 65_535)


async def wake(bus):
    """Begin to measure every 5 s."""
    await sensirion.begin(bus, _ADDRESS, _STOP, sensirion.command(_START), _STOPPED_MS)


async def rest(bus):
    """Stop measuring: 0.5 mA instead of 15."""
    bus.writeto(_ADDRESS, sensirion.command(_STOP))


async def read(bus):
    """Return the newest values."""
    (ready,) = sensirion.words(await sensirion.ask(bus, _ADDRESS, _READY, 1), 1)
    if not ready & 0x07FF:
        raise SensorError("the SCD4x has no new value", "read it at most every 5 s; is it measuring?")
    return decode(await sensirion.ask(bus, _ADDRESS, _READ, 3))
