"""Simulated meters say byte for byte what real ones said; on a line some are dead, late, or speak at once."""

from __future__ import annotations

import asyncio
import json
import os
import tty
from pathlib import Path

import pytest

from simulators.stations import cjt188, dlt645
from simulators.stations.wire import Answer, behind_tcp, on_port

READ_VOLTAGE = bytes.fromhex("68610100000000681104333434351716")
SAY_VOLTAGE = bytes.fromhex("686101000000006891063334343534431016")


def meter(**more: float | bool) -> dlt645.Meter:
    """Return the meter of the published examples."""
    return dlt645.Meter(
        address="000000000161",
        preamble=0,
        readings={
            dlt645.ENERGY: 0.26,
            dlt645.VOLTAGE_A: 100.1,
            dlt645.CURRENT_A: 4.999,
            dlt645.POWER: 0.2512,
            dlt645.REACTIVE_POWER: 0.4331,
            dlt645.APPARENT_POWER: 0.5006,
            dlt645.POWER_FACTOR: 0.501,
        },
        **more,
    )


def said(line: dlt645.Line | cjt188.Line, request: bytes) -> bytes:
    """Return all that a line answers to a request."""
    return b"".join(answer.data for answer in line.feed(request))


def test_an_electricity_meter_says_what_the_published_one_said(shared_data: Path) -> None:
    cases = json.loads((shared_data / "protocols" / "dlt645.json").read_text("utf-8"))
    real = [case for case in cases if case.get("expect", {}).get("address") == "000000000161"]
    answers = [case for case in real if case["expect"]["direction"] == "slave"]
    line = dlt645.Line([meter()])
    for case in answers:
        asked = bytes.fromhex(case["expect"]["data_hex"])[:4]
        assert said(line, dlt645.frame("000000000161", 0x11, asked)).hex().upper() == case["frame"]
    assert len(answers) == 7


def test_what_a_meter_has_not_is_refused_and_what_it_does_not_measure_is_ff() -> None:
    line = dlt645.Line([dlt645.Meter(address="123456789012", preamble=0, readings={dlt645.FREQUENCY: None})])
    refused = said(line, dlt645.frame("123456789012", 0x11, bytes.fromhex("00000100")))
    assert refused == bytes.fromhex("6812907856341268D101358D16")
    unmeasured = said(line, dlt645.frame("123456789012", 0x11, bytes.fromhex("02008002")))
    assert unmeasured == dlt645.frame("123456789012", 0x91, bytes.fromhex("02008002FFFF"))


def test_a_long_block_is_read_on_until_nothing_follows() -> None:
    tariffs = {0x00010000 + tariff * 0x100: 10.0 * tariff for tariff in range(5)}
    line = dlt645.Line([dlt645.Meter(address="000000000161", readings=tariffs, most_bytes=8, preamble=0)])
    block = bytes.fromhex("00FF0100")
    assert said(line, dlt645.frame("000000000161", 0x11, block)) == dlt645.frame(
        "000000000161", 0xB1, block + bytes.fromhex("0000000000100000")
    )
    for number, control, value in ((1, 0xB2, "0020000000300000"), (2, 0x92, "00400000")):
        part = bytes((number,))
        assert said(line, dlt645.frame("000000000161", 0x12, block + part)) == dlt645.frame(
            "000000000161", control, block + bytes.fromhex(value) + part
        )


def test_power_that_flows_back_has_its_top_bit_set() -> None:
    line = dlt645.Line([dlt645.Meter(address="1".zfill(12), readings={dlt645.POWER: -1.5}, preamble=0)])
    answer = said(line, dlt645.frame("1".zfill(12), 0x11, bytes.fromhex("00000302")))
    assert answer == dlt645.frame("1".zfill(12), 0x91, bytes.fromhex("00000302" + "005081"))


def test_one_meter_tells_its_address_and_two_at_once_a_muddle() -> None:
    anybody = bytes.fromhex("FEFEFEFE68AAAAAAAAAAAA681300DF16")
    alone = dlt645.Meter(address="000000190101", preamble=0)
    published = bytes.fromhex("6801011900000068930634344C333333D116")
    assert said(dlt645.Line([alone]), anybody) == published
    two = dlt645.Line([alone, dlt645.Meter(address="000000190102", preamble=0)])
    assert said(two, anybody) not in (b"", published)
    assert said(two, dlt645.frame("AAAAAAAA0102", 0x13, b"")) == dlt645.frame(
        "000000190102", 0x93, bytes.fromhex("020119000000")
    )


def test_nothing_can_be_changed_and_a_broadcast_is_not_answered() -> None:
    line = dlt645.Line([meter()])
    assert said(line, dlt645.frame("000000000161", 0x1C, bytes(16))) == dlt645.frame(
        "000000000161", 0xDC, b"\x04"
    )
    assert line.meters[0].refused == [0x1C]
    assert said(line, dlt645.frame("999999999999", 0x08, bytes(6))) == b""
    assert said(line, dlt645.frame("000000000161", 0x01, bytes.fromhex("1090"))) == b""


def test_a_dead_meter_says_nothing_and_a_late_one_says_it_late() -> None:
    assert dlt645.Line([meter(dead=True)]).feed(READ_VOLTAGE) == []
    assert dlt645.Line([meter(late_s=2.5)]).feed(READ_VOLTAGE) == [Answer(SAY_VOLTAGE, 2.5)]


@pytest.mark.parametrize("cut", range(len(READ_VOLTAGE)))
def test_a_question_is_understood_however_it_comes(cut: int) -> None:
    line = dlt645.Line([meter()])
    assert said(line, b"\x68\x16\xff" + READ_VOLTAGE[:cut]) == b""
    assert said(line, READ_VOLTAGE[cut:]) == SAY_VOLTAGE
    wrong = READ_VOLTAGE[:-2] + b"\x18\x16"
    assert said(line, wrong + READ_VOLTAGE) == SAY_VOLTAGE


def test_a_water_meter_says_what_the_published_ones_said() -> None:
    tutorial = cjt188.Meter(
        address="78330011223344", total=556677, settled=556677, clock="20150511220131", status=0x21,
        maker_status=0x84, swapped=True,
    )  # fmt: skip
    ask = bytes.fromhex("FEFEFEFE68104433221100337801031F90008016")
    answer = bytes.fromhex("68104433221100337881161F9000007766552C007766552C3101221105152021841316")
    assert said(cjt188.Line([tutorial]), ask) == answer
    without = cjt188.Meter(address="78331505104145", total=5959, settled=None, clock=None, preamble=2)
    request = cjt188.frame(0x10, "78331505104145", 0x01, bytes.fromhex("901FAA"))
    answer = bytes.fromhex("FEFE6810454110051533788116901FAA005959002CFFFFFFFF2CFFFFFFFFFFFFFF0000C216")
    assert said(cjt188.Line([without]), request) == answer


def test_a_water_meter_tells_its_address_and_refuses_what_it_does_not_know() -> None:
    line = cjt188.Line([cjt188.Meter(address="00201510270588", status=cjt188.BATTERY_LOW)])
    anybody = bytes.fromhex("68AAAAAAAAAAAAAAAA0303810A004916")
    assert said(line, anybody) == cjt188.frame(0x10, "00201510270588", 0x83, bytes.fromhex("810A00"))
    swapped = cjt188.frame(0x10, "00201510270588", 0x01, bytes.fromhex("1F9007"))
    assert said(line, swapped) == cjt188.frame(0x10, "00201510270588", 0xC1, bytes.fromhex("070400"))
    valve = cjt188.frame(0x10, "00201510270588", 0x04, bytes.fromhex("A0170155"))
    assert said(line, valve)[9] == 0xC4
    assert line.meters[0].refused == [0x04]
    assert said(line, cjt188.frame(0x30, "00201510270588", 0x01, bytes.fromhex("901F00"))) == b""


async def test_a_line_is_served_behind_tcp() -> None:
    line = dlt645.Line([meter(), dlt645.Meter(address="000000000162", dead=True)])
    async with behind_tcp(line) as port, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(dlt645.frame("000000000162", 0x11, b"\x00\x01\x01\x02") + READ_VOLTAGE)
        assert await reader.readexactly(len(SAY_VOLTAGE)) == SAY_VOLTAGE
        writer.close()
    assert line.heard == [("000000000162", 0x11), ("000000000161", 0x11)]


async def test_a_line_is_served_on_a_serial_port() -> None:
    master, port = os.openpty()
    tty.setraw(port)
    line = dlt645.Line([meter(late_s=0.01)])
    try:
        async with on_port(line, Path(os.ttyname(port)), 2400), asyncio.timeout(20):
            os.write(master, READ_VOLTAGE)
            came = b""
            while len(came) < len(SAY_VOLTAGE):
                came += await asyncio.to_thread(os.read, master, 64)
    finally:
        os.close(master)
        os.close(port)
    assert came == SAY_VOLTAGE
