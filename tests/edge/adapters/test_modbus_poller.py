"""A Modbus device that is asked: in blocks, each for itself; profiles; writes with proof; who is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.adapters.adapter import Exchange
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.modbus import ADAPTER
from edge.adapters.modbus.block import blocks
from edge.adapters.modbus.lamp import state, write
from edge.adapters.modbus.poller import REFUSED_ROUNDS, ModbusOptions, ModbusPoller
from edge.adapters.modbus.profile import load, profile, shipped
from edge.adapters.modbus.request import Framing
from edge.adapters.modbus.scan import UNIT, questions
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES
from simulators.sensors.checksums import modbus as with_crc

METER = ModbusOptions(profile="pzem-004t-v3")
METER_SAID = bytes.fromhex("01041408D1006C000000F400000026000001F4006400005134")


def answered(exchange: Exchange, *registers: int) -> dict[str, float | None]:
    """Return what an exchange reads from a device that says these registers."""
    head, body = exchange.request[:2], b"".join(each.to_bytes(2, "big") for each in registers)
    values = exchange.read(with_crc(head + bytes((len(body),)) + body))
    assert values is not None
    return {value.key: value.number for value in values}


def refused(exchange: Exchange, code: int) -> FrameError:
    """Return what an exchange makes of an exception."""
    head = exchange.request
    with pytest.raises(FrameError) as caught:
        exchange.read(with_crc(bytes((head[0], head[1] | 0x80, code))))
    return caught.value


def starts(exchanges: list[Exchange] | tuple[Exchange, ...]) -> list[int]:
    """Return the registers at which these begin."""
    return [int.from_bytes(each.request[2:4], "big") for each in exchanges]


def test_a_meter_of_one_block_is_one_question() -> None:
    (exchange,) = ModbusPoller("1", METER).exchanges()
    assert exchange.request == bytes.fromhex("01040000000A700D")
    values = exchange.read(METER_SAID)
    assert values is not None
    assert values[:4] == (
        Value("voltage_v", 225.7),
        Value("current_a", 0.108),
        Value("power_w", 24.4),
        Value("energy_wh", 38.0),
    )


def test_no_block_of_any_profile_reads_across_a_gap_or_too_much() -> None:
    for each in set(map(id, shipped().values())):
        found = next(one for one in shipped().values() if id(one) == each)
        for block in blocks(found, found.polled):
            covered = {register for row in block.rows for register in row.span}
            assert block.count == 1 or covered == set(range(block.start, block.start + block.count)), found.name
            assert block.count <= found.max_registers


def test_every_word_of_a_profile_that_the_gateway_knows_is_of_the_catalogue() -> None:
    assert {word.quantity for word in ADAPTER.words.values()} <= QUANTITIES.keys()
    for name, found in shipped().items():
        words = {row.word or row.key for row in found.rows} | {row.increment for row in found.rows}
        mapped = [ADAPTER.words[word].quantity for word in words & ADAPTER.words.keys()]
        assert len(mapped) == len(set(mapped)), f"{name}: two words are one quantity"


def test_a_failing_block_costs_the_others_nothing() -> None:
    first, second, *_ = ModbusPoller("1", ModbusOptions(profile="eastron-sdm")).exchanges()
    assert refused(first, 6).reason == "exception"
    assert answered(second, 0x3F80, 0) == {"current_a": 1.0}


def test_slow_groups_are_asked_once_in_so_many_rounds() -> None:
    poller = ModbusPoller("1", ModbusOptions(profile="eastron-sdm"))
    rounds = [starts(tuple(poller.exchanges())) for _ in range(6)]
    assert [0x48 in each for each in rounds] == [True, False, False, False, False, True]
    assert all(0 in each for each in rounds)


def test_what_a_device_does_not_have_is_found_out_and_left_alone_for_a_while() -> None:
    options = ModbusOptions(profile="renke-weather-500", fitted=("humidity_pct", "temperature_c", "noise_db"))
    poller = ModbusPoller("1", options)
    (whole,) = poller.exchanges()
    assert isinstance(refused(whole, 2), Refusal)
    alone = poller.exchanges()
    assert starts(tuple(alone)) == [504, 505, 506]
    refused(alone[2], 2)
    for _ in range(REFUSED_ROUNDS):
        assert starts(tuple(poller.exchanges())) == [504, 505]
    assert starts(tuple(poller.exchanges())) == [504, 505, 506]


def test_a_busy_device_is_asked_again_at_once() -> None:
    poller = ModbusPoller("1", METER)
    refused(poller.exchanges()[0], 6)
    assert len(poller.exchanges()) == 1


def test_rain_is_what_a_counter_grew_by_and_a_fall_is_a_new_beginning() -> None:
    poller = ModbusPoller("0xC0", ModbusOptions(profile="dfrobot-sen0575"))
    told = []
    for total in (70_000, 72_794, 72_794, 2_794):
        (exchange,) = poller.exchanges()
        assert exchange.request[:2] == bytes((0xC0, 4))
        told.append(answered(exchange, 0, 0, total & 0xFFFF, total >> 16, 25, 0, 60))
    assert told[0]["rain_total_mm"] == 7.0
    assert [each.get("rain_mm") for each in told] == [None, 0.2794, 0.0, 0.2794]


def test_a_probe_says_its_own_decimals() -> None:
    options = ModbusOptions(profile="qdy30a", fitted=("level_m", "temperature_c"))
    (exchange,) = ModbusPoller("2", options).exchanges()
    assert answered(exchange, 2, 1234, 197) == {"level": 12.34, "water_temperature_c": 19.7}
    assert answered(exchange, 0, 0xFFFE, 197)["level"] == -2
    with pytest.raises(FrameError, match="decimals"):
        answered(exchange, 77, 1234, 197)


def test_registers_that_name_values_are_asked_one_by_one_and_answer_at_their_own_length() -> None:
    options = ModbusOptions(
        profile="edpbox-eb1", fitted=("import_energy_kwh", "export_energy_kwh", "voltage_v")
    )
    imported, exported, voltage = ModbusPoller("1", options).exchanges()
    assert [each.request[2:6].hex() for each in (imported, exported, voltage)] == [
        "00160001",
        "00170001",
        "006c0001",
    ]
    assert answered(imported, 1, 2) == {"import_energy_kwh": 65.538}
    assert answered(voltage, 2301) == {"voltage_v": 230.1}
    with pytest.raises(FrameError, match="length"):
        answered(exported, 1)


def test_a_float_that_is_no_number_is_missing() -> None:
    exchange = ModbusPoller("1", ModbusOptions(profile="eastron-sdm")).exchanges()[0]
    assert exchange.read(with_crc(bytes.fromhex("0104047FC00000"))) == (Value("voltage_v", None, Flag.MISSING),)


def test_over_tcp_each_question_has_a_number_of_its_own() -> None:
    poller = ModbusPoller("1", ModbusOptions(profile="pzem-004t-v3", framing="tcp"))
    first, second = poller.exchanges()[0], poller.exchanges()[0]
    said = METER_SAID[:-2]
    assert second.read(first.request[:4] + b"\x00\x17" + said) is None
    assert second.read(second.request[:4] + b"\x00\x17" + said) is not None


def test_a_box_says_which_sensors_it_has() -> None:
    with pytest.raises(ConfigError, match="fitted"):
        ModbusPoller("1", ModbusOptions(profile="renke-weather-500"))
    with pytest.raises(ConfigError, match="has no soil"):
        ModbusPoller("1", ModbusOptions(profile="renke-weather-500", fitted=("soil",)))


@pytest.mark.parametrize("device", ["meter", "300", "-1", ""])
def test_a_unit_id_is_a_number(device: str) -> None:
    with pytest.raises(ConfigError, match="unit id"):
        ModbusPoller(device, METER)


def test_a_profile_of_the_users_own_is_read_from_its_file(tmp_path: Path) -> None:
    own = tmp_path / "pump.toml"
    own.write_text('title = "Pump"\n[[value]]\nkey = "speed_rpm"\nregister = 7\nmissing = 0xFFFF\n')
    (exchange,) = ModbusPoller("3", ModbusOptions(profile=str(own))).exchanges()
    assert exchange.request[:6] == bytes.fromhex("030300070001")
    assert answered(exchange, 1450) == {"speed_rpm": 1450}
    assert answered(exchange, 0xFFFF) == {"speed_rpm": None}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "title is missing"),
        ('title = "x"', "neither"),
        ('title = "x"\nspeed = 3', "unknown key 'speed'"),
        ('title = "x"\n[[value]]\nkey = "a"', r"\[\[value\]\] 1: register is missing"),
        ('title = "x"\n[[value]]\nkey = "A b"\nregister = 1', "no key"),
        ('title = "x"\n[[value]]\nkey = "a"\nregister = 65535\ntype = "u32"', "not in 0..65535"),
        ('title = "x"\n[[value]]\nkey = "a"\nregister = 1\ntype = "u64"', "is none of"),
        ('title = "x"\n[[value]]\nkey = "a"\nregister = 1\ngroup = "slow"', "no group 'slow'"),
        ('title = "x"\n[[value]]\nkey = "a"\nregister = 1\nincrement = "b"', "only a counter"),
        ('title = "x"\n[[value]]\nkey = "a"\nregister = 1\ndecimals_from = 5', "decimals_from"),
        ('title = "x"\n[[value]]\nkey = "a"\nregister = 1\n[[value]]\nkey = "a"\nregister = 2', "twice"),
        ('title = "x"\nfunction = 6\n[[value]]\nkey = "a"\nregister = 1', "reads nothing"),
        ('title = "x"\nfunction = 1\n[[value]]\nkey = "a"\nregister = 1', "reads bits"),
        ('title = "x"\n[[output]]\nkey = "a"\nregister = 1\nlow = 9\nhigh = 3', "low and high"),
        ('title = "x"\n[[output]]\nkey = "a"\nregister = 1\nlow = 0\nhigh = 3\nfunction = 5', "low and high"),
        ('title = "x"\n[group]\nslow = 0\n[[value]]\nkey = "a"\nregister = 1', "group"),
        ('value = 3\ntitle = "x"', r"not \[\[value\]\]"),
    ],
)
def test_a_mistake_in_a_profile_is_named_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load(path)
    assert "own.toml" in str(caught.value)


def test_a_profile_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="pzem-004t-v3"):
        profile("pzem")


def test_a_lamp_is_set_and_read_back() -> None:
    lamp = write(profile("dimmer-0-10v-8ch"), 1, "way_3", 65)
    assert lamp.write.request == bytes.fromhex("010600030041B9FA")
    assert lamp.write.read(lamp.write.request[:5]) is None
    assert lamp.write.read(lamp.write.request) == ()
    assert lamp.read_back.request[:6] == bytes.fromhex("010300030001")
    assert lamp.read_back.read(lamp.write.request + with_crc(bytes.fromhex("0103020041"))) == (
        Value("way_3", 65.0),
    )
    with pytest.raises(FrameError, match="read_back"):
        lamp.read_back.read(with_crc(bytes.fromhex("0103020040")))
    told = state(profile("dimmer-0-10v-8ch"), 1, "way_3")
    assert told.read(with_crc(bytes.fromhex("0103020040"))) == (Value("way_3", 64.0),)


def test_a_dimmer_that_is_polled_says_how_all_its_ways_stand() -> None:
    (exchange,) = ModbusPoller("1", ModbusOptions(profile="dimmer-0-10v-8ch")).exchanges()
    assert answered(exchange, *range(8))["way_7"] == 7


def test_a_relay_is_a_coil(tmp_path: Path) -> None:
    own = tmp_path / "relay.toml"
    own.write_text('title = "Relay"\n[[output]]\nkey = "lamp"\nregister = 2\nlow = 0\nhigh = 1\nfunction = 5\n')
    lamp = write(load(own), 9, "lamp", 1, framing=Framing.TCP)
    assert lamp.write.request.hex() == "0001000000060905" + "0002ff00"
    assert lamp.read_back.read(bytes.fromhex("00020000000409010101")) == (Value("lamp", 1.0),)


@pytest.mark.parametrize(
    ("unit", "key", "raw"), [(1, "way_9", 1), (1, "way_1", 256), (1, "way_1", -1), (0, "way_1", 1)]
)
def test_what_may_not_be_written_is_refused_before_it_is_sent(unit: int, key: str, raw: int) -> None:
    with pytest.raises(ConfigError):
        write(profile("dimmer-0-10v-8ch"), unit, key, raw)


def test_a_scan_asks_every_unit_harmlessly_and_takes_any_answer_for_somebody() -> None:
    asked = list(questions(range(1, 4)))
    assert [(unit, each.request[1]) for unit, each in asked] == [(1, 3), (1, 4), (2, 3), (2, 4), (3, 3), (3, 4)]
    _, second = asked[2]
    there = (Value(UNIT, 2.0),)
    assert second.read(with_crc(bytes.fromhex("0203020000"))) == there
    assert second.read(with_crc(bytes.fromhex("028302"))) == there
    assert second.read(with_crc(bytes.fromhex("0203040000FFFF"))) == there
    assert second.read(with_crc(bytes.fromhex("0103020000"))) is None
    with pytest.raises(FrameError, match="crc"):
        second.read(bytes.fromhex("02030200001234"))
    assert len(list(questions())) == 2 * 247
