"""The unmodified mpremote works on a virtual node's port, as it does on a board's."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serial
from firmware.board import WITHIN_S, place

from edge.field.files import MpRemote
from edge.field.image import read_image
from simulators.virtual.node import VirtualNode
from simulators.virtual.requests import Why

if TYPE_CHECKING:
    from conftest import MicroPython

BUSY = "print('main runs')\nwhile True: pass\n"


@pytest.fixture
async def node(micropython: MicroPython, tmp_path: Path) -> AsyncIterator[VirtualNode]:
    """A board whose main.py never ends, under way."""
    board = place(tmp_path, BUSY, micropython.executable, link=tmp_path / "port")
    await board.start()
    await board.until(lambda: "main runs" in board.lines, WITHIN_S)
    yield board
    await board.stop()


async def mpremote(node: VirtualNode, *arguments: object) -> str:
    """Run mpremote on the node's port; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mpremote", "connect", node.port, *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN_S):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_it_interrupts_the_program_and_executes(node: VirtualNode) -> None:
    assert await mpremote(node, "exec", "import sys; print(6 * 7, sys.platform)") == "42 esp32\n"
    assert await mpremote(node, "exec", "print('Stage 水位')") == "Stage 水位\n"
    assert [end.why for end in node.ends] == [Why.SOFT_RESET_RAW, Why.SOFT_RESET_RAW]


async def test_an_exception_comes_back_as_a_traceback(node: VirtualNode) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError: divide by zero"):
        await mpremote(node, "exec", "1 / 0")
    with pytest.raises(AssertionError, match="No such file"):
        await mpremote(node, "cat", ":nothing")


async def test_files_go_there_and_come_back(node: VirtualNode, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    (tmp_path / "sent").write_bytes(content)
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "leaf").write_text("leaf", encoding="utf-8")

    await mpremote(node, "mkdir", ":new", "+", "cp", tmp_path / "sent", ":new/file")
    await mpremote(node, "cp", "-r", tmp_path / "tree", ":")
    digest = await mpremote(node, "sha256sum", ":new/file")
    await mpremote(node, "cp", ":new/file", tmp_path / "back")

    assert hashlib.sha256(content).hexdigest() in digest
    assert (tmp_path / "back").read_bytes() == content
    assert f"{len(content)} file" in await mpremote(node, "ls", ":new")
    assert await mpremote(node, "cat", ":tree/deep/leaf") == "leaf"
    await mpremote(node, "rm", ":new/file", "+", "rmdir", ":new")
    await node.power_cut(again=False)
    assert (
        "new/file" not in (files := read_image(node.image.read_bytes())) and files["tree/deep/leaf"] == b"leaf"
    )


async def test_a_folder_of_the_host_can_be_mounted_and_run_from(node: VirtualNode, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "lent.py").write_text(f"WORD = {'lent' * 500!r}\n", encoding="utf-8")

    printed = await mpremote(node, "mount", tmp_path / "host", "exec", "import lent; print(len(lent.WORD))")
    assert "2000" in printed.splitlines()


async def test_soft_reset_and_reset_start_the_board_again(node: VirtualNode) -> None:
    await mpremote(node, "soft-reset")
    assert [end.why for end in node.ends] == [Why.SOFT_RESET_RAW]

    node.lines.clear()
    await mpremote(node, "reset")
    await node.until(lambda: "main runs" in node.lines, WITHIN_S)
    assert node.ends[-1].why is Why.RESET


async def test_the_port_has_a_name_that_stays(node: VirtualNode, tmp_path: Path) -> None:
    assert (tmp_path / "port").readlink() == Path(node.port)
    await node.stop()
    assert not (tmp_path / "port").is_symlink()
    await node.start()
    assert (tmp_path / "port").readlink() == Path(node.port)


async def test_a_terminal_sees_lines_and_a_prompt(node: VirtualNode) -> None:
    with serial.Serial(node.port, timeout=WITHIN_S) as port:  # blocks, but the node has a thread of its own
        port.write(b"\x03")
        greeting = port.read_until(b">>> ")
        port.write(b"for n in (1, 2): print('n', n)\r")
        answer = port.read_until(b">>> ")

    assert b"KeyboardInterrupt: \r\nMicroPython v1" in greeting and b"virtual" in greeting
    assert b"\n" not in greeting.replace(b"\r\n", b"")
    assert answer.endswith(b")\r\nn 1\r\nn 2\r\n>>> ")


async def test_a_picos_watchdog_does_not_bite_while_files_are_copied(
    micropython: MicroPython, tmp_path: Path
) -> None:
    guarded = f"import machine\nmachine.WDT(timeout=600_000)\n{BUSY}"
    board = place(tmp_path, guarded, micropython.executable, chip="rp2")
    await board.start()
    try:
        await board.until(lambda: "main runs" in board.lines, WITHIN_S)
        await mpremote(board, "exec", "pass")
        assert board.guarded  # a soft reset does not stop it

        assert (await MpRemote(board.port).platform()).startswith("rp2")

        assert not board.guarded
    finally:
        await board.stop()
