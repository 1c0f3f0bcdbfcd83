"""The catalogue of quantities: what can be measured, in which unit, how far, how finely and how fast.

`low` and `high` are what the sensors of this kind can physically report (the gross range test of QARTOD): a
value outside is a fault, a value inside may still be doubtful. The other columns feed the later tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How successive values relate."""

    GAUGE = "gauge"
    COUNTER = "counter"
    STATE = "state"


class Mean(StrEnum):
    """How values over a time become one: levels in decibels, for one, are averaged as energies."""

    ARITHMETIC = "arithmetic"
    ENERGY = "energy"
    SUM = "sum"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the catalogue; `name` carries the unit and is the field name in the store.

    decimals: digits after the point on the wire by default. resolution: the smallest step that means something,
    in `unit`. max_rate_per_s: the fastest plausible change, unit a second. stuck_after_s: unchanged this long
    means frozen (None: may rest for ever). warm_up_s: what the sensor says before is not to be trusted.
    spike: how far a value may stand off the mean of its two neighbours. plausible: what is to be expected
    anywhere, within low and high. full_scale: where usual sensors are at the end of their scale: what they say
    there is "at least". at_most: the quantity of the same node that this one, a part of it, cannot exceed.
    percentiles: whether roll-ups keep its percentiles beside its mean.
    """

    name: str
    label_en: str
    label_zh: str
    unit: str
    decimals: int
    low: float
    high: float
    resolution: float
    max_rate_per_s: float
    stuck_after_s: float | None
    warm_up_s: float
    form: Form = Form.GAUGE
    mean: Mean = Mean.ARITHMETIC
    spike: float | None = None
    plausible: tuple[float, float] | None = None
    full_scale: float | None = None
    at_most: str | None = None
    percentiles: bool = False


_COUNTER = (Form.COUNTER, Mean.LAST)
_STATE = (Form.STATE, Mean.LAST)
_H = 3600.0
_DAY = 86400.0

# name, English, Chinese, unit, decimals, low, high, resolution, max rate a second, stuck after, warm-up
_ROWS: tuple[Quantity, ...] = (
    # water
    Quantity("level_m", "Water level", "水位", "m", 3, -10, 40, 0.001, 0.02, 12 * _H, 5, spike=0.5),
    Quantity("flow_m3_s", "Flow", "流量", "m3/s", 3, -5000, 20000, 0.001, 50, 12 * _H, 10),
    Quantity("rain_mm", "Rain", "雨量", "mm", 1, 0, 100, 0.1, 1, None, 0, Form.GAUGE, Mean.SUM),
    Quantity("rain_rate_mm_h", "Rain intensity", "雨强", "mm/h", 1, 0, 500, 0.1, 50, None, 0),
    Quantity("rain_total_mm", "Rain in total", "累计雨量", "mm", 1, 0, 1e6, 0.1, 1, None, 0, *_COUNTER),
    Quantity("velocity_m_s", "Water velocity", "流速", "m/s", 3, -20, 20, 0.001, 5, None, 5),
    Quantity("groundwater_temperature_c", "Groundwater temperature", "地下水温", "Cel", 2, -5, 50, 0.01, 0.05,
             None, 10, spike=2),  # the same for weeks: no sign of a fault
    Quantity("groundwater_depth_m", "Depth to groundwater", "地下水埋深", "m", 3, -20, 1000, 0.001,
             0.02, None, 5, spike=1),
    Quantity("water_pressure_kpa", "Water pressure", "水压", "kPa", 1, -100, 10000, 0.1, 2000, 24 * _H, 1),
    Quantity("gate_opening_m", "Gate opening", "闸门开度", "m", 3, -0.1, 20, 0.001, 0.1, None, 0),
    Quantity("level_up_m", "Level upstream", "闸上水位", "m", 3, -10, 40, 0.001, 0.02, 12 * _H, 5, spike=0.5),
    Quantity("level_down_m", "Level downstream", "闸下水位", "m", 3, -10, 40, 0.001, 0.02, 12 * _H, 5,
             spike=0.5),
    Quantity("water_temperature_c", "Water temperature", "水温", "Cel", 2, -5, 50, 0.01, 0.05, 24 * _H, 10,
             spike=2),
    Quantity("conductivity_us_cm", "Conductivity", "电导率", "uS/cm", 1, 0, 200000, 0.1, 500, 24 * _H, 30),
    Quantity("ph", "pH", "pH", "pH", 2, 0, 14, 0.01, 0.1, 24 * _H, 60, spike=0.5),
    Quantity("dissolved_oxygen_mg_l", "Dissolved oxygen", "溶解氧", "mg/l", 2, 0, 30, 0.01, 0.1, 24 * _H, 60,
             spike=2),
    Quantity("turbidity_ntu", "Turbidity", "浊度", "NTU", 2, 0, 4000, 0.01, 100, 24 * _H, 30),
    Quantity("ammonia_mg_l", "Ammonia nitrogen", "氨氮", "mg/l", 3, 0, 100, 0.001, 0.1, 48 * _H, 120),
    Quantity("permanganate_mg_l", "Permanganate index", "高锰酸盐指数", "mg/l", 2, 0, 100, 0.01, 1,
             48 * _H, 300),
    Quantity("cod_mg_l", "Chemical oxygen demand", "化学需氧量", "mg/l", 2, 0, 10000, 0.01, 100, 48 * _H, 300),
    Quantity("total_phosphorus_mg_l", "Total phosphorus", "总磷", "mg/l", 3, 0, 100, 0.001, 1, 48 * _H, 300),
    Quantity("total_nitrogen_mg_l", "Total nitrogen", "总氮", "mg/l", 3, 0, 500, 0.001, 5, 48 * _H, 300),
    Quantity("suspended_solids_mg_l", "Suspended solids", "悬浮物", "mg/l", 1, 0, 20000, 0.1, 500, 24 * _H, 60),
    Quantity("redox_mv", "Redox potential", "氧化还原电位", "mV", 0, -2000, 2000, 1, 50, 24 * _H, 60),
    Quantity("effluent_m3_h", "Effluent flow", "污水流量", "m3/h", 2, 0, 200000, 0.01, 1000, None, 10),
    Quantity("cover_open", "Cover open", "井盖开启", "count", 0, 0, 1, 1, 1, None, 0, *_STATE),
    # weather and ground
    Quantity("temperature_c", "Air temperature", "气温", "Cel", 1, -60, 85, 0.1, 0.5, 12 * _H, 10, spike=4),
    Quantity("humidity_pct", "Humidity", "相对湿度", "%RH", 1, 0, 100, 0.1, 2, 24 * _H, 10, spike=20),
    Quantity("pressure_hpa", "Air pressure", "气压", "hPa", 1, 300, 1100, 0.1, 0.1, 12 * _H, 10, spike=3),
    Quantity("wind_speed_m_s", "Wind speed", "风速", "m/s", 1, 0, 75, 0.1, 20, 12 * _H, 0),
    Quantity("wind_direction_deg", "Wind direction", "风向", "deg", 0, 0, 360, 1, 360, 24 * _H, 0,
             Form.GAUGE, Mean.LAST),
    Quantity("solar_radiation_w_m2", "Solar radiation", "太阳辐射", "W/m2", 0, 0, 2000, 1, 1000, None, 1),
    Quantity("illuminance_lx", "Illuminance", "照度", "lx", 0, 0, 200000, 1, 100000, 24 * _H, 1),
    Quantity("soil_moisture_pct", "Soil moisture", "土壤含水率", "/100", 1, 0, 100, 0.1, 5, 72 * _H, 5,
             spike=10),
    Quantity("soil_moisture_20cm_pct", "Soil moisture at 20 cm", "20 cm 土壤含水率", "/100", 1, 0, 100, 0.1, 5,
             72 * _H, 5, spike=10),
    Quantity("soil_moisture_40cm_pct", "Soil moisture at 40 cm", "40 cm 土壤含水率", "/100", 1, 0, 100, 0.1, 5,
             72 * _H, 5, spike=10),
    Quantity("soil_temperature_c", "Soil temperature", "土壤温度", "Cel", 1, -40, 80, 0.1, 0.1, 48 * _H, 5,
             spike=4),
    Quantity("dose_rate_nsv_h", "Gamma dose rate", "γ辐射剂量率", "nSv/h", 0, 0, 1e7, 1, 10000, 12 * _H, 60),
    # air and noise
    Quantity("pm2_5_ug_m3", "PM2.5", "PM2.5", "ug/m3", 2, 0, 1000, 0.1, 100, 6 * _H, 30,
             full_scale=999.9, at_most="pm10_ug_m3", percentiles=True),
    Quantity("pm10_ug_m3", "PM10", "PM10", "ug/m3", 2, 0, 2000, 0.1, 200, 6 * _H, 30, full_scale=1999.9,
             percentiles=True),
    Quantity("tsp_ug_m3", "TSP", "总悬浮颗粒物", "ug/m3", 1, 0, 20000, 0.1, 1000, 6 * _H, 30),
    Quantity("no_ug_m3", "NO", "一氧化氮", "ug/m3", 1, 0, 4000, 0.1, 50, 12 * _H, 300),
    Quantity("nox_ug_m3", "NOₓ", "氮氧化物", "ug/m3", 1, 0, 8000, 0.1, 100, 12 * _H, 300),
    Quantity("no2_ug_m3", "NO₂", "二氧化氮", "ug/m3", 1, 0, 4000, 0.1, 50, 12 * _H, 300),
    Quantity("so2_ug_m3", "SO₂", "二氧化硫", "ug/m3", 1, 0, 6000, 0.1, 50, 12 * _H, 300),
    Quantity("o3_ug_m3", "O₃", "臭氧", "ug/m3", 1, 0, 2000, 0.1, 50, 12 * _H, 300),
    Quantity("co_mg_m3", "CO", "一氧化碳", "mg/m3", 3, 0, 100, 0.001, 5, 12 * _H, 300),
    Quantity("co2_ppm", "CO₂", "二氧化碳", "ppm", 0, 0, 40000, 1, 500, 12 * _H, 180),
    Quantity("noise_laeq_db", "Noise LAeq", "噪声 LAeq", "dB", 1, 0, 140, 0.1, 60, 2 * _H, 2,
             Form.GAUGE, Mean.ENERGY, at_most="noise_lamax_db", percentiles=True),
    Quantity("noise_lamax_db", "Noise LAmax", "噪声 LAmax", "dB", 1, 0, 150, 0.1, 80, 2 * _H, 2,
             Form.GAUGE, Mean.LAST),
    Quantity("noise_lamin_db", "Noise LAmin", "噪声 LAmin", "dB", 1, 0, 140, 0.1, 60, 2 * _H, 2,
             Form.GAUGE, Mean.LAST),
    Quantity("noise_l10_db", "Noise L10", "噪声 L10", "dB", 1, 0, 140, 0.1, 60, 2 * _H, 2,
             Form.GAUGE, Mean.LAST),
    Quantity("noise_l50_db", "Noise L50", "噪声 L50", "dB", 1, 0, 140, 0.1, 60, 2 * _H, 2,
             Form.GAUGE, Mean.LAST),
    Quantity("noise_l90_db", "Noise L90", "噪声 L90", "dB", 1, 0, 140, 0.1, 60, 2 * _H, 2,
             Form.GAUGE, Mean.LAST),
    # power and light
    Quantity("voltage_v", "Voltage", "电压", "V", 1, 0, 500, 0.1, 250, 24 * _H, 1),
    Quantity("current_a", "Current", "电流", "A", 3, 0, 1000, 0.001, 500, None, 1),
    Quantity("power_w", "Power", "功率", "W", 1, -1e6, 1e6, 0.1, 1e6, None, 1),
    Quantity("voltage_a_v", "Voltage, phase A", "A 相电压", "V", 1, 0, 500, 0.1, 250, 24 * _H, 1),
    Quantity("voltage_b_v", "Voltage, phase B", "B 相电压", "V", 1, 0, 500, 0.1, 250, 24 * _H, 1),
    Quantity("voltage_c_v", "Voltage, phase C", "C 相电压", "V", 1, 0, 500, 0.1, 250, 24 * _H, 1),
    Quantity("current_a_a", "Current, phase A", "A 相电流", "A", 3, -5000, 5000, 0.001, 5000, None, 1),
    Quantity("current_b_a", "Current, phase B", "B 相电流", "A", 3, -5000, 5000, 0.001, 5000, None, 1),
    Quantity("current_c_a", "Current, phase C", "C 相电流", "A", 3, -5000, 5000, 0.001, 5000, None, 1),
    Quantity("power_a_w", "Power, phase A", "A 相功率", "W", 1, -1e6, 1e6, 0.1, 1e6, None, 1),
    Quantity("power_b_w", "Power, phase B", "B 相功率", "W", 1, -1e6, 1e6, 0.1, 1e6, None, 1),
    Quantity("power_c_w", "Power, phase C", "C 相功率", "W", 1, -1e6, 1e6, 0.1, 1e6, None, 1),
    Quantity("reactive_power_var", "Reactive power", "无功功率", "var", 1, -1e6, 1e6, 0.1, 1e6, None, 1),
    Quantity("apparent_power_va", "Apparent power", "视在功率", "VA", 1, -1e6, 1e6, 0.1, 1e6, None, 1),
    Quantity("energy_wh", "Energy", "电量", "Wh", 1, 0, 1e10, 0.1, 300, None, 0, *_COUNTER),
    Quantity("energy_t1_wh", "Energy, tariff 1", "费率 1 电量", "Wh", 1, 0, 1e10, 0.1, 300, None, 0, *_COUNTER),
    Quantity("energy_t2_wh", "Energy, tariff 2", "费率 2 电量", "Wh", 1, 0, 1e10, 0.1, 300, None, 0, *_COUNTER),
    Quantity("energy_t3_wh", "Energy, tariff 3", "费率 3 电量", "Wh", 1, 0, 1e10, 0.1, 300, None, 0, *_COUNTER),
    Quantity("energy_t4_wh", "Energy, tariff 4", "费率 4 电量", "Wh", 1, 0, 1e10, 0.1, 300, None, 0, *_COUNTER),
    Quantity("reverse_energy_wh", "Reverse energy", "反向电量", "Wh", 1, 0, 1e10, 0.1, 300, None, 0, *_COUNTER),
    Quantity("reactive_energy_varh", "Reactive energy", "正向无功电量", "varh", 1, 0, 1e10, 0.1, 300, None, 0,
             *_COUNTER),
    Quantity("reverse_reactive_energy_varh", "Reverse reactive energy", "反向无功电量", "varh", 1, 0, 1e10, 0.1,
             300, None, 0, *_COUNTER),
    Quantity("frequency_hz", "Frequency", "频率", "Hz", 2, 0, 70, 0.01, 5, 24 * _H, 1),
    Quantity("power_factor", "Power factor", "功率因数", "/", 2, -1, 1, 0.01, 2, None, 1),
    Quantity("lamp_on", "Lamp on", "亮灯", "count", 0, 0, 1, 1, 1, None, 0, *_STATE),
    Quantity("dim_pct", "Dimming level", "调光", "/100", 0, 0, 100, 1, 100, None, 0),
    Quantity("lamp_temperature_c", "Lamp temperature", "灯具温度", "Cel", 1, -60, 150, 0.1, 1, 24 * _H, 5,
             spike=20),
    Quantity("charging", "Charging", "充电中", "count", 0, 0, 1, 1, 1, None, 0, *_STATE),
    # structures and tunnels
    Quantity("tilt_deg", "Tilt", "倾角", "deg", 3, -90, 90, 0.001, 1, 72 * _H, 5, spike=0.5),
    Quantity("strain_um_m", "Strain", "应变", "um/m", 1, -20000, 20000, 0.1, 1000, 24 * _H, 10),
    Quantity("vibration_mm_s", "Vibration", "振动", "mm/s", 2, 0, 500, 0.01, 200, 24 * _H, 1),
    Quantity("crack_mm", "Crack width", "裂缝宽度", "mm", 2, 0, 100, 0.01, 0.1, None, 10),
    Quantity("fan_on", "Fan on", "风机运行", "count", 0, 0, 1, 1, 1, None, 0, *_STATE),
    # meters
    Quantity("water_volume_m3", "Water volume", "用水量", "m3", 3, 0, 1e9, 0.001, 1, None, 0, *_COUNTER),
    Quantity("water_flow_m3_h", "Water flow", "瞬时流量", "m3/h", 3, -1000, 5000, 0.001, 100, None, 5),
    Quantity("gas_volume_m3", "Gas volume", "用气量", "m3", 3, 0, 1e9, 0.001, 1, None, 0, *_COUNTER),
    Quantity("gas_flow_m3_h", "Gas flow", "燃气流量", "m3/h", 3, 0, 5000, 0.001, 500, None, 5),
    # parking, crowds, hazards
    Quantity("occupied", "Occupied", "占用", "count", 0, 0, 1, 1, 1, None, 0, *_STATE),
    Quantity("people_count", "People passing", "通过人数", "count", 0, 0, 100000, 1, 1000, None, 0,
             Form.GAUGE, Mean.SUM),
    Quantity("gas_lel_pct", "Combustible gas", "可燃气体", "%LEL", 1, 0, 100, 0.1, 50, 48 * _H, 180),
    Quantity("door_open", "Door open", "门开", "count", 0, 0, 1, 1, 1, None, 0, *_STATE),
    # the node itself
    Quantity("battery_v", "Battery", "电池电压", "V", 2, 0, 60, 0.01, 2, 7 * _DAY, 0, spike=0.6),
    Quantity("battery_pct", "Battery level", "电池电量", "%EL", 0, 0, 100, 1, 100, None, 0),
    Quantity("rssi_dbm", "Radio signal", "信号强度", "dBm", 0, -140, 20, 1, 60, 48 * _H, 0),
    Quantity("snr_db", "Signal-to-noise ratio", "信噪比", "dB", 1, -40, 60, 0.1, 100, None, 0),
    # the gateway itself
    Quantity("produced_readings", "Readings produced", "产生读数", "count", 0, 0, 1e15, 1, 1e9, None, 0,
             *_COUNTER),
    Quantity("stored_readings", "Readings stored", "入库读数", "count", 0, 0, 1e15, 1, 1e9, None, 0,
             *_COUNTER),
    Quantity("dropped_readings", "Readings dropped", "舍弃读数", "count", 0, 0, 1e15, 1, 1e9, None, 0),
    Quantity("unaccounted_readings", "Readings unaccounted for", "去向不明读数", "count", 0, -1e15, 1e15, 1,
             1e9, None, 0),
    Quantity("queue_readings", "Readings queued", "待发读数", "count", 0, 0, 1e12, 1, 1e9, None, 0),
    Quantity("quarantined_readings", "Readings quarantined", "隔离读数", "count", 0, 0, 1e12, 1, 1e9, None, 0,
             *_COUNTER),
    Quantity("missing_readings", "Readings missing", "缺失读数", "count", 0, 0, 1e12, 1, 1e9, None, 0),
    Quantity("backlog_age_s", "Age of the oldest queued", "最久待发", "s", 1, 0, 1e9, 0.1, 1e9, None, 0),
    Quantity("commit_ms", "Commit time", "提交耗时", "ms", 1, 0, 1e6, 0.1, 1e6, None, 0),
)  # fmt: skip

QUANTITIES: dict[str, Quantity] = {row.name: row for row in _ROWS}
"""Every quantity that a node may report, by name."""
