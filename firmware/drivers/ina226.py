"""TI INA226: voltage, current and power of a battery or panel on I2C, `shunt_uohm` in the line.

Bus voltage 1.25 mV a bit, shunt voltage 2.5 uV a bit; current and power are reckoned here, so that nothing need
be written into its calibration register.
"""

import asyncio
from struct import unpack

from cityneuron.errors import SensorError

COLUMNS = (("voltage_v", 3), ("current_a", 3), ("power_w", 2))
OPTIONS = {"shunt_uohm": 100_000, "address": 0x40}
_CONFIGURATION, _SHUNT, _BUS, _MAKER = 0x00, 0x01, 0x02, 0xFE
_TEXAS = b"TI"
_ONCE = b"\x45\x23"  # 16 averages, 1.1 ms each, both voltages, then sleep
_MEASUREMENT_MS = 40


def decode(raw, options):
    """Return (mV, mA, 0.01 W) of shunt and bus register, 4 bytes. Raises SensorError."""
    if len(raw) != 4:
        raise SensorError("%d bytes are no INA226 answer" % len(raw), "check wiring and address")
    shunt, bus = unpack(">hh", raw)
    if shunt in (0x7FFF, -0x8000):
        raise SensorError("the current is beyond the shunt's range", "take a smaller shunt")
    if bus < 0:
        raise SensorError("no INA226 bus voltage: %r" % bytes(raw), "check wiring")
    voltage_mv = (bus * 5 + 2) // 4
    current_ma = (shunt * 2_500 + options["shunt_uohm"] // 2) // options["shunt_uohm"]
    return (voltage_mv, current_ma, (voltage_mv * current_ma + 5_000) // 10_000)


async def read(bus, options):
    """Measure once."""
    address = options["address"]
    if bus.readfrom_mem(address, _MAKER, 2) != _TEXAS:
        raise SensorError("no INA226 at address 0x%02X" % address, "check A0, A1 and `address`")
    bus.writeto_mem(address, _CONFIGURATION, _ONCE)
    await asyncio.sleep_ms(_MEASUREMENT_MS)
    return decode(bus.readfrom_mem(address, _SHUNT, 2) + bus.readfrom_mem(address, _BUS, 2), options)
