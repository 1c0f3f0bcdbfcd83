"""Starts that end before Python can say why lead to safe mode too; loss of power and an orderly end do not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.field.image import Layout, build_image, read_image
from simulators.virtual.node import Chip, VirtualNode
from simulators.virtual.requests import Why

if TYPE_CHECKING:
    from conftest import MicroPython

    Board = Callable[..., VirtualNode]

FLASH_BYTES = 1 << 20
WITHIN_S = 90.0
SETTINGS = {
    "node": "stage-0001",
    "kind": "water_level",
    "broker_host": "127.0.0.1",
    "broker_port": 9,
    "broker_tls": False,
    "sensors": [{"driver": "contact", "bus": "pin1"}],
}
APP = "a/lib/cityneuron/app.py"
CRASH = b"import uctypes\nuctypes.bytearray_at(8, 4)[0] = 1\n"
RESET = b"import machine\nmachine.reset()\n"
HANG = b"import machine\nmachine.WDT(timeout=50)\nwhile True: pass\n"
WAITS = b"""
import machine, time, uctypes
print("begun")
while machine.Pin(4).value(): time.sleep_ms(1)
uctypes.bytearray_at(8, 4)[0] = 1
"""
WORDLESS = "ended without a word"


class Switch:
    """A pin whose level the test sets."""

    level = 1

    def pin(self) -> int:
        return self.level


@pytest.fixture
async def board(micropython: MicroPython, tmp_path: Path) -> AsyncIterator[Board]:
    """Call with files over the firmware's own for a board that has them; it ends with the test."""
    made: list[VirtualNode] = []

    def make(
        chip: Chip = "esp32", files: dict[str, bytes] | None = None, switch: Switch | None = None
    ) -> VirtualNode:
        name = {"esp32": "esp32", "rp2": "pico_w"}[chip]
        layout = Layout(board=name, settings=SETTINGS, files={"node.key": b"key", **(files or {})})
        image = tmp_path / "node.img"
        image.write_bytes(build_image(layout, FLASH_BYTES))
        sensors = {"pin4": switch or Switch()}
        made.append(VirtualNode(image, micropython.executable, chip=chip, sensors=sensors, crashes=100))
        return made[-1]

    yield make
    for node in made:
        await node.stop()


def heard(node: VirtualNode, words: str) -> Callable[[], bool]:
    return lambda: any(words in line for line in node.lines)


@pytest.mark.parametrize("chip", ["esp32", "rp2"])
@pytest.mark.parametrize(
    ("app", "why"),
    [(CRASH, Why.CRASH), (RESET, Why.RESET), (HANG, Why.WATCHDOG)],
    ids=["crash", "reset", "watchdog"],
)
async def test_three_starts_that_ended_without_a_word_lead_to_safe_mode(
    board: Board, app: bytes, why: Why, chip: Chip
) -> None:
    node = board(chip, {APP: app})
    await node.start()

    await node.until(heard(node, "safe mode after 3 failed starts"), WITHIN_S)

    assert [end.why for end in node.ends] == [why] * 3
    await node.type("status --json\r")
    await node.until(heard(node, '{"'), WITHIN_S)
    status = json.loads(next(line for line in node.lines if line.startswith('{"')))
    assert WORDLESS in status["safe_mode"] and WORDLESS in status["errors"][0]["text"]
    await node.type("reboot\r")
    await node.until(lambda: node.starts == 6, WITHIN_S)  # tried again: it is not locked up for good


async def test_a_firmware_that_cannot_even_be_imported_leaves_a_prompt(board: Board) -> None:
    node = board(files={"a/lib/cityneuron/start.py": CRASH})
    await node.start()

    await node.until(heard(node, "restart in 3600 s"), WITHIN_S)

    assert node.starts == 7 and heard(node, "6 starts ended without a word")()
    await node.type("\x03")
    await node.until(heard(node, "KeyboardInterrupt"), WITHIN_S)
    await node.type("print('hel' + 'lo')\r")
    await node.until(heard(node, "hello"), WITHIN_S)


async def test_power_that_comes_and_goes_is_no_failed_start_and_forgets_nothing(board: Board) -> None:
    node = board()
    await node.start()
    for cut in range(6):
        await node.until(lambda n=cut: sum("stage-0001, boot" in line for line in node.lines) > n, WITHIN_S)
        await node.power_cut()
    await node.until(lambda: sum("stage-0001, boot" in line for line in node.lines) == 7, WITHIN_S)

    assert not heard(node, "safe mode")() and not heard(node, WORDLESS)()
    flash = read_image(node.image.read_bytes())
    assert json.loads(flash["settings.json"]) == SETTINGS and flash["node.key"] == b"key"
    assert "data/failed" not in flash


async def test_a_loss_of_power_neither_adds_to_failed_starts_nor_forgets_them(board: Board) -> None:
    switch = Switch()
    node = board(files={APP: WAITS}, switch=switch)
    await node.start()
    for start, end in enumerate((Why.CRASH, Why.CUT, Why.CRASH, Why.CUT, Why.CUT, Why.CRASH)):
        await node.until(lambda n=start: node.lines.count("begun") > n, WITHIN_S)
        if end is Why.CUT:
            await node.power_cut()
        else:
            switch.level = 0
            await node.until(lambda n=start: len(node.ends) > n, WITHIN_S)
            switch.level = 1
        assert node.ends[-1].why is end

    await node.until(heard(node, "safe mode after 3 failed starts"), WITHIN_S)


async def test_whoever_interrupts_a_start_to_reach_the_prompt_makes_no_failed_one(board: Board) -> None:
    node = board(files={APP: WAITS})
    await node.start()
    for start in range(4):
        await node.until(lambda n=start: node.lines.count("begun") > n, WITHIN_S)
        await node.type("\x03")
        await node.until(lambda n=start: sum("KeyboardInterrupt" in line for line in node.lines) > n, WITHIN_S)
        await node.type("import machine; machine.reset()\r")
    await node.until(lambda: node.lines.count("begun") == 5, WITHIN_S)

    assert not heard(node, WORDLESS)()
