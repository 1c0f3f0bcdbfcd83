"""The catalogue of node kinds: what stands in the street, which system it belongs to, what it measures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class System:
    """One of the city's systems, as its people call it."""

    name: str
    label_en: str
    label_zh: str


class Priority(IntEnum):
    """What is kept longest when a gateway runs out of room."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """A node kind: its quantities in wire order, its default period in seconds, the one that stands for it.

    `schema` is the number of the default schema that nodes of this kind announce. `priority` is high where
    readings warn of danger, low where the next one says nearly as much. `further` is what some devices of this
    kind say besides: in no default schema, so that it may grow, and drawn on the board of a node alone.
    """

    name: str
    system: str
    label_en: str
    label_zh: str
    schema: int
    period_s: float
    headline: str
    quantities: tuple[str, ...]
    priority: Priority = Priority.NORMAL
    further: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All that a node of this kind is expected to say."""
        return (*self.quantities, *self.further)


_HIGH, _LOW = Priority.HIGH, Priority.LOW

SYSTEMS: dict[str, System] = {
    row.name: row
    for row in (
        System("water", "Water", "水网"),
        System("lighting", "Lighting", "照明"),
        System("environment", "Environment", "环境"),
        System("structures", "Bridges and tunnels", "桥隧"),
        System("utilities", "Utilities", "能源计量"),
        System("parking", "Parking", "停车"),
        System("safety", "Public safety", "公共安全"),
        System("network", "Network", "感知网络"),
    )
}

_RADIO = ("battery_v", "rssi_dbm")
_LORA = ("battery_pct", "snr_db")
_TARIFFS = ("energy_t1_wh", "energy_t2_wh", "energy_t3_wh", "energy_t4_wh")

KINDS: dict[str, Kind] = {
    row.name: row
    for row in (
        Kind("water_level", "water", "Stage station", "水位站", 1, 60, "level_m",
             ("level_m", "water_temperature_c", *_RADIO), _HIGH, ("flow_m3_s", "velocity_m_s", *_LORA)),
        Kind("rain_gauge", "water", "Rain gauge", "雨量站", 2, 60, "rain_rate_mm_h",
             ("rain_mm", "rain_rate_mm_h", *_RADIO), further=("rain_total_mm", *_LORA)),
        Kind("sluice_gate", "water", "Sluice gate", "水闸", 3, 60, "gate_opening_m",
             ("gate_opening_m", "level_up_m", "level_down_m", "flow_m3_s", "rssi_dbm"), _HIGH,
             ("velocity_m_s",)),
        Kind("manhole", "water", "Manhole", "窨井", 4, 300, "level_m",
             ("level_m", "cover_open", "gas_lel_pct", *_RADIO), _HIGH, ("velocity_m_s", *_LORA)),
        Kind("streetlight", "lighting", "Street lamp", "路灯", 5, 60, "power_w",
             ("lamp_on", "dim_pct", "voltage_v", "current_a", "power_w", "energy_wh", "lamp_temperature_c"),
             _LOW),
        Kind("air_quality", "environment", "Air station", "空气站", 6, 60, "pm2_5_ug_m3",
             ("pm2_5_ug_m3", "pm10_ug_m3", "no2_ug_m3", "so2_ug_m3", "o3_ug_m3", "co_mg_m3", "temperature_c",
              "humidity_pct"), further=("tsp_ug_m3", "no_ug_m3", "nox_ug_m3", "pressure_hpa", "wind_speed_m_s",
                                       "wind_direction_deg")),
        Kind("water_quality", "environment", "Water quality station", "水质站", 7, 300, "dissolved_oxygen_mg_l",
             ("water_temperature_c", "conductivity_us_cm", "ph", "dissolved_oxygen_mg_l", "turbidity_ntu",
              "ammonia_mg_l"),
             further=("permanganate_mg_l", "total_phosphorus_mg_l", "total_nitrogen_mg_l", "cod_mg_l",
                      "redox_mv")),
        Kind("noise", "environment", "Noise station", "噪声站", 8, 60, "noise_laeq_db",
             ("noise_laeq_db", "noise_lamax_db", *_RADIO),
             further=("noise_lamin_db", "noise_l10_db", "noise_l50_db", "noise_l90_db", *_LORA)),
        Kind("soil", "environment", "Soil station", "土壤站", 9, 900, "soil_moisture_pct",
             ("soil_moisture_pct", "soil_temperature_c", *_RADIO),
             further=("soil_moisture_20cm_pct", "soil_moisture_40cm_pct", *_LORA)),
        Kind("radiation", "environment", "Radiation station", "辐射站", 10, 60, "dose_rate_nsv_h",
             ("dose_rate_nsv_h", *_RADIO)),
        Kind("weather", "environment", "Weather station", "气象站", 11, 60, "temperature_c",
             ("temperature_c", "humidity_pct", "pressure_hpa", "wind_speed_m_s", "wind_direction_deg",
              "illuminance_lx"),
             further=("rain_mm", "rain_total_mm", "solar_radiation_w_m2", "pm2_5_ug_m3", "pm10_ug_m3",
                      "noise_laeq_db")),
        Kind("structure", "structures", "Bridge sensor", "结构监测点", 12, 60, "tilt_deg",
             ("tilt_deg", "strain_um_m", "vibration_mm_s", "crack_mm", "battery_v"), _HIGH),
        Kind("tunnel", "structures", "Tunnel station", "隧道监测点", 13, 60, "co_mg_m3",
             ("co_mg_m3", "co2_ppm", "no2_ug_m3", "fan_on", "level_m", "illuminance_lx"), _HIGH),
        Kind("power_meter", "utilities", "Electricity meter", "电表", 14, 60, "power_w",
             ("voltage_v", "current_a", "power_w", "energy_wh", "frequency_hz", "power_factor"),
             further=("reactive_power_var", "apparent_power_va", "reverse_energy_wh", "reactive_energy_varh",
                      "reverse_reactive_energy_varh", *_TARIFFS)),
        Kind("water_meter", "utilities", "Water meter", "水表", 15, 900, "water_flow_m3_h",
             ("water_volume_m3", "water_flow_m3_h", "battery_v"), further=("water_pressure_kpa", *_LORA)),
        Kind("gas_meter", "utilities", "Gas meter", "燃气表", 16, 900, "gas_flow_m3_h",
             ("gas_volume_m3", "gas_flow_m3_h", "battery_v"), further=_LORA),
        Kind("charging_pile", "utilities", "Charging pile", "充电桩", 17, 60, "power_w",
             ("charging", "voltage_v", "current_a", "power_w", "energy_wh"), _LOW),
        Kind("parking_bay", "parking", "Parking bay", "停车位", 18, 300, "occupied",
             ("occupied", *_RADIO), _LOW, _LORA),
        Kind("footfall", "safety", "Footfall counter", "客流计", 19, 60, "people_count",
             ("people_count", "rssi_dbm"), _LOW),
        Kind("hazmat", "safety", "Hazardous goods store", "危化品仓", 20, 60, "gas_lel_pct",
             ("gas_lel_pct", "temperature_c", "door_open", "battery_v"), _HIGH, ("humidity_pct", *_LORA)),
        Kind("gateway", "network", "Gateway", "网关", 21, 10, "queue_readings",
             ("queue_readings", "quarantined_readings", "missing_readings", "backlog_age_s", "commit_ms",
              "produced_readings", "stored_readings", "dropped_readings", "unaccounted_readings"), _HIGH),
        # what foreign devices brought: loggers, hydrological stations, meters
        Kind("outfall", "environment", "Wastewater outfall", "排污口", 22, 600, "cod_mg_l",
             ("cod_mg_l", "ammonia_mg_l", "total_phosphorus_mg_l", "total_nitrogen_mg_l",
              "suspended_solids_mg_l", "ph", "water_temperature_c", "effluent_m3_h"), _HIGH),
        Kind("dust", "environment", "Dust station", "扬尘监测点", 23, 60, "tsp_ug_m3",
             ("tsp_ug_m3", "pm10_ug_m3", "pm2_5_ug_m3", "noise_laeq_db", "temperature_c", "humidity_pct",
              "pressure_hpa", "wind_speed_m_s", "wind_direction_deg")),
        Kind("groundwater", "water", "Groundwater well", "地下水监测井", 24, 3600, "groundwater_depth_m",
             ("groundwater_depth_m", "groundwater_temperature_c", "conductivity_us_cm", *_RADIO),
             further=_LORA),
        Kind("three_phase_meter", "utilities", "Three-phase meter", "三相电表", 25, 60, "power_w",
             ("voltage_a_v", "voltage_b_v", "voltage_c_v", "current_a_a", "current_b_a", "current_c_a",
              "power_a_w", "power_b_w", "power_c_w", "power_w", "reactive_power_var", "apparent_power_va",
              "power_factor", "frequency_hz", "energy_wh", "reverse_energy_wh", "reactive_energy_varh"),
             further=("reverse_reactive_energy_varh", *_TARIFFS)),
    )
}  # fmt: skip
"""Every node kind, by name."""
