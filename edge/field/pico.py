"""A Raspberry Pi Pico W: its boot ROM shows a USB drive, and a UF2 file copied there is flashed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from edge.field.chips import Progress
from edge.field.diagnosis import Symptom, diagnose
from edge.field.stages import Stage

MOUNTS = ("/media", "/run/media", "/mnt", "/Volumes")
_MARK = "INFO_UF2.TXT"
_PIECE_BYTES = 64 * 1024


def find_drive(named: Path | None = None, roots: Iterable[str] = MOUNTS) -> Path:
    """Return the folder where the boot ROM's drive is mounted. Raises FieldError."""
    places = [named] if named is not None else [path for root in roots for path in _below(Path(root), 2)]
    for place in places:
        if (place / _MARK).is_file():
            return place
    raise diagnose(Symptom.NO_PICO_DRIVE)


def is_rp2040(drive: Path) -> bool:
    """Tell whether the drive is that of an RP2040, the chip of a Pico W."""
    return "RPI-RP2" in (drive / _MARK).read_text(encoding="ascii", errors="replace")


def copy_uf2(image: Path, drive: Path, progress: Progress) -> None:
    """Copy an image onto the drive; the board restarts by itself once it has all of it. Raises FieldError."""
    if not is_rp2040(drive):
        raise diagnose(Symptom.UNKNOWN_CHIP, found=(drive / _MARK).read_text(errors="replace").split("\n")[0])
    raw = image.read_bytes()
    try:
        with (drive / image.name).open("wb") as target:
            for start in range(0, len(raw), _PIECE_BYTES):
                target.write(raw[start : start + _PIECE_BYTES])
                target.flush()
                os.fsync(target.fileno())
                done = min(len(raw), start + _PIECE_BYTES)
                progress(f"copying {done // 1024} of {len(raw) // 1024} KB", done / len(raw))
    except OSError as error:
        raise diagnose(Symptom.FLASH_BROKE_OFF, stage=Stage.FLASH, said=error.strerror or str(error)) from None


def _below(folder: Path, depth: int) -> list[Path]:
    try:
        folders = [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []  # there is no such place, or it is not ours
    return folders + ([deep for path in folders for deep in _below(path, depth - 1)] if depth > 1 else [])
