"""Ports: the only board is taken, others are named; a node's console is talked to over a real serial port."""

from __future__ import annotations

import json
import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from field_rig import BOARD, said

from edge.field.console import Console
from edge.field.diagnosis import FieldError, Symptom
from edge.field.ports import Port, check_port, choose_port, find_again, open_port

PICO = Port("/dev/ttyACM0", "Board in FS mode", 0x2E8A, 0x0005, "e6614c311b4c6b2c")
MODEM = Port("/dev/ttyS0")


def test_the_only_board_is_taken_and_other_ports_are_not() -> None:
    assert choose_port(None, [MODEM, BOARD]) is BOARD
    assert PICO.is_pico and BOARD.chip == "CP210x" and not MODEM.chip
    with pytest.raises(FieldError) as caught:
        choose_port(None, [MODEM])
    assert caught.value.symptom is Symptom.NO_BOARD and "/dev/ttyS0" in caught.value.cause
    with pytest.raises(FieldError) as caught:
        choose_port(None, [BOARD, PICO])
    assert caught.value.remedies == ("unplug the others, or name one: --port /dev/ttyUSB0",)


def test_a_port_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert choose_port("/dev/ttyUSB0", [BOARD]) is BOARD
    (tmp_path / "pts").touch()
    assert choose_port(str(tmp_path / "pts"), []).device == str(tmp_path / "pts")
    with pytest.raises(FieldError) as caught:
        choose_port("/dev/nowhere", [BOARD])
    assert caught.value.symptom is Symptom.PORT_GONE


def test_a_board_that_came_back_under_another_name_is_found_by_its_number() -> None:
    again = Port("/dev/ttyACM1", "", 0x2E8A, 0x0005, "e6614c311b4c6b2c")
    assert find_again(PICO, [BOARD, again]) is again
    assert find_again(Port("/dev/nowhere"), [BOARD]) is None


class Node(threading.Thread):
    """A node behind a pty: answers `status --json`, and Ctrl-C with MicroPython's prompt."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.master, slave = pty.openpty()
        self.device = os.ttyname(slave)
        self._slave = slave
        self.silent = False
        self.start()

    def run(self) -> None:
        line = b""
        while True:
            try:
                byte = os.read(self.master, 1)
            except OSError:
                return
            if byte == b"\x03":
                os.write(self.master, b"\r\nKeyboardInterrupt\r\n>>> ")
            elif byte in b"\r\n":
                if line == b"status --json" and not self.silent:
                    answer = json.dumps(said()).encode()
                    os.write(self.master, b"joined city-iot\r\n" + answer[:40])
                    os.write(self.master, answer[40:] + b"\r\n")
                line = b""
            else:
                line += byte

    def close(self) -> None:
        os.close(self._slave)  # the last one that is closed ends the read of the other side
        self.join(10)
        os.close(self.master)


@pytest.fixture
def node() -> Iterator[Node]:
    one = Node()
    yield one
    one.close()


def test_a_node_says_how_it_is_between_its_log_lines(node: Node) -> None:
    with Console(node.device) as console:
        status = console.status(10)
    assert status is not None and status.node == "cn-a1b2c4"


def test_a_silent_node_is_not_waited_for_without_end_and_its_prompt_is_seen(node: Node) -> None:
    node.silent = True
    with Console(node.device) as console:
        assert console.status(0.3) is None
        assert console.prompt(10)


def test_a_port_belongs_to_one_program_at_a_time(node: Node) -> None:
    with Console(node.device), pytest.raises(FieldError) as caught:
        check_port(node.device)
    assert caught.value.symptom is Symptom.PORT_BUSY
    check_port(node.device)


def test_a_port_that_is_not_there_is_told_as_gone() -> None:
    with pytest.raises(FieldError) as caught:
        open_port("/dev/ttyUSB77")
    assert caught.value.symptom is Symptom.PORT_GONE


def test_a_cable_that_comes_loose_under_the_console_is_told() -> None:
    master, slave = pty.openpty()
    with Console(os.ttyname(slave)) as console:
        os.close(slave)
        os.close(master)
        with pytest.raises(FieldError) as caught:
            console.status(5)
    assert caught.value.symptom in (Symptom.PORT_GONE, Symptom.PORT_BROKEN)
