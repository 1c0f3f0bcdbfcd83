"""MicroPython's image for a chip: given once, kept with its digest, and read for where the node's files go."""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.field.chips import FAMILIES, PICO_W, Family
from edge.field.diagnosis import Symptom, diagnose
from edge.field.image import Region

_ESP_MAGIC = 0xE9
_TABLE_AT = 0x8000
_TABLE_BYTES = 0xC00
_ENTRY = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC = 0x50AA
_APP, _DATA = 0, 1
_HEAD_BYTES, _HASHED_AT = 24, 23  # of an app image: magic, segments ... whether a SHA-256 follows them
_BROKEN_OFF = "it breaks off or is damaged: download it again"
_UF2 = struct.Struct("<IIIIIIII")
_UF2_MAGIC = (0x0A324655, 0x9E5D5157)
_RP2040 = 0xE48BFF56


@dataclass(frozen=True, slots=True)
class Partition:
    """A row of an ESP32's partition table, in bytes."""

    name: str
    kind: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Image:
    """A checked image: its file, its family of chips, and the room of the node's files (none with UF2)."""

    file: Path
    family: Family
    files: Region | None = None


class ImageShelf:
    """The folder of images that were given once: FAMILY.bin or .uf2, each with FAMILY.bin.sha256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, family: Family, given: Path | None = None, digest: str | None = None) -> Image:
        """Return the image of a family: the one given, which is kept, else the one kept. Raises FieldError."""
        kept = self._folder / f"{family.name}{'.uf2' if family is PICO_W else '.bin'}"
        if given is not None:
            image = read_image(given, family)
            found = _digest(given)
            self._check(given, found, digest)
            self._folder.mkdir(parents=True, exist_ok=True)
            if given.resolve() != kept.resolve():
                shutil.copyfile(given, kept)
            _digest_file(kept).write_text(f"{found}  {kept.name}\n", encoding="ascii")
            return Image(kept, image.family, image.files)
        if not kept.exists():
            raise diagnose(Symptom.NO_IMAGE, chip=family.label, board=family.board, folder=self._folder)
        self._check(kept, _digest(kept), digest)
        return read_image(kept, family)

    @staticmethod
    def _check(file: Path, found: str, digest: str | None) -> None:
        beside = _digest_file(file)
        wanted = (
            digest or (beside.read_text(encoding="utf-8-sig", errors="replace").split()[:1] or [""])[0]
            if beside.exists()
            else digest
        )
        if wanted and wanted.lower() != found:
            raise diagnose(Symptom.IMAGE_DAMAGED, file=file)


def read_image(file: Path, family: Family) -> Image:
    """Check that a file is MicroPython for a family of chips. Raises FieldError."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said=error.strerror) from None
    if family is PICO_W:
        return Image(file, _uf2(file, raw))
    if len(raw) < 24 or raw[0] != _ESP_MAGIC:
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said="it does not begin as an ESP32's image does")
    number = int.from_bytes(raw[12:14], "little")
    if number != family.image_id:
        wanted = next((row.label for row in FAMILIES.values() if row.image_id == number), f"chip {number}")
        raise diagnose(Symptom.WRONG_CHIP, found=family.label, wanted=wanted, file=file.name)
    start = _TABLE_AT - family.offset
    rows = list(partitions(raw[start : start + _TABLE_BYTES]))
    if not rows:
        said = "it has no partition table: take the .bin for a whole flash, not the .app-bin"
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said=said)
    room = next((row for row in rows if row.name == "vfs"), None)
    if room is None:
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said="its partition table has no `vfs`")
    app = next((row for row in rows if row.kind == _APP), None)  # a second one waits for updates, empty
    if app is None or not _is_whole(raw, app.offset - family.offset):
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said=_BROKEN_OFF)
    return Image(file, family, Region(offset=room.offset, size=room.size))


def _is_whole(raw: bytes, at: int) -> bool:
    """Tell whether an app image is there to its end: its segments, a checksum, and the digest of all that."""
    if len(raw) < at + _HEAD_BYTES or raw[at] != _ESP_MAGIC:
        return False
    end = at + _HEAD_BYTES
    for _ in range(raw[at + 1]):
        end += 8 + int.from_bytes(raw[end + 4 : end + 8], "little")
    end = at + (end - at | 15) + 1
    if not raw[at + _HASHED_AT]:
        return end <= len(raw)
    return hashlib.sha256(raw[at:end]).digest() == raw[end : end + 32]


def read_app_image(file: Path) -> bytes:
    """Return an ESP32's image without bootloader and table, as an update takes it. Raises FieldError."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said=error.strerror) from None
    if raw[:1] != bytes((_ESP_MAGIC,)):
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said="it does not begin as an ESP32's image does")
    for offset in sorted({family.offset for family in FAMILIES.values() if family is not PICO_W}):
        if next(partitions(raw[_TABLE_AT - offset :][:_TABLE_BYTES]), None) is not None:
            raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said="it is for a whole flash; take the .app-bin")
    return raw


def partitions(table: bytes) -> Iterator[Partition]:
    """Yield the rows of an ESP32's partition table."""
    for start in range(0, len(table) - _ENTRY.size + 1, _ENTRY.size):
        magic, kind, _, offset, size, name, _ = _ENTRY.unpack_from(table, start)
        if magic != _ENTRY_MAGIC:
            return
        yield Partition(name.rstrip(b"\0").decode("ascii", errors="replace"), kind, offset, size)


def _uf2(file: Path, raw: bytes) -> Family:
    if len(raw) < 512 or len(raw) % 512 or _UF2.unpack_from(raw)[:2] != _UF2_MAGIC:
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said="it is no UF2 file")
    if _UF2.unpack_from(raw)[7] != _RP2040:
        raise diagnose(Symptom.WRONG_CHIP, found=PICO_W.label, wanted="another chip", file=file.name)
    if len(raw) // 512 < _UF2.unpack_from(raw)[6]:
        raise diagnose(Symptom.NOT_AN_IMAGE, file=file, said=_BROKEN_OFF)
    return PICO_W


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _digest_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")
