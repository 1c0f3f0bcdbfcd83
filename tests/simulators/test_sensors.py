"""Models of sensors: what a board hears of them. That drivers understand them is tested with the firmware."""

from __future__ import annotations

import json

import pytest

from edge.model.errors import CityError
from edge.model.quantities import QUANTITIES
from simulators.sensors import MODELS, Fault, NoAnswer, SensorModel, model_of
from simulators.sensors.checksums import crc, maxim, modbus, sensirion

NAMES = sorted(MODELS)
SDS011_ASK = bytes.fromhex("aab404000000000000000000000000ffff02ab")
SDS011_SLEEP = bytes.fromhex("aab406010000000000000000000000ffff05ab")
SDS011_WORK = bytes.fromhex("aab406010100000000000000000000ffff06ab")
CHECK = b"123456789"


def heard(sensor: SensorModel) -> object:
    """All that can be heard of a sensor without knowing its language."""
    lines: list[object] = [sensor.uart(b""), sensor.microvolts(), sensor.pin(), sensor.pulses()]
    for question in (b"\x55", SDS011_ASK, bytes.fromhex("f80400000 00a6464".replace(" ", ""))):
        lines.append(sensor.uart(question))
    for address in (0x23, 0x40, 0x68, 0x76):
        try:
            lines.append(sensor.i2c(address, b"\x20", 2))
        except NoAnswer as error:
            lines.append(str(error))
    return lines


def test_the_checksums_are_those_of_their_catalogue() -> None:
    assert crc(CHECK, polynomial=0x8005, start=0xFFFF, bits=16, reflected=True) == 0x4B37
    assert crc(CHECK, polynomial=0x31, start=0, reflected=True) == 0xA1
    assert crc(CHECK, polynomial=0x31, start=0xFF) == 0xF7
    assert sensirion([0xBEEF]) == b"\xbe\xef\x92"
    assert modbus(bytes.fromhex("f80400 00000a".replace(" ", ""))).hex() == "f8040000000a6464"
    assert maxim(bytes.fromhex("91014b467fff0c10")).hex() == "91014b467fff0c1070"


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_an_entry_of_settings_and_its_values_lie_in_the_catalogue(name: str) -> None:
    model = MODELS[name]

    assert model.sample["driver"] == name and "bus" in model.sample
    assert json.loads(json.dumps(dict(model.sample))) == dict(model.sample)
    for quantity, value in model.typical.items():
        row = QUANTITIES[quantity]
        assert row.low <= value <= row.high


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_and_the_same_questions_give_the_same_answers(name: str) -> None:
    assert heard(MODELS[name](seed=3)) == heard(MODELS[name](seed=3))


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_that_a_sensor_cannot_show_is_refused(name: str) -> None:
    for fault in set(Fault) - MODELS[name].faults:
        with pytest.raises(CityError, match=fault):
            MODELS[name](fault=fault)


@pytest.mark.parametrize("name", [name for name in NAMES if Fault.SILENT in MODELS[name].faults])
def test_a_silent_sensor_says_nothing_on_any_bus(name: str) -> None:
    sensor = MODELS[name](fault=Fault.SILENT)

    assert sensor.uart(b"") == sensor.uart(SDS011_ASK) == sensor.uart(b"\x55") == b""
    with pytest.raises(NoAnswer):
        sensor.i2c(int(sensor.entry.get("address", getattr(sensor, "address", 1))), b"\x00", 1)
    with pytest.raises(NoAnswer):
        sensor.onewire(b"", 0)
    assert sensor.microvolts() < 1000


def test_a_mended_sensor_shows_what_came_while_it_was_stuck() -> None:
    sensor = MODELS["sds011"](fault=Fault.STUCK)
    before = sensor.uart(SDS011_ASK)
    sensor.sense({"pm2_5_ug_m3": 80.0, "pm10_ug_m3": 90.0})
    assert sensor.uart(SDS011_ASK) == before

    sensor.switch(Fault.NONE)

    assert sensor.uart(SDS011_ASK)[2:6] == (800).to_bytes(2, "little") + (900).to_bytes(2, "little")


def test_a_question_may_come_in_pieces_and_several_at_once() -> None:
    sensor = MODELS["sds011"]()
    whole = sensor.uart(SDS011_ASK)

    assert sensor.uart(SDS011_ASK[:7]) == b""
    assert sensor.uart(SDS011_ASK[7:]) == whole
    assert sensor.uart(b"\x00\xff" + SDS011_ASK + SDS011_ASK) == 2 * whole


def test_a_sleeping_laser_does_not_measure() -> None:
    sensor = MODELS["sds011"]()

    assert sensor.uart(SDS011_SLEEP)[:2] == b"\xaa\xc5"
    assert sensor.uart(SDS011_ASK) == sensor.uart(b"") == b""
    sensor.uart(SDS011_WORK)
    assert sensor.uart(SDS011_ASK)[:2] == b"\xaa\xc0"


def test_a_question_with_a_wrong_checksum_gets_no_answer() -> None:
    assert MODELS["sds011"]().uart(SDS011_ASK[:-2] + b"\x03\xab") == b""
    assert MODELS["mhz19"]().uart(bytes.fromhex("ff018600000000007a")) == b""
    assert MODELS["pzem004t"]().uart(bytes.fromhex("f8040000000a6465")) == b""
    assert MODELS["level_rs485"]().uart(bytes.fromhex("010300040001c5ca")) == b""


def test_a_probe_refuses_registers_that_it_does_not_have() -> None:
    answer = MODELS["level_rs485"]().uart(modbus(bytes.fromhex("010300090001")))

    assert answer == modbus(bytes.fromhex("018302"))


@pytest.mark.parametrize("name", ["maxbotix", "pms5003", "sds011"])
def test_a_sensor_that_speaks_unasked_says_how_often(name: str) -> None:
    sensor = MODELS[name]()

    assert sensor.period_ms is not None and sensor.uart(b"")


def test_rain_gathers_in_the_bucket_until_it_tips() -> None:
    bucket = model_of({"driver": "rain", "bus": "pin1", "tip_um": 200})
    tips = []
    for _ in range(5):
        bucket.sense({"rain_mm": 0.13})
        tips.append(bucket.pulses())

    assert tips == [0, 1, 1, 2, 3]
    bucket.switch(Fault.STUCK)
    bucket.sense({"rain_mm": 10})
    assert bucket.pulses() == 3


def test_an_address_set_in_the_entry_is_the_one_that_answers() -> None:
    light = model_of({"driver": "bh1750", "bus": "i2c", "address": 0x5C})

    assert light.i2c(0x5C, b"\x20", 2) == round(1.2 * 12_000).to_bytes(2, "big")
    with pytest.raises(NoAnswer, match="0x23"):
        light.i2c(0x23, b"\x20", 2)
