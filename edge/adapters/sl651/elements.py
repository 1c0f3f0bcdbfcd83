"""The elements of SL 651-2014: identifier, code and unit of each, and what the catalogue calls them."""

from __future__ import annotations

from typing import NamedTuple

from edge.adapters.report import Word


class Element(NamedTuple):
    """One row of the standard's table of elements."""

    code: str
    unit: str = ""


STEP, STATUS, VOLTAGE = 0x04, 0x45, 0x38
RAIN_BLOCK = 0xF4
STAGE_BLOCKS = range(0xF5, 0xFD)
STAGES = (0x39, 0x3A, 0x3B, *range(0x3C, 0x44))
FLOWS = (0x27, *range(0x28, 0x32))


def _numbered(first: int, code: str, unit: str) -> dict[int, Element]:
    return {first + index: Element(f"{code}{index + 1}", unit) for index in range(8)}


ELEMENTS: dict[int, Element] = {
    0x01: Element("AC", "m2"), 0x02: Element("AI", "°C"), 0x03: Element("C", "°C"), STEP: Element("DRxnn"),
    0x05: Element("DT", "h"), 0x06: Element("ED", "mm"), 0x07: Element("EJ", "mm"), 0x08: Element("FL", "hPa"),
    0x09: Element("GH", "m"), 0x0A: Element("GN"), 0x0B: Element("GS"), 0x0C: Element("GT"),
    0x0D: Element("GTP", "°C"), 0x0E: Element("H", "m"), 0x0F: Element("HW", "m"),
    **{0x10 + index: Element(f"M{depth}", "%")
       for index, depth in enumerate((10, 20, 30, 40, 50, 60, 80, 100))},
    0x18: Element("MST", "%"), 0x19: Element("NS"), 0x1A: Element("P1", "mm"), 0x1B: Element("P2", "mm"),
    0x1C: Element("P3", "mm"), 0x1D: Element("P6", "mm"), 0x1E: Element("P12", "mm"), 0x1F: Element("PD", "mm"),
    0x20: Element("PJ", "mm"), 0x21: Element("PN01", "mm"), 0x22: Element("PN05", "mm"),
    0x23: Element("PN10", "mm"), 0x24: Element("PN30", "mm"), 0x25: Element("PR", "mm"),
    0x26: Element("PT", "mm"), 0x27: Element("Q", "m3/s"), **_numbered(0x28, "Q", "m3/s"),
    0x30: Element("QA", "m3/s"), 0x31: Element("QZ", "m3/s"), 0x32: Element("SW", "10^4 t"),
    0x33: Element("UC"), 0x34: Element("UE"), 0x35: Element("US", "m/s"), 0x36: Element("VA", "m/s"),
    0x37: Element("VJ", "m/s"), VOLTAGE: Element("VT", "V"), 0x39: Element("Z", "m"), 0x3A: Element("ZB", "m"),
    0x3B: Element("ZU", "m"), **_numbered(0x3C, "Z", "m"), 0x44: Element("SQ", "kg/m3"), STATUS: Element("ZT"),
    0x46: Element("pH"), 0x47: Element("DO", "mg/L"), 0x48: Element("COND", "uS/cm"),
    0x49: Element("TURB", "NTU"), 0x4A: Element("CODMN", "mg/L"), 0x4B: Element("REDOX", "mV"),
    0x4C: Element("NH4N", "mg/L"),
    **{0x4D + index: Element(code, "mg/L") for index, code in enumerate(
        ("TP", "TN", "TOC", "CU", "ZN", "SE", "AS", "THG", "CD", "PB", "CHLA"))},
    **_numbered(0x58, "WP", "kPa"), **_numbered(0x60, "SYL", "m3"), **_numbered(0x68, "SBL", "m3/h"),
    0x70: Element("VTA", "V"), 0x71: Element("VTB", "V"), 0x72: Element("VTC", "V"),
    0x73: Element("VIA", "A"), 0x74: Element("VIB", "A"), 0x75: Element("VIC", "A"),
    RAIN_BLOCK: Element("DRP", "mm"), **_numbered(0xF5, "DRZ", "m"),
}  # fmt: skip
"""Identifier -> element; 76H to EFH are reserved, though some stations use them."""

IDS: dict[str, int] = {element.code.upper(): number for number, element in ELEMENTS.items()}
"""Code in capitals, as ASCII frames have it -> identifier."""

DEFINITIONS: dict[int, int] = {
    RAIN_BLOCK: 0x60,
    **dict.fromkeys(STAGE_BLOCKS, 0xC0),
    **dict.fromkeys(range(0x1A, 0x27), 0x19),
    **dict.fromkeys(STAGES, 0x23),
    VOLTAGE: 0x12,
}
"""Identifier -> its usual definition byte, with which it is asked for; reports are read by their own."""

WORDS: dict[str, Word] = {
    "02": Word("temperature_c"),
    "03": Word("water_temperature_c"),
    "08": Word("pressure_hpa"),
    "09": Word("gate_opening_m"),
    "0D": Word("soil_temperature_c"),
    "0F": Word("groundwater_depth_m"),
    "10": Word("soil_moisture_pct"),
    "11": Word("soil_moisture_20cm_pct"),
    "13": Word("soil_moisture_40cm_pct"),
    "18": Word("humidity_pct"),
    "26": Word("rain_total_mm"),
    "27": Word("flow_m3_s"),
    "35": Word("wind_speed_m_s"),
    "37": Word("velocity_m_s"),
    "38": Word("battery_v"),
    "39": Word("level_m"),
    "3A": Word("level_down_m"),
    "3B": Word("level_up_m"),
    "45-door": Word("door_open"),
    "46": Word("ph"),
    "47": Word("dissolved_oxygen_mg_l"),
    "48": Word("conductivity_us_cm"),
    "49": Word("turbidity_ntu"),
    "4A": Word("permanganate_mg_l"),
    "4B": Word("redox_mv"),
    "4C": Word("ammonia_mg_l"),
    "4D": Word("total_phosphorus_mg_l"),
    "4E": Word("total_nitrogen_mg_l"),
    "58": Word("water_pressure_kpa"),
    "68": Word("water_flow_m3_h"),
    "70": Word("voltage_a_v"),
    "71": Word("voltage_b_v"),
    "72": Word("voltage_c_v"),
    "73": Word("current_a_a"),
    "74": Word("current_b_a"),
    "75": Word("current_c_a"),
    "F4": Word("rain_mm"),
    "F5-stage": Word("level_m"),
}
"""What a station's own table may add to or change.

Of the rain elements the five-minute amounts are one quantity each time, and 26H is a running total: the others
repeat rain that those have told already. A relative stage (`F5`) becomes one above datum, `F5-stage`, where the
station has a base.
"""
