"""The recordings as tables of values, as a user would hand them to `cityneuron qc`, and what is true there."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple


class Value(NamedTuple):
    """A recorded value: `truth` is a technician's code where one was given."""

    time: str
    node: str
    quantity: str
    text: str
    truth: str = ""


LOGAN = {
    "temp": "water_temperature_c",
    "cond": "conductivity_us_cm",
    "ph": "ph",
    "do": "dissolved_oxygen_mg_l",
    "turb": "turbidity_ntu",
    "stage": "level_m",
}
BEIJING = {
    "PM2.5": "pm2_5_ug_m3",
    "PM10": "pm10_ug_m3",
    "SO2": "so2_ug_m3",
    "NO2": "no2_ug_m3",
    "CO": "co_mg_m3",
    "O3": "o3_ug_m3",
}
UCI = {
    "CO(GT)": "co_mg_m3",
    "NMHC(GT)": "nmhc_ug_m3",
    "C6H6(GT)": "benzene_ug_m3",
    "NOx(GT)": "nox_ppb",
    "NO2(GT)": "no2_ug_m3",
    "PT08.S1(CO)": "metal_oxide_raw",
    "T": "temperature_c",
    "RH": "humidity_pct",
}
NAB = {
    "machine_temperature_system_failure": "machine_temperature_f",
    "TravelTime_387": "travel_time_s",
    "TravelTime_451": "travel_time_s",
    "occupancy_6005": "occupancy_pct",
    "speed_6005": "speed_mph",
    "art_daily_jumpsdown": "art_value",
    "art_flatline": "art_value",
}
PV = {
    "Sys1Vac_Avg": "voltage_v",
    "Sys1Iac_Avg": "current_a",
    "Sys1Wac_Avg": "power_w",
    "Sys1PowerFactor_Avg": "power_factor",
    "Sys1Frequency_Avg": "frequency_hz",
    "LocalAmbientTemp_Avg": "temperature_c",
}


def table(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file, packed or not."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=delimiter)


def kotzebue(data: Path) -> Iterator[Value]:
    """The tide gauge; the reference's flags are compared elsewhere."""
    for row in table(data / "tide-kotzebue" / "water_level.csv"):
        yield Value(row["time"], "kotzebue", "level_m", row["sea_surface_height_above_sea_level"])


def logan(data: Path) -> Iterator[Value]:
    """Three stations of the Logan river; stage in metres; truth: any code of a technician."""
    for site in ("WaterLab2019", "TonyGrove2014", "FranklinBasin2020"):
        for row in table(data / "water-level-logan" / f"{site}.csv.gz"):
            for name, quantity in LOGAN.items():
                text = "" if row[name] == "NULL" else row[name]
                if name == "stage" and text:
                    text = repr(round(float(text) / 100, 7))
                code = "" if row[f"{name}_qual"] == "NULL" else row[f"{name}_qual"]
                yield Value(row["datetime"], site, quantity, text, code)


def sds011(data: Path) -> Iterator[Value]:
    """Three dust sensors of citizens."""
    for path in sorted((data / "air-sds011-aberdeen").glob("*.csv.gz")):
        for row in table(path, ";"):
            yield Value(row["timestamp"], row["sensor_id"], "pm10_ug_m3", row["P1"])
            yield Value(row["timestamp"], row["sensor_id"], "pm2_5_ug_m3", row["P2"])


def beijing(data: Path) -> Iterator[Value]:
    """Two official stations, hourly; CO in mg/m3."""
    for site in ("Aotizhongxin", "Tiantan"):
        for row in table(data / "air-beijing" / f"{site}_2013-2017.csv.gz"):
            time = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}T{int(row['hour']):02}:00"
            for name, quantity in BEIJING.items():
                text = "" if row[name] == "NA" else row[name]
                if name == "CO" and text:
                    text = repr(float(text) / 1000)
                yield Value(time, site, quantity, text)


def uci(data: Path) -> Iterator[Value]:
    """A road side in Italy, hourly; -200 is missing."""
    for row in table(data / "air-uci-italy" / "AirQualityUCI_2004-03_2004-09.csv"):
        day, month, year = row["Date"].split("/")
        for name, quantity in UCI.items():
            yield Value(f"{year}-{month}-{day}T{row['Time'][:2]}:00", "road", quantity, row[name])


def nab(data: Path) -> Iterator[Value]:
    """Series of machines and roads with labelled anomalies."""
    for name, quantity in NAB.items():
        folder = data / "nab-anomaly"
        path = folder / f"{name}.csv"
        for row in table(path if path.exists() else folder / f"{name}.csv.gz"):
            yield Value(row["timestamp"], name, quantity, row["value"])


def household(data: Path) -> Iterator[Value]:
    """A home's meter: nothing is wrong with it."""
    for row in table(data / "power-household-uci" / "household_2007-01-31_2007-02-01.csv", ";"):
        day, month, year = row["Date"].split("/")
        time = f"{year}-{int(month):02}-{int(day):02}T{row['Time']}"
        yield Value(time, "home", "power_w", repr(round(float(row["Global_active_power"]) * 1000, 3)))
        yield Value(time, "home", "voltage_v", row["Voltage"])
        yield Value(time, "home", "current_a", row["Global_intensity"])


def inverter(data: Path) -> Iterator[Value]:
    """An inverter on a grid of 240 V and 60 Hz: nothing is wrong with it."""
    for row in table(data / "power-pv-inverter" / "system1_2015-11-11.csv"):
        time = datetime.strptime(row["TIMESTAMP"], "%m/%d/%Y %H:%M").isoformat()
        for name, quantity in PV.items():
            yield Value(time, "system1", quantity, row[name])


def pzem(data: Path) -> Iterator[Value]:
    """Three energy meters read in bursts with long gaps; one file is padded with spaces."""
    for path in sorted((data / "power-pzem004t").glob("*.csv")):
        for padded in table(path):
            row = {name.strip(): text.strip() for name, text in padded.items()}
            for name in ("voltage_v", "current_a", "power_w", "energy_wh", "frequency_hz", "power_factor"):
                yield Value(row["datetime"], path.stem, name, row[name])


def pecos(data: Path) -> Iterator[Value]:
    """A made-up series with a written list of its faults."""
    path = data / "known-faults-pecos" / "TEST_db1_2014_01_01.csv"
    header, *rows = list(csv.reader(path.read_text().splitlines()))[1:]
    for row in rows:
        if row[0].startswith("1/"):
            time = datetime.strptime(row[0], "%m/%d/%Y %H:%M").isoformat()
            for name, text in zip(header[1:7], row[1:7], strict=True):
                yield Value(time, name, "pecos_value", text)


def noise(data: Path) -> Iterator[Value]:
    """Street noise by the minute: nothing is wrong with it."""
    for row in table(data / "noise-laeq" / "laeq_1min_2025-03-21_2025-03-26.csv"):
        yield Value(row["datetime"], "street", "noise_laeq_db", row["LEQ dB -A"])


def ea_day(data: Path) -> Iterator[Value]:
    """A day of a national telemetry, as published, with metres assumed."""
    for row in table(data / "water-level-ea-day" / "readings.csv.gz"):
        if row["parameter"] == "level":
            yield Value(
                row["dateTime"], f"{row['stationReference']}-{row['qualifier']}", "level_m", row["value"]
            )


SETS: dict[str, Callable[[Path], Iterator[Value]]] = {
    "tide-kotzebue": kotzebue,
    "water-level-logan": logan,
    "air-sds011-aberdeen": sds011,
    "air-beijing": beijing,
    "air-uci-italy": uci,
    "nab-anomaly": nab,
    "power-household-uci": household,
    "power-pv-inverter": inverter,
    "power-pzem004t": pzem,
    "known-faults-pecos": pecos,
    "noise-laeq": noise,
    "water-level-ea-day": ea_day,
}
"""Every recording, by the name of its folder."""


def hours(begin: str, end: str) -> set[str]:
    """Return the times of the hours from `begin` to `end`, both included."""
    at, last, found = datetime.fromisoformat(begin), datetime.fromisoformat(end), set()
    while at <= last:
        found.add(at.isoformat(timespec="minutes"))
        at += timedelta(hours=1)
    return found
