"""The programs that touch boards: their words become progress, a chip, or a diagnosis."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.field.chips import EspTool, FlashOptions, WriteMeter, read_chip
from edge.field.diagnosis import FieldError, Symptom
from edge.field.files import MpRemote
from edge.field.pico import copy_uf2, find_drive

SAID = """Connected to ESP32 on /dev/ttyUSB0:
Chip type:          ESP32-D0WD-V3 (revision v3.1)
Features:           Wi-Fi, BT, Dual Core, 240MHz
Crystal frequency:  40MHz
MAC:                24:DC:C3:a1:b2:c4
"""


def program(tmp_path: Path, body: str) -> tuple[str, ...]:
    """A program that plays esptool or mpremote."""
    file = tmp_path / "program.py"
    file.write_text(f"import sys\nwords = ' '.join(sys.argv[1:])\n{body}\n")
    return sys.executable, str(file)


def test_a_chip_is_read_from_esptools_words() -> None:
    chip = read_chip(SAID.splitlines())
    assert (chip.family, chip.serial, chip.about) == ("esp32", "24dcc3a1b2c4", "ESP32-D0WD-V3 (revision v3.1)")
    assert read_chip(SAID.replace("ESP32-D0WD-V3", "ESP32-S3 (QFN56)").splitlines()).family == "esp32s3"
    assert read_chip(SAID.replace("ESP32-D0WD-V3", "ESP32-C3 (QFN32)").splitlines()).family == "esp32c3"
    assert read_chip(SAID.replace("ESP32-D0WD-V3", "ESP32-PICO-D4").splitlines()).family == "esp32"


@pytest.mark.parametrize("name", ["ESP8266EX", "ESP32-H2 (revision v0.1)", "ESP32-C6"])
def test_a_chip_that_the_firmware_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_chip(SAID.replace("ESP32-D0WD-V3 (revision v3.1)", name).splitlines())
    assert caught.value.symptom is Symptom.UNKNOWN_CHIP


def test_progress_runs_over_all_files_and_never_back() -> None:
    told: list[tuple[str, float | None]] = []
    meter = WriteMeter([1024, 3072], lambda words, fraction: told.append((words, fraction)))
    for line in (
        "Erasing flash...", "Writing at 0x00001200 [=====>   ]  50.0% 512/1024 bytes...",
        "Hash of data verified.", "Writing at 0x00200800 [==>      ]  33.3%", "Hash of data verified.",
    ):  # fmt: skip
        meter.heard(line)
    fractions = [fraction for _, fraction in told if fraction is not None]
    assert fractions == sorted(fractions) and fractions[0] == 0.125 and fractions[-1] == 1.0
    assert told[0] == ("erasing", None) and told[1][0] == "writing 0 of 4 KB" and meter.verified == 2


async def test_esptool_is_asked_with_the_options_of_the_board(tmp_path: Path) -> None:
    echo = program(
        tmp_path, f"print({SAID!r})\nprint('words:', words)\nopen({str(tmp_path / 'log')!r}, 'w').write(words)"
    )
    options = FlashOptions(baud=115_200, reset=False, stub=False)
    assert (await EspTool("/dev/x", options, command=echo).identify()).serial == "24dcc3a1b2c4"
    words = (tmp_path / "log").read_text()
    assert (
        words == "--port /dev/x --baud 115200 --chip auto --before no-reset --after no-reset --no-stub read-mac"
    )


async def test_a_write_that_is_not_verified_is_a_failure_though_the_program_ended_well(tmp_path: Path) -> None:
    (tmp_path / "image.bin").write_bytes(b"x" * 10)
    parts = [(0x1000, tmp_path / "image.bin")]
    for body, symptom in (
        ("print('Wrote 10 bytes')", Symptom.FLASH_DIFFERS),
        ("print('A fatal error occurred: Timed out waiting for packet'); sys.exit(2)", Symptom.FLASH_BROKE_OFF),
    ):
        tool = EspTool("/dev/x", FlashOptions(), command=program(tmp_path, body))
        with pytest.raises(FieldError) as caught:
            await tool.write(parts, lambda *_: None)
        assert caught.value.symptom is symptom
    good = program(tmp_path, "print('Hash of data verified.')")
    await EspTool("/dev/x", FlashOptions(), command=good).write(parts, lambda *_: None, restart=True)


async def test_mpremotes_answers_and_refusals(tmp_path: Path) -> None:
    good = program(tmp_path, "print('serial 24dcc3a1b2c4'); print('platform esp32 Generic with ESP32')")
    board = MpRemote("/dev/x", command=good)
    assert (await board.serial(), await board.platform()) == ("24dcc3a1b2c4", "esp32 Generic with ESP32")
    bad = program(tmp_path, "print('could not enter raw repl'); sys.exit(1)")
    with pytest.raises(FieldError) as caught:
        await MpRemote("/dev/x", command=bad).serial()
    assert caught.value.symptom is Symptom.NO_REPL
    mute = program(tmp_path, "print('hello')")
    with pytest.raises(FieldError):
        await MpRemote("/dev/x", command=mute).serial()


async def test_files_are_copied_over_one_connection_after_folders_were_made_and_swept(tmp_path: Path) -> None:
    files = {"main.py": b"1", "a/lib/cityneuron/node.mpy": b"2", "a/manifest.json": b"{}"}
    log = tmp_path / "log"
    command = program(tmp_path, f"open({str(log)!r}, 'a').write(words)\nprint('cp 0 :main.py\\ncp 1 :a/x')")
    told: list[tuple[str, float | None]] = []
    board = MpRemote("/dev/x", command=command)
    await board.copy(files, lambda words, fraction: told.append((words, fraction)), node="cn-1")
    words = log.read_text()
    assert words.startswith("connect /dev/x exec keep, folders, clean, drop, node = ({'/")
    assert "['/a', '/a/lib', '/a/lib/cityneuron'], ['/a'], ['/data/errors'" in words
    assert [word for word in words.split() if word.startswith(":")] == [
        ":main.py",
        *(f":{path}" for path in files if path != "main.py"),
    ]
    assert told == [
        ("looking what is there", None),
        ("copying main.py", 0.0),
        ("copying a/lib/cityneuron/node.mpy", 1 / 3),
    ]


def test_a_pico_is_flashed_by_copying_onto_its_drive(tmp_path: Path) -> None:
    with pytest.raises(FieldError) as caught:
        find_drive(roots=[str(tmp_path)])
    assert caught.value.symptom is Symptom.NO_PICO_DRIVE
    drive = tmp_path / "wang" / "RPI-RP2"
    drive.mkdir(parents=True)
    (drive / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    assert find_drive(roots=[str(tmp_path)]) == drive == find_drive(drive)
    image, told = tmp_path / "pico_w.uf2", []
    image.write_bytes(b"u" * 200_000)
    copy_uf2(image, drive, lambda _, fraction: told.append(fraction))
    assert (drive / "pico_w.uf2").read_bytes() == image.read_bytes() and told[-1] == 1.0
    (drive / "INFO_UF2.TXT").write_text("Board-ID: SAMD51\n")
    with pytest.raises(FieldError):
        copy_uf2(image, drive, lambda *_: None)
