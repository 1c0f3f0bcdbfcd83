"""The chips: asked and written by Espressif's own esptool, unmodified, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.field.diagnosis import Symptom, diagnose
from edge.field.recognise import of_esptool

Progress = Callable[[str, float | None], None]
"""Called with a few words and, where known, the fraction done."""

_KEPT_LINES = 40


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip as it answered: `family` as esptool names it, `serial` as the node will (MAC, hexadecimal)."""

    family: str
    serial: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """What is particular to a family of chips: the number in its images, where they go, where to get them."""

    name: str
    label: str
    image_id: int
    offset: int
    board: str


FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (
        Family("esp32", "ESP32", 0, 0x1000, "ESP32_GENERIC"),
        Family("esp32s3", "ESP32-S3", 9, 0x0, "ESP32_GENERIC_S3"),
        Family("esp32c3", "ESP32-C3", 5, 0x0, "ESP32_GENERIC_C3"),
    )
}
PICO_W = Family("pico_w", "Pico W", -1, 0, "RPI_PICO_W")


@dataclass(frozen=True, kw_only=True, slots=True)
class FlashOptions:
    """How to talk to a chip. `reset`: its reset lines are wired, as on all common boards."""

    baud: int = 460_800
    reset: bool = True
    stub: bool = True


class EspTool:
    """esptool on one port. Every method raises FieldError."""

    def __init__(self, port: str, options: FlashOptions, *, command: Sequence[str] = ()) -> None:
        self._port = port
        self._options = options
        self._command = tuple(command) or (sys.executable, "-m", "esptool")

    async def identify(self) -> Chip:
        """Return which chip is there."""
        return read_chip(await self._run("read-mac", after="no-reset"))

    async def write(
        self,
        parts: Sequence[tuple[int, Path]],
        progress: Progress,
        *,
        erase: bool = False,
        restart: bool = False,
    ) -> None:
        """Write files at their offsets and have the chip prove by MD5 that it holds them."""
        words = ["write-flash", *(["--erase-all"] if erase else [])]
        sizes = [path.stat().st_size for _, path in parts]
        for offset, path in parts:
            words += [f"{offset:#x}", str(path)]
        meter = WriteMeter(sizes, progress)
        said = await self._run(*words, after="hard-reset" if restart else "no-reset", heard=meter.heard)
        if meter.verified < len(parts):
            raise of_esptool([*said, "Verification failed"], self._port, writing=True)

    async def _run(
        self, *words: str, after: str, heard: Callable[[str], None] = lambda _line: None
    ) -> list[str]:
        options = ["--port", self._port, "--baud", str(self._options.baud), "--chip", "auto"]
        options += ["--before", "default-reset" if self._options.reset else "no-reset"]
        options += ["--after", after if self._options.reset else "no-reset"]
        if not self._options.stub:
            options.append("--no-stub")
        said: list[str] = []

        def keep(line: str) -> None:
            said.append(line)
            del said[:-_KEPT_LINES]
            heard(line)

        status = await run_lines([*self._command, *options, *words], keep)
        if status != 0:
            raise of_esptool(said, self._port, writing=words[0] == "write-flash")
        return said


class WriteMeter:
    """Follows esptool's words while it writes: which file, how far, and what it verified."""

    def __init__(self, sizes: Sequence[int], progress: Progress) -> None:
        self._sizes = sizes
        self._progress = progress
        self.verified = 0

    def heard(self, line: str) -> None:
        """Take a line of esptool's."""
        percent = re.search(r"(\d{1,3}(?:\.\d+)?) ?%", line)
        if "Hash of data verified" in line:
            self.verified += 1
            self._tell("verified", 1.0)
        elif "Erasing flash" in line:
            self._progress("erasing", None)
        elif percent and "Writing at" in line:
            self._tell("writing", float(percent[1]) / 100)

    def _tell(self, word: str, share: float) -> None:
        total = sum(self._sizes) or 1
        file = min(self.verified, len(self._sizes) - 1)
        before = sum(self._sizes[: self.verified if word == "writing" else self.verified - 1])
        done = before + share * self._sizes[file if word == "writing" else self.verified - 1]
        self._progress(f"{word} {done / 1024:,.0f} of {total / 1024:,.0f} KB", min(1.0, done / total))


def read_chip(said: Sequence[str]) -> Chip:
    """Return the chip that esptool's words name, or raise FieldError."""
    text = "\n".join(said)
    kind = re.search(r"Chip type:\s+(.+)", text) or re.search(r"Connected to (\S+) on", text)
    mac = re.search(r"(?:BASE )?MAC:\s+((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\b", text, re.I)
    if kind is None or mac is None:
        raise diagnose(Symptom.CHIP_SILENT, port="the port")
    about = kind[1].strip()
    family = re.match(r"(ESP32(?:-?(?:S2|S3|C2|C3|C5|C6|C61|H2|P4))?)(?![0-9])", about, re.I)
    name = family[1].lower().replace("-", "") if family else about
    if name not in FAMILIES:
        raise diagnose(Symptom.UNKNOWN_CHIP, found=about)
    return Chip(name, mac[1].lower().replace(":", ""), about)


async def run_lines(command: Sequence[str], heard: Callable[[str], None]) -> int:
    """Run a program, call `heard` with each line that it writes, return its status."""
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "240", "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    assert process.stdout is not None
    rest = b""
    try:
        while piece := await process.stdout.read(4096):
            *lines, rest = re.split(rb"[\r\n]+", rest + piece)
            for line in lines:
                if line.strip():
                    heard(line.decode("utf-8", errors="replace"))
        if rest.strip():
            heard(rest.decode("utf-8", errors="replace"))
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
