"""BME280 air temperature, humidity and pressure on I2C, address 0x76.

Integer formulas of the data sheet, 4.2.3.
"""

import asyncio
from struct import unpack_from

from cityneuron.errors import SensorError

COLUMNS = (("temperature_c", 2), ("humidity_pct", 2), ("pressure_hpa", 2))
_ADDRESS, _CHIP_ID = 0x76, 0x60
_RAW_BYTES = 41  # calibration 0x88 to 0xA1, 0xE1 to 0xE7, then measurement 0xF7 to 0xFE
_SKIPPED, _SKIPPED_HUMIDITY = 0x80000, 0x8000  # what a measurement that was not made reads


def decode(raw):
    """Return (0.01 °C, 0.01 %, 0.01 hPa) of 41 register bytes. Raises SensorError."""
    if len(raw) != _RAW_BYTES or unpack_from("<H", raw, 0)[0] in (0, 0xFFFF):
        raise SensorError("no BME280 calibration", "check wiring and address")
    pressure_adc = raw[33] << 12 | raw[34] << 4 | raw[35] >> 4
    temperature_adc = raw[36] << 12 | raw[37] << 4 | raw[38] >> 4
    humidity_adc = raw[39] << 8 | raw[40]
    if _SKIPPED in (temperature_adc, pressure_adc) or humidity_adc == _SKIPPED_HUMIDITY:
        raise SensorError("the BME280 did not measure", "check its supply")
    fine = _fine_temperature(raw, temperature_adc)
    return ((fine * 5 + 128) >> 8, _humidity(raw, humidity_adc, fine), _pressure(raw, pressure_adc, fine))


def _fine_temperature(raw, adc):
    t1, t2, t3 = unpack_from("<Hhh", raw, 0)
    first = ((adc >> 3) - (t1 << 1)) * t2 >> 11
    offset = (adc >> 4) - t1
    return first + ((offset * offset >> 12) * t3 >> 14)


def _pressure(raw, adc, fine):
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = unpack_from("<Hhhhhhhhh", raw, 6)
    a = fine - 128_000
    b = a * a * p6 + ((a * p5) << 17) + (p4 << 35)
    a = (a * a * p3 >> 8) + ((a * p2) << 12)
    a = ((1 << 47) + a) * p1 >> 33
    if not a:
        return None
    p = (((1_048_576 - adc) << 31) - b) * 3125 // a
    p = ((p + (p9 * (p >> 13) * (p >> 13) >> 25) + (p8 * p >> 19)) >> 8) + (p7 << 4)
    return (p + 128) >> 8  # Pa, which is 0.01 hPa


def _humidity(raw, adc, fine):
    h1, (h2, h3) = raw[25], unpack_from("<hB", raw, 26)
    h4 = _signed(raw[29]) << 4 | raw[30] & 0x0F
    h5 = _signed(raw[31]) << 4 | raw[30] >> 4
    h6 = _signed(raw[32])
    x = fine - 76_800
    scale = ((x * h6 >> 10) * ((x * h3 >> 11) + 32_768) >> 10) + 2_097_152
    y = (((adc << 14) - (h4 << 20) - h5 * x + 16_384) >> 15) * (scale * h2 + 8_192 >> 14)
    y -= ((y >> 15) * (y >> 15) >> 7) * h1 >> 4
    y = min(max(y, 0), 419_430_400)
    return ((y >> 12) * 100 + 512) >> 10


def _signed(byte):
    return byte - 256 if byte > 127 else byte


async def read(bus):
    """Measure once and sleep again (forced mode, no oversampling, so that the sensor does not warm itself)."""
    if bus.readfrom_mem(_ADDRESS, 0xD0, 1)[0] != _CHIP_ID:
        raise SensorError("no BME280 at address 0x76", "is it a BMP280? does SDO lie at ground?")
    bus.writeto_mem(_ADDRESS, 0xF2, b"\x01")
    bus.writeto_mem(_ADDRESS, 0xF4, b"\x25")
    await asyncio.sleep_ms(12)
    raw = bus.readfrom_mem(_ADDRESS, 0x88, 26) + bus.readfrom_mem(_ADDRESS, 0xE1, 7)
    return decode(raw + bus.readfrom_mem(_ADDRESS, 0xF7, 8))
