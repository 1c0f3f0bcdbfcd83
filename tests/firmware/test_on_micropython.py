"""The firmware's pure parts on a real MicroPython with a heap of 128 KB."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import servers
from fuzz.run import mutation
from fuzz.targets import TARGETS

if TYPE_CHECKING:
    from conftest import MicroPython

FIRMWARE = servers.PROJECT / "firmware"
VECTORS = servers.PROJECT / "tests" / "vectors" / "native.json"
LARGEST_MESSAGE_BYTES = 1_000  # the node's link takes no longer packet
DRIVER_VECTORS = Path(__file__).with_name("driver_vectors.json")


def test_every_file_compiles_for_a_board(micropython: MicroPython) -> None:
    files = sorted(FIRMWARE.rglob("*.py"))

    assert micropython.run("check_compiles.py", *files) == [f"ok {file}" for file in files]


def test_only_boards_and_the_start_touch_the_hardware() -> None:
    users = {
        str(file.relative_to(FIRMWARE))
        for file in FIRMWARE.rglob("*.py")
        if re.search(r"^\s*(import|from) (machine|network|esp32|rp2)\b", file.read_text("utf-8"), re.MULTILINE)
    }

    assert users <= {"boards/esp32.py", "boards/pico_w.py", "main.py"}


def test_the_codec_writes_and_reads_the_bytes_that_both_sides_agreed_on(micropython: MicroPython) -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))

    lines = micropython.run("check_vectors.py", VECTORS)

    assert lines == [f"ok {vector['message']}" for vector in vectors]
    assert {vector["message"] for vector in vectors} >= {"pack", "birth", "ack", "death"}


def test_malformed_cbor_is_refused_and_never_ends_the_node(
    micropython: MicroPython, shared_data: Path, tmp_path: Path
) -> None:
    payloads = json.loads((shared_data / "cbor-vectors" / "malformed.json").read_text(encoding="utf-8"))
    (tmp_path / "hostile").write_text("\n".join(payloads), encoding="utf-8")

    assert micropython.run("check_hostile.py", tmp_path / "hostile") == [f"refused {len(payloads)}"]


def test_the_node_takes_exactly_the_acknowledgements_that_the_gateway_could_say(
    micropython: MicroPython, tmp_path: Path
) -> None:
    target, chance = next(target for target in TARGETS if target.name == "ack"), random.Random(1)
    payloads = [*target.seeds, *(mutation(target, target.seeds, chance) for _ in range(10_000))]
    payloads = [payload for payload in payloads if len(payload) <= LARGEST_MESSAGE_BYTES]
    (tmp_path / "hostile").write_text("\n".join(payload.hex() for payload in payloads), encoding="utf-8")

    taken = [number for number, payload in enumerate(payloads) if target.judge(payload) == "accepted"]

    lines = micropython.run("check_hostile.py", tmp_path / "hostile")
    assert lines == [*(f"read {number}" for number in taken), f"refused {len(payloads) - len(taken)}"]
    assert len(taken) > 300


def test_a_pack_takes_little_room_and_little_heap(micropython: MicroPython) -> None:
    lines = micropython.run("measure_pack.py")
    print("rows, bytes, allocated bytes, microseconds:", *lines, sep="\n  ")

    (_, one, allocated_by_one, _), (_, thirty, allocated_by_thirty, _) = (
        [int(n) for n in x.split()] for x in lines
    )
    assert one <= 34 and thirty <= 670
    assert allocated_by_one <= 512 and allocated_by_thirty <= 4096


def test_outbox_clock_and_backoff_keep_their_promises(micropython: MicroPython) -> None:
    lines = micropython.run("check_outbox.py")

    assert len(lines) >= 12 and all(line.startswith("ok ") for line in lines)


def test_drivers_decode_what_real_sensors_send(micropython: MicroPython) -> None:
    vectors = json.loads(DRIVER_VECTORS.read_text(encoding="utf-8"))

    assert micropython.run("check_drivers.py", DRIVER_VECTORS) == [f"ok {vector['name']}" for vector in vectors]
