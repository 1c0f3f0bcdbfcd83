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
    "apparent_power_va": Word("apparent_power_va"),
    "reactive_power_var": Word("reactive_power_var"),
    "energy_wh": Word("energy_wh"),
    "import_energy_kwh": Word("energy_wh", 1000.0),
    "export_energy_kwh": Word("reverse_energy_wh", 1000.0),
    "import_reactive_energy_kvarh": Word("reactive_energy_varh", 1000.0),
    "export_reactive_energy_kvarh": Word("reverse_reactive_energy_varh", 1000.0),
    **{f"tariff_{number}_energy_kwh": Word(f"energy_t{number}_wh", 1000.0) for number in range(1, 5)},
    # of three phases, which makers call L1, L2, L3
    **{
        f"{what}_l{number}_{unit}": Word(f"{what}_{phase}_{unit}")
        for number, phase in enumerate("abc", 1)
        for what, unit in (("voltage", "v"), ("current", "a"), ("power", "w"))
    },
    # weather, air, noise
    "wind_speed_ms": Word("wind_speed_m_s"),
    "wind_direction_deg": Word("wind_direction_deg"),
    "humidity_pct": Word("humidity_pct"),
    "temperature_c": Word("temperature_c"),
    "pressure_kpa": Word("pressure_hpa", 10.0),
    "illuminance_lux": Word("illuminance_lx"),
    "radiation_w_m2": Word("solar_radiation_w_m2"),
    "noise_db": Word("noise_laeq_db"),
    "pm2_5_ug_m3": Word("pm2_5_ug_m3"),
    "pm10_ug_m3": Word("pm10_ug_m3"),
    "co2_ppm": Word("co2_ppm"),
    # water
    "rain_mm": Word("rain_mm"),
    "rain_total_mm": Word("rain_total_mm"),
    "level_m": Word("level_m"),
    "level_mm": Word("level_m", 0.001),
    "water_temperature_c": Word("water_temperature_c"),
}

ADAPTER = Adapter(decoder=decoder, words=WORDS, options=ModbusOptions, poller=ModbusPoller, order=order)
