"""A board made of MicroPython's unix port behaves as a board: buses, resets, sleep, power, watchdog, radio."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from firmware.board import WITHIN_S, Echo, Registers, place

from edge.field.image import read_image
from edge.model.errors import ConfigError
from simulators.virtual.buses import Radio
from simulators.virtual.node import VirtualNode, VirtualNodeError
from simulators.virtual.requests import Why

if TYPE_CHECKING:
    from conftest import MicroPython

    Boot = Callable[..., Awaitable[VirtualNode]]

POWER_CUTS = 80
COUNTING = """
import machine
try:
    with open("/data/starts") as file: starts = int(file.read())
except OSError:
    starts = 0
starts += 1
with open("/data/starts", "w") as file: file.write(str(starts))
print("start", starts, "cause", machine.reset_cause())
"""
ENDURING = """
import os, time
number = 0
try:
    with open("/data/kept") as file: number = int(file.read())
except OSError: pass
print("found", number)
while True:
    number += 1
    with open("/data/new", "w") as file: file.write(str(number))
    os.rename("/data/new", "/data/kept")
    print("kept", number)
    time.sleep_ms(2)
"""


@pytest.fixture
async def boot(micropython: MicroPython, tmp_path: Path) -> AsyncIterator[Boot]:
    """Call with a program to start a board that runs it; it ends with the test."""
    nodes: list[VirtualNode] = []

    async def start(program: str, **options: Any) -> VirtualNode:
        folder = tmp_path / str(len(nodes))
        folder.mkdir()
        node = place(folder, program, micropython.executable, **options)
        nodes.append(node)
        await node.start()
        return node

    yield start
    for node in nodes:
        await node.stop()


def boards_of(folder: Path) -> list[str]:
    """Return the processes that run a board's image in a folder; one that has ended has no command line."""
    image = f"{folder}/node.img".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if image in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(process.name)
    return found


async def said(node: VirtualNode, line: str) -> None:
    """Wait until the board printed a line."""
    await node.until(lambda: line in node.lines, WITHIN_S)


async def test_a_program_sees_a_board_and_not_the_host(boot: Boot) -> None:
    node = await boot(
        "import machine, os, sys, time\n"
        "print(sys.platform, machine.unique_id().hex(), machine.reset_cause())\n"
        "print(time.gmtime()[0], time.gmtime(0)[0])\n"
        "print(sorted(os.listdir('/')), sys.path)",
        serial="a0b765112233",
    )
    await said(node, "esp32 a0b765112233 1")
    await said(node, "2000 2000")
    await said(node, "['a', 'boot.py', 'data', 'main.py', 'slot.json'] ['', '.frozen', '/lib']")


async def test_a_pico_has_its_own_platform_epoch_and_clock(boot: Boot) -> None:
    node = await boot(
        "import sys, time, rp2; print(sys.platform, time.gmtime()[0], time.gmtime(0)[0])", chip="rp2"
    )
    await said(node, "rp2 2021 1970")


async def test_a_heap_of_128_kb_is_left_to_the_firmware(boot: Boot) -> None:
    node = await boot("import gc; gc.collect(); print('free', gc.mem_free())")
    await node.until(lambda: node.lines, WITHIN_S)

    free = int(node.lines[0].removeprefix("free "))
    assert 120_000 < free < 140_000  # MicroPython itself takes some of a heap of 131072 bytes


async def test_sensors_answer_on_their_buses(boot: Boot) -> None:
    class Divider:
        def microvolts(self) -> int:
            return 1_650_000

    program = """
import asyncio, machine
uart, i2c = machine.UART(1, 9600), machine.I2C(0)
print(uart.any(), uart.read(), uart.write(b"abc"), uart.any(), uart.read(2), uart.read())
print(uart.readline(), i2c.scan(), i2c.readfrom_mem(0x76, 0xD0, 2))
i2c.writeto_mem(0x76, 0x10, b"ok")
print(i2c.readfrom_mem(0x76, 0x10, 2), machine.ADC(machine.Pin(34)).read_uv(), machine.ADC(34).read_u16())
try: i2c.readfrom(0x20, 1)
except OSError as error: print(error.errno)
async def lines():
    uart.write(b"\\nenil")
    print(await asyncio.StreamReader(uart).readline())
asyncio.run(lines())
"""
    node = await boot(
        program,
        sensors={
            "uart1": Echo([b"", b"", b"news\n"]),
            "i2c0": [Registers(0x40), Registers(0x76)],
            "adc34": Divider(),
        },
    )
    await said(node, "b'line\\n'")
    assert list(node.lines) == [
        "0 None 3 3 b'cb' b'a'",
        "b'news\\n' [64, 118] b'\\xd0\\xd1'",
        "b'ok' 1650000 32767",
        "19",
        "b'line\\n'",
    ]


async def test_outputs_are_seen_and_pulses_are_counted(boot: Boot) -> None:
    class Bucket:
        tips = 5

        def pulses(self) -> int:
            return self.tips

        def pin(self) -> int:
            return 0

    bucket = Bucket()
    node = await boot(
        "import asyncio, machine\n"
        "pin, count = machine.Pin(27, machine.Pin.IN), 0\n"
        "machine.Pin(2, machine.Pin.OUT, value=1); machine.PWM(machine.Pin(25), freq=1000, duty_u16=32768)\n"
        "def tip(pin):\n global count\n count += 1\n print('tip', count, pin.value())\n"
        "pin.irq(tip, machine.Pin.IRQ_FALLING)\n"
        "async def wait():\n print('ready')\n await asyncio.sleep(60)\n"
        "asyncio.run(wait())",
        sensors={"pin27": bucket},
    )
    await said(node, "ready")
    bucket.tips += 3
    await said(node, "tip 3 0")

    assert node.buses.pins == {2: 1} and node.buses.duties == {25: 32768}


async def test_a_supply_that_warns_is_heard_by_the_board(boot: Boot) -> None:
    class Supply:
        falls = 0

        def pulses(self) -> int:
            return self.falls

    supply = Supply()
    node = await boot(
        "import asyncio, sys\n"
        "sys.path[:0] = ['/a', '/a/lib']\n"
        "from boards.esp32 import Board\n"
        "class Chosen:\n supply_warning_pin = 13\n"
        "board = Board(); board.configure(Chosen)\n"
        "board.on_supply_warning(lambda pin: print('to flash'))\n"
        "async def wait():\n print('ready')\n await asyncio.sleep(60)\n"
        "asyncio.run(wait())",
        sensors={"pin13": supply},
    )
    await said(node, "ready")
    assert "to flash" not in node.lines
    supply.falls += 1
    await said(node, "to flash")


async def test_every_end_of_a_life_is_followed_by_another_with_its_cause(boot: Boot) -> None:
    node = await boot(COUNTING + "if starts == 1: machine.reset()\nif starts == 2: raise SystemExit")
    await said(node, "start 1 cause 1")
    await said(node, "start 2 cause 2")
    await said(node, "start 3 cause 5")
    await node.power_cut()
    await said(node, "start 4 cause 1")

    assert [end.why for end in node.ends] == [Why.RESET, Why.SOFT_RESET, Why.CUT]


async def test_a_deep_sleep_can_be_shortened_and_the_clock_shows_all_of_it(boot: Boot) -> None:
    program = COUNTING + (
        "import time\n"
        "print('woke', time.gmtime()[:3], machine.RTC().memory())\n"
        "if starts == 1:\n"
        "    machine.RTC().datetime((2026, 3, 1, 7, 12, 0, 0, 0))\n"
        "    machine.RTC().memory(b'kept')\n"
        "    machine.deepsleep(86_400_000)"
    )
    node = await boot(program, speed=864_000)
    await said(node, "start 2 cause 4")
    await said(node, "woke (2026, 3, 2) b'kept'")

    assert (node.ends[0].why, node.ends[0].ms) == (Why.SLEEP, 86_400_000)
    await node.power_cut()
    await said(node, "woke (2000, 1, 1) b''")


async def test_a_board_that_does_not_feed_its_watchdog_starts_again(boot: Boot) -> None:
    node = await boot(COUNTING + "if starts == 1:\n    machine.WDT(timeout=50)\n    while True: pass")
    await said(node, "start 2 cause 3")

    assert [end.why for end in node.ends] == [Why.WATCHDOG]


async def test_a_timer_feeds_as_long_as_the_loop_runs(boot: Boot) -> None:
    node = await boot(
        "import asyncio, machine\n"
        "watchdog, left = machine.WDT(timeout=60_000), 5\n"
        "def feed(timer):\n global left\n watchdog.feed()\n left -= 1\n print('fed', left)\n"
        "machine.Timer(period=10, mode=machine.Timer.PERIODIC, callback=feed)\n"
        "async def run():\n while left > 0: await asyncio.sleep_ms(1)\n"
        "asyncio.run(run())\nprint('well')"
    )
    await said(node, "well")
    assert not node.ends


async def test_the_power_may_go_within_any_write_and_the_flash_is_whole(boot: Boot) -> None:
    node = await boot(ENDURING)
    for cut in range(1, POWER_CUTS + 1):
        await node.power_cut(after_writes=cut)
        await node.until(lambda n=cut: sum("found" in line for line in node.lines) > n, WITHIN_S)

    words = [line.split() for line in node.lines]
    starts = [at for at, (word, _) in enumerate(words) if word == "found"]
    assert len(starts) == POWER_CUTS + 1 and node.writes > POWER_CUTS and node.erases > 0
    for at in starts[1:]:
        found, told_before = int(words[at][1]), int(words[at - 1][1])
        assert found in (told_before, told_before + 1), words[at - 1 : at + 1]


async def test_a_board_without_power_stays_off_until_it_is_started(
    boot: Boot,
) -> None:
    node = await boot(COUNTING)
    await said(node, "start 1 cause 1")
    await node.power_cut(again=False)

    assert not node.running
    assert read_image((node.image).read_bytes())["data/starts"] == b"1"
    await node.start()
    await said(node, "start 2 cause 1")


@pytest.mark.parametrize(
    ("radio", "status"),
    [
        (Radio(), 1010),
        (Radio(ssid="city", password="right"), 1010),
        (Radio(ssid="city", password="other"), 202),
        (Radio(ssid="another"), 201),
        (Radio(up=False), 201),
    ],
)
async def test_joining_wifi_says_what_is_wrong(boot: Boot, radio: Radio, status: int) -> None:
    node = await boot(
        "import network\n"
        "station = network.WLAN(network.STA_IF); station.active(True); idle = station.status()\n"
        "station.connect('city', 'right')\n"
        "print(idle, station.isconnected(), station.status(), station.status('rssi'))",
        radio=radio,
    )
    await said(node, f"1000 {status == 1010} {status} -61")


async def test_a_program_that_fails_leaves_a_board_whose_console_answers(boot: Boot) -> None:
    node = await boot("1 / 0")
    await said(node, "ZeroDivisionError: divide by zero")
    await node.type("print('hel' + 'lo')\r")
    await said(node, "hello")


async def test_ctrl_c_reaches_a_program_wherever_it_is(boot: Boot) -> None:
    node = await boot(
        "import machine\n"
        "uart, times = machine.UART(1), 0\n"
        "while times < 20:\n"
        "    try:\n"
        "        print('busy', times)\n"
        "        while True:\n"
        "            with open('/data/x', 'w') as file: file.write('x' * 300)\n"
        "            assert uart.write(b'ab') == 2 and uart.read() == b'ba'\n"
        "    except KeyboardInterrupt:\n"
        "        times += 1; uart.read()\n"
        "print('whole', open('/data/x').read() in ('x' * 300, ''))",
        sensors={"uart1": Echo()},
    )
    for times in range(20):
        await said(node, f"busy {times}")
        await node.type("\x03")
        await node.until(lambda n=times + 1: f"busy {n}" in node.lines or "whole True" in node.lines, WITHIN_S)
    await said(node, "whole True")


async def test_a_broken_model_is_an_error_and_no_silent_sensor(boot: Boot) -> None:
    class Broken:
        def uart(self, written: bytes) -> bytes:
            raise ZeroDivisionError("a fault of the model")

    node = await boot("import machine; machine.UART(1).any()", sensors={"uart1": Broken()})
    with pytest.raises(ZeroDivisionError, match="of the model"):
        await said(node, "never")
    with pytest.raises(ZeroDivisionError):
        await node.stop()


HOST = """
import asyncio, sys
from pathlib import Path
from firmware.board import place

async def main():
    node = place(Path(sys.argv[1]), "print('busy')\\nwhile True: pass", sys.argv[2])
    await node.start()
    await node.until(lambda: "busy" in node.lines)
    print("busy", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_board_does_not_outlive_a_host_that_is_killed(micropython: MicroPython, tmp_path: Path) -> None:
    host = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOST, str(tmp_path), micropython.executable),
        env={**os.environ, "PYTHONPATH": f"{servers.PROJECT}:{servers.PROJECT / 'tests'}"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert host.stdout is not None and await host.stdout.readline() == b"busy\n"
    assert len(boards_of(tmp_path)) == 1
    host.kill()
    await host.wait()
    async with asyncio.timeout(WITHIN_S):
        while boards_of(tmp_path):  # noqa: ASYNC110 - nobody tells when a process of another ends
            await asyncio.sleep(0.01)


async def test_what_cannot_run_says_so(boot: Boot, tmp_path: Path) -> None:
    node = place(tmp_path, "", "/bin/false")
    await node.start()
    with pytest.raises(VirtualNodeError, match="ended 3 times in a row, with code 1"):
        await said(node, "never")
    with pytest.raises(ConfigError, match="no bus 'rs232'"):
        place(tmp_path, "", "", sensors={"rs232": Echo()})
    with pytest.raises(ConfigError, match="Echo cannot be on i2c0"):
        place(tmp_path, "", "", sensors={"i2c0": Echo()})
