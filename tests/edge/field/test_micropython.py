"""MicroPython's images: the right chip, whole, and with room for the node's files."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from field_rig import esp_image

from edge.field.chips import FAMILIES, PICO_W
from edge.field.diagnosis import FieldError, Symptom
from edge.field.micropython import ImageShelf, read_app_image, read_image

ESP32, C3 = FAMILIES["esp32"], FAMILIES["esp32c3"]


def fails(call, symptom: Symptom) -> FieldError:  # type: ignore[no-untyped-def]
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.symptom is symptom
    return caught.value


def test_an_image_that_was_given_once_is_found_the_next_time(tmp_path: Path) -> None:
    shelf, given = ImageShelf(tmp_path / "firmware"), tmp_path / "download.bin"
    error = fails(lambda: shelf.find(ESP32), Symptom.NO_IMAGE)
    assert "ESP32_GENERIC" in error.remedy
    given.write_bytes(esp_image(0))
    shelf.find(ESP32, given)
    given.unlink()
    image = shelf.find(ESP32)
    assert image.files is not None and (image.files.offset, image.files.size) == (0x200000, 0x200000)


def test_an_image_that_changed_on_the_shelf_is_not_flashed(tmp_path: Path) -> None:
    shelf, given = ImageShelf(tmp_path / "firmware"), tmp_path / "download.bin"
    given.write_bytes(esp_image(0))
    kept = shelf.find(ESP32, given).file
    kept.write_bytes(esp_image(0) + b"more")
    fails(lambda: shelf.find(ESP32), Symptom.IMAGE_DAMAGED)


def test_a_digest_that_is_given_or_lies_beside_is_held_to(tmp_path: Path) -> None:
    shelf, given = ImageShelf(tmp_path / "firmware"), tmp_path / "download.bin"
    given.write_bytes(esp_image(0))
    right = hashlib.sha256(given.read_bytes()).hexdigest()
    assert shelf.find(ESP32, given, right.upper()).file.exists()
    fails(lambda: shelf.find(ESP32, given, "0" * 64), Symptom.IMAGE_DAMAGED)
    (tmp_path / "download.bin.sha256").write_text(f"{'1' * 64}  download.bin\n")
    fails(lambda: shelf.find(ESP32, given), Symptom.IMAGE_DAMAGED)


def test_an_image_for_another_chip_is_told_by_both_names(tmp_path: Path) -> None:
    given = tmp_path / "c3.bin"
    given.write_bytes(esp_image(5, offset=0))
    assert read_image(given, C3).family is C3
    error = fails(lambda: read_image(given, ESP32), Symptom.WRONG_CHIP)
    assert error.cause == "the board has an ESP32, but c3.bin is for ESP32-C3"


def test_other_files_are_no_images(tmp_path: Path) -> None:
    file = tmp_path / "notes.bin"
    file.write_bytes(b"hello" * 100)
    fails(lambda: read_image(file, ESP32), Symptom.NOT_AN_IMAGE)
    fails(lambda: read_image(file, PICO_W), Symptom.NOT_AN_IMAGE)
    fails(lambda: read_image(tmp_path / "nowhere.bin", ESP32), Symptom.NOT_AN_IMAGE)


def test_an_image_that_broke_off_or_is_for_updates_is_not_flashed(tmp_path: Path) -> None:
    file, whole = tmp_path / "download.bin", esp_image(0)
    file.write_bytes(whole + b"what a maker appends")
    assert read_image(file, ESP32).files is not None
    for short in (whole[:-1], whole[:-40], whole[:0xF000]):
        file.write_bytes(short)
        assert "breaks off" in fails(lambda: read_image(file, ESP32), Symptom.NOT_AN_IMAGE).cause
    file.write_bytes(whole[0xF000:])
    assert "not the .app-bin" in fails(lambda: read_image(file, ESP32), Symptom.NOT_AN_IMAGE).cause


def test_a_uf2_is_for_the_chip_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "pico.uf2"
    block = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, 0x10000000, 256, 0, 1, 0xE48BFF56).ljust(
        512, b"\0"
    )
    file.write_bytes(block)
    assert read_image(file, PICO_W).family is PICO_W
    file.write_bytes(block[:24] + (2).to_bytes(4, "little") + block[28:])
    assert "breaks off" in fails(lambda: read_image(file, PICO_W), Symptom.NOT_AN_IMAGE).cause
    file.write_bytes(block.replace(b"\x56\xff\x8b\xe4", b"\x00\x00\x00\x00"))
    fails(lambda: read_image(file, PICO_W), Symptom.WRONG_CHIP)


def test_an_update_takes_an_app_image_and_not_one_for_a_whole_flash(tmp_path: Path) -> None:
    file = tmp_path / "micropython.app-bin"
    fails(lambda: read_app_image(file), Symptom.NOT_AN_IMAGE)
    file.write_bytes(b"\xe9" + bytes(100_000))
    assert read_app_image(file) == file.read_bytes()
    for whole in (esp_image(0), esp_image(5, offset=0)):
        file.write_bytes(whole)
        assert "take the .app-bin" in str(fails(lambda: read_app_image(file), Symptom.NOT_AN_IMAGE))
    file.write_bytes(b"UF2\n")
    fails(lambda: read_app_image(file), Symptom.NOT_AN_IMAGE)
