"""What the factor codes of HJ 212 mean in the catalogue, and in which unit a station sends them."""

from __future__ import annotations

from typing import Literal

from edge.adapters.report import Word

Concentration = Literal["mg/m3", "ug/m3", "ng/m3"]
"""The unit of dust or gases: it is not on the wire, and stations differ."""

_IN_UG: dict[str, float] = {"mg/m3": 1000.0, "ug/m3": 1.0, "ng/m3": 0.001}

# code of 2017 and, where there is one, of 2005 -> quantity, factor to its unit
_MEANS: tuple[tuple[tuple[str, ...], Word], ...] = (
    (("a34004",), Word("pm2_5_ug_m3")),
    (("a34002",), Word("pm10_ug_m3")),
    (("a34001",), Word("tsp_ug_m3")),
    (("a21004",), Word("no2_ug_m3")),
    (("a21003",), Word("no_ug_m3")),
    (("a21002", "03"), Word("nox_ug_m3")),
    (("a21026", "02"), Word("so2_ug_m3")),
    (("a05024", "a21030"), Word("o3_ug_m3")),  # a05024 is of HJ 524-2009, and what stations send
    (("a21005", "04"), Word("co_mg_m3")),
    (("a01001",), Word("temperature_c")),
    (("a01002",), Word("humidity_pct")),
    (("a01006",), Word("pressure_hpa", 10.0)),  # kPa
    (("a01007",), Word("wind_speed_m_s")),
    (("a01008",), Word("wind_direction_deg")),
    (("w01001", "001"), Word("ph")),
    (("w01003",), Word("turbidity_ntu")),
    (("w01009",), Word("dissolved_oxygen_mg_l")),
    (("w01010",), Word("water_temperature_c")),
    (("w01014",), Word("conductivity_us_cm")),
    (("w01012", "003"), Word("suspended_solids_mg_l")),
    (("w01018", "011"), Word("cod_mg_l")),
    (("w01019",), Word("permanganate_mg_l")),
    (("w21001", "065"), Word("total_nitrogen_mg_l")),
    (("w21003", "060"), Word("ammonia_mg_l")),
    (("w21011", "101"), Word("total_phosphorus_mg_l")),
    (("w00000", "B01"), Word("effluent_m3_h", 3.6)),  # l/s
)

_LEVELS: tuple[tuple[str, str], ...] = (
    ("Leq", "noise_laeq_db"),
    ("LMx", "noise_lamax_db"),
    ("LMn", "noise_lamin_db"),
    ("L10", "noise_l10_db"),
    ("L50", "noise_l50_db"),
    ("L90", "noise_l90_db"),
)

_NOISE: dict[str, Word] = {
    f"{code}-{suffix}": Word(quantity) for code, quantity in _LEVELS for suffix in ("Data", "Rtd", "Avg")
}

WORDS: dict[str, Word] = {
    f"{code}-{suffix}": word for codes, word in _MEANS for code in codes for suffix in ("Rtd", "Avg")
} | _NOISE

CODES: dict[str, tuple[str, float]] = {word.quantity: (codes[0], word.factor) for codes, word in _MEANS} | {
    **{quantity: (code, 1.0) for code, quantity in _LEVELS},
    "flow_m3_s": ("w00000", 0.001),  # of a sluice; what a logger says under this code is an outfall's
}
"""Quantity -> its code of 2017, and what the code's value is multiplied by to be the quantity's."""

_DUST = frozenset(("a34004", "a34002", "a34001"))
_GASES = frozenset(("a21004", "a21003", "a21002", "03", "a21026", "02", "a05024", "a21030"))
_CARBON_MONOXIDE = frozenset(("a21005", "04"))
_AMOUNTS = frozenset(("Cou", "Flag"))  # not concentrations


def scale(code: str, suffix: str, dust: Concentration, gases: Concentration, co: Concentration) -> float:
    """Return what a station's value is multiplied by to be in the unit that WORDS takes it for."""
    if suffix in _AMOUNTS:
        return 1.0
    if code in _DUST:
        return _IN_UG[dust]
    if code in _GASES:
        return _IN_UG[gases]
    if code in _CARBON_MONOXIDE:
        return _IN_UG[co] / 1000.0
    return 1.0
