"""Modbus devices (RTU, TCP): what stands in their registers is data (profiles/*.toml, or a user's file)."""

from __future__ import annotations

from edge.adapters.adapter import Adapter
from edge.adapters.modbus.decode import decoder
from edge.adapters.modbus.lamp import order
from edge.adapters.modbus.poller import ModbusOptions, ModbusPoller
from edge.adapters.report import Word

WORDS = {
    # electricity
    "voltage_v": Word("voltage_v"),
    "current_a": Word("current_a"),
    "power_w": Word("power_w"),
    "frequency_hz": Word("frequency_hz"),
    "power_factor": Word("power_factor"),
    "energy_wh": Word("energy_wh"),
    "import_energy_kwh": Word("energy_wh", 1000.0),
    # weather, air, noise
    "wind_speed_ms": Word("wind_speed_m_s"),
    "wind_direction_deg": Word("wind_direction_deg"),
    "humidity_pct": Word("humidity_pct"),
    "temperature_c": Word("temperature_c"),
    "pressure_kpa": Word("pressure_hpa", 10.0),
    "illuminance_lux": Word("illuminance_lx"),
    "noise_db": Word("noise_laeq_db"),
    "pm2_5_ug_m3": Word("pm2_5_ug_m3"),
    "pm10_ug_m3": Word("pm10_ug_m3"),
    "co2_ppm": Word("co2_ppm"),
    # water
    "rain_mm": Word("rain_mm"),
    "level_m": Word("level_m"),
    "level_mm": Word("level_m", 0.001),
    "water_temperature_c": Word("water_temperature_c"),
}

ADAPTER = Adapter(decoder=decoder, words=WORDS, options=ModbusOptions, poller=ModbusPoller, order=order)
