"""Drivers on a real MicroPython read models of their sensors: right values, no values, never wrong ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from sensor_rig import Rig

from edge.model.quantities import QUANTITIES
from simulators.sensors import MODELS, Fault, SensorModel, model_of

if TYPE_CHECKING:
    from conftest import MicroPython

DRIVERS = sorted(
    path.stem
    for path in (servers.PROJECT / "firmware" / "drivers").glob("*.py")
    if "\nCOLUMNS = " in path.read_text(encoding="utf-8")
)
VECTORS = json.loads(Path(__file__).with_name("driver_vectors.json").read_text(encoding="utf-8"))
LISTENED_TO = ("noise", "rain")  # what these give depends on what came between two readings
READ_AT_ONCE = [name for name in DRIVERS if name not in LISTENED_TO]
BROKEN = [
    (name, fault)
    for name in READ_AT_ONCE
    for fault in sorted(MODELS[name].faults)
    if fault not in ("none", "stuck")
]
SURROUNDINGS: dict[str, list[dict[str, float]]] = {
    "jsn_sr04t": [{"level_m": 4.9}, {"level_m": -2.0}],
    "maxbotix": [{"level_m": 4.8}, {"level_m": -4.0}],
    "level_4_20ma": [{"level_m": -0.3}, {"level_m": 4.7}],
    "level_rs485": [{"level_m": -0.31}, {"level_m": 4.7}],
    "pms5003": [{"pm2_5_ug_m3": 0, "pm10_ug_m3": 0}, {"pm2_5_ug_m3": 499, "pm10_ug_m3": 870}],
    "sds011": [{"pm2_5_ug_m3": 0, "pm10_ug_m3": 0}, {"pm2_5_ug_m3": 999.9, "pm10_ug_m3": 999.9}],
    "sps30": [{"pm2_5_ug_m3": 0, "pm10_ug_m3": 0}, {"pm2_5_ug_m3": 812.34, "pm10_ug_m3": 999.99}],
    "scd4x": [
        {"co2_ppm": 400, "temperature_c": -10, "humidity_pct": 0},
        {"co2_ppm": 39_999, "humidity_pct": 100},
    ],
    "mhz19": [{"co2_ppm": 400}, {"co2_ppm": 5000}],
    "bme280": [
        {"temperature_c": -19.5, "humidity_pct": 12, "pressure_hpa": 871.3},
        {"temperature_c": 48.25, "humidity_pct": 97.5, "pressure_hpa": 1083.1},
    ],
    "ds18b20": [{"water_temperature_c": -0.0625}, {"water_temperature_c": 31.4375}],
    "bh1750": [{"illuminance_lx": 0}, {"illuminance_lx": 110_000}],
    "ina226": [{"voltage_v": 0, "current_a": 0}, {"voltage_v": 35.9, "current_a": -0.8}],
    "pzem004t": [{"current_a": 87.654, "power_w": 20_123.4, "energy_wh": 9_876_543}, {"voltage_v": 80.1}],
    "mpu6050": [{"tilt_deg": -41.7}, {"tilt_deg": 0}],
    "contact": [{"door_open": 1}, {"door_open": 0}],
    "battery": [{"battery_v": 2.7}, {"battery_v": 12.1}],
}
COARSE: dict[str, float] = {
    "tilt_deg": 0.1,
    "level_m": 0.004,
    "battery_v": 0.01,
    "power_w": 0.02,
    "illuminance_lx": 1,
    "pressure_hpa": 0.02,
}
"""How far a sensor's own resolution and noise may take a value; half a step of its column for all others."""


@pytest.fixture(scope="module")
def rig(micropython: MicroPython) -> Iterator[Rig]:
    made = Rig(micropython)
    yield made
    made.close()


def model(name: str, values: dict[str, float] | None = None, **options: Any) -> SensorModel:
    return MODELS[name](values, seed=7, **options)


def assert_close(heard: dict[str, float | None], true: dict[str, float], decimals: dict[str, int]) -> None:
    for quantity, value in heard.items():
        if quantity in true:
            assert value == pytest.approx(
                true[quantity], abs=COARSE.get(quantity, 0.51 * 10 ** -decimals[quantity])
            )


def test_adding_a_driver_takes_a_file_a_row_of_models_a_sample_and_vectors() -> None:
    assert list(MODELS) == DRIVERS
    for name in DRIVERS:
        mine = [vector for vector in VECTORS if vector["driver"] == name]
        assert MODELS[name].sample["driver"] == name
        assert any("values" in vector for vector in mine), f"{name} has no vector"
        assert any("error" in vector for vector in mine), f"{name} has no vector of what is wrong"
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("name", READ_AT_ONCE)
def test_a_driver_reads_what_surrounds_its_sensor(rig: Rig, name: str) -> None:
    sensor = model(name)
    for values in ({}, *SURROUNDINGS[name]):
        sensor.sense(values)

        heard = rig.read(sensor, wake=True)

        assert not heard.errors
        true = {quantity: sensor.value(quantity) for quantity in sensor.typical}
        assert set(dict(heard.columns)) <= set(QUANTITIES)
        assert_close(heard.values, true, dict(heard.columns))
        assert None not in heard.rows[-1]


@pytest.mark.parametrize("name", ["scd4x", "sps30"])
def test_a_sensor_that_measures_since_before_the_nodes_restart_is_read(rig: Rig, name: str) -> None:
    sensor = model(name)
    sensor.is_measuring = True  # the node restarted, and its sensor kept its supply

    heard = rig.read(sensor, wake=True)

    assert not heard.errors and None not in heard.rows[-1]


@pytest.mark.parametrize(("name", "fault"), BROKEN)
def test_a_broken_sensor_gives_no_value_and_says_why_in_a_line(rig: Rig, name: str, fault: Fault) -> None:
    sensor = model(name)
    rig.read(sensor, wake=True)
    sensor.switch(fault)

    heard = rig.read(sensor, wake=True)

    if fault == Fault.OUT_OF_RANGE and name in ("jsn_sr04t", "maxbotix"):
        assert heard.rows == [[None]]  # no echo is no fault
        return
    assert heard.rows == []
    ((message, remedy),) = heard.errors
    assert message and remedy and "\n" not in message + remedy
    assert len(message) + len(remedy) < 160


@pytest.mark.parametrize("name", READ_AT_ONCE)
def test_a_stuck_sensor_repeats_itself(rig: Rig, name: str) -> None:
    sensor = model(name)
    sensor.switch(Fault.STUCK)
    sensor.sense(SURROUNDINGS[name][1])

    heard = rig.read(sensor, wake=True)

    assert_close(heard.values, dict(sensor.typical), dict(heard.columns))


def test_a_cold_sensor_gives_no_value_until_it_is_warm(rig: Rig) -> None:
    sensor = model("mhz19")

    heard = rig.read(sensor, reads=2)

    assert heard.rows == [[None], [None]] and not heard.errors


@pytest.mark.parametrize("name", ["pms5003", "sds011"])
def test_a_laser_that_is_woken_ahead_rests_after_the_reading(rig: Rig, name: str) -> None:
    sensor = model(name)

    heard = rig.read(sensor, reads=3, wake=True)

    assert len(heard.rows) == 3 and [None] * 2 not in heard.rows
    assert sensor.is_awake is False  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["scd4x", "sps30"])
def test_a_sensor_that_measures_on_command_is_told_to_and_told_to_stop(rig: Rig, name: str) -> None:
    sensor = model(name)

    heard = rig.read(sensor, reads=2, wake=True)

    assert len(heard.rows) == 2 and not heard.errors
    assert sensor.is_measuring is False  # type: ignore[attr-defined]


def test_a_serial_sensor_is_found_among_the_bytes_that_stand_before_its_frame(rig: Rig) -> None:
    class Noisy(MODELS["sds011"]):  # type: ignore[misc]
        def uart(self, written: bytes) -> bytes:
            return b"\x00\xaa\x17" + bytes(super().uart(written))

    assert rig.read(Noisy(), wake=True).values == {"pm2_5_ug_m3": 35.0, "pm10_ug_m3": 62.0}


def echoing(name: str, **options: Any) -> SensorModel:
    """A sensor behind a transceiver that hears what it sends."""

    class Echoing(MODELS[name]):  # type: ignore[misc]
        def uart(self, written: bytes) -> bytes:
            return written + bytes(super().uart(written))

    return Echoing(seed=7, **options)


@pytest.mark.parametrize("name", ["level_rs485", "pzem004t"])
def test_a_question_that_comes_back_is_passed_over_and_never_taken_for_an_answer(rig: Rig, name: str) -> None:
    plain = rig.read(model(name))
    heard = rig.read(echoing(name))
    assert heard.rows == plain.rows and not heard.errors

    for fault, words in ((Fault.SILENT, "0 of 5 bytes"), (Fault.WRONG_CHECKSUM, "checksum is wrong")):
        heard = rig.read(echoing(name, fault=fault))
        assert heard.rows == [] and words in heard.errors[0][0]


@pytest.mark.parametrize("make", [model, echoing])
def test_an_answer_that_begins_as_its_question_is_an_answer(rig: Rig, make: Callable[..., SensorModel]) -> None:
    entry = {**MODELS["level_rs485"].sample, "register": 0x0200, "zero_mm": 0}
    sensor = make("level_rs485", entry=entry)
    sensor.sense({"level_m": 0})
    for value in (0, 0.001, 2.5):
        sensor.sense({"level_m": value})
        assert rig.read(sensor).values["level_m"] == pytest.approx(value, abs=0.002)


def test_a_refusal_is_understood_behind_a_transceiver_that_hears_itself(rig: Rig) -> None:
    heard = rig.read(echoing("level_rs485"), register=5)

    assert heard.errors[0][0] == "the device refuses: illegal register"


def test_a_device_on_the_wrong_bus_is_not_taken_for_the_sensor(rig: Rig) -> None:
    wrong = MODELS["mhz19"](entry={**MODELS["sds011"].sample})

    heard = rig.read(wrong, wake=True)

    assert heard.rows == [] and "bytes after" in heard.errors[0][0]


def test_noise_is_heard_between_readings_and_averaged_as_energy(rig: Rig) -> None:
    sensor = model("noise", {"noise_laeq_db": 58.7, "noise_lamax_db": 65.1})

    heard = rig.read(sensor, reads=2, between=80)

    assert heard.rows[0] == [None, None]
    assert heard.values["noise_laeq_db"] == pytest.approx(58.7, abs=0.1)
    assert heard.values["noise_lamax_db"] == pytest.approx(65.1, abs=0.05)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.OUT_OF_RANGE])
def test_a_sound_level_meter_without_supply_gives_no_level(rig: Rig, fault: Fault) -> None:
    heard = rig.read(model("noise", fault=fault), reads=2, between=8)

    assert "is no sound level" in heard.errors[0][0]


def test_rain_is_what_tipped_since_the_last_reading(rig: Rig) -> None:
    sensor = model("rain")
    sensor.sense({"rain_mm": 3.1})

    heard = rig.read(sensor, reads=2)

    assert [row[0] for row in heard.rows] == [3_000] and heard.errors[0][0].startswith("no time")
    assert heard.rows[0][1] == round(10 * 3.0 / (15 * 30 / 3600))


def test_columns_can_be_renamed_and_left_out(rig: Rig) -> None:
    heard = rig.read(model("bme280"), **{"as": {"temperature_c": "lamp_temperature_c", "humidity_pct": None}})

    assert [quantity for quantity, _ in heard.columns] == ["lamp_temperature_c", "pressure_hpa"]
    assert heard.values["pressure_hpa"] == pytest.approx(1006.5, abs=0.02)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    def row(seed: int) -> list[bytes]:
        sensor = model_of({"driver": "jsn_sr04t", "bus": "uart1", "datum_mm": 5200}, seed=seed)
        return [sensor.uart(b"\x55") for _ in range(50)]

    assert row(1) == row(1) != row(2)


def test_what_stands_around_drivers_keeps_its_promises(micropython: MicroPython) -> None:
    lines = micropython.run("check_instruments.py")

    assert len(lines) >= 13 and all(line.startswith("ok ") for line in lines)


def test_a_garbled_frame_never_becomes_a_value_and_never_another_error(micropython: MicroPython) -> None:
    lines = micropython.run("check_garbled.py", Path(__file__).with_name("driver_vectors.json"), 200)

    assert len(lines) == len({vector["driver"] for vector in VECTORS if "hex" in vector})
    assert sum(int(line.split()[1]) for line in lines) > 3_500
